"""How many rows of the outbox are under way at once: each kind of work has places of its own."""

from __future__ import annotations

from meterhub.store.engine import Row

PLACES = 200
"""Rows of one kind that are under way at once, each in a lane of its own."""


class Places:
    """The places of one kind of work, and which lanes hold them."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.most = PLACES
        self.next_ms = 0
        """When the rows of this kind are to be looked at next."""
        self.busy: dict[str, tuple[int, int]] = {}
        """Lanes that hold a place: the row that is carried out, and when it was due."""
        self._passed: set[str] = set()
        """Lanes in which something else was due at a look: they are looked at again when they are free."""
        self._full = False

    def none_is_free(self) -> bool:
        """Whether all places are taken, so that more has to wait; it is looked at again when one is free."""
        self._full = len(self.busy) >= self.most
        return self._full

    def take(self, row: Row) -> None:
        """A row that is the first of its lane is carried out from now on."""
        self.busy[row["lane"]] = (row["id"], row["next_ms"])

    def passed(self, row: Row) -> None:
        """A row of a lane that holds a place was found to be due: the one that is under way, or another."""
        if row["more"] or self.busy[row["lane"]] != (row["id"], row["next_ms"]):
            self._passed.add(row["lane"])

    def leave(self, row: Row, *, done: bool) -> bool:
        """A row leaves its place; whether its kind must be looked at now, because something waited for that."""
        del self.busy[row["lane"]]
        waited = self._full or row["lane"] in self._passed or (done and bool(row["more"]))
        self._full = False
        self._passed.discard(row["lane"])
        return waited
