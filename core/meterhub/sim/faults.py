"""Faults on demand of a simulated company: what to do wrong, at which operation, how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from meterhub.errors import BadInput

MOST = 1000


class Fault(StrEnum):
    """What goes wrong. Not every company knows every one."""

    HANG = "hang"
    """Nothing is carried out and no answer comes for ``seconds``."""
    ERROR = "error"
    """HTTP 500, nothing is carried out."""
    BUSY = "busy"
    """The company's own word for a fault of its system; nothing is carried out."""
    LIMIT = "limit"
    """The company's word for being asked too often."""
    LOST = "lost"
    """It is carried out, but the connection breaks before the answer."""
    STUCK = "stuck"
    """It is carried out, but the answer hangs for ``seconds``."""
    TORN = "torn"
    """It is carried out, but the answer breaks off in the middle."""
    FORGED = "forged"
    """The answer, or the first copy of a notice, has a wrong signature and other content."""
    UNSIGNED = "unsigned"
    """The answer has no signature."""
    PROBE = "probe"
    """The answer, or the first copy of a notice, has a signature that is wrong on purpose."""
    ACCEPTED = "accepted"
    """The company says that it took the request and will work on it; nothing is carried out."""
    AGAIN = "again"
    """The company asks to be called again."""
    ABNORMAL = "abnormal"
    """A refund cannot reach the payer."""
    EARLY = "early"
    """The payer pays, and the notice comes, before the answer that opened the payment."""
    LATE = "late"
    """A notice waits for ``seconds``."""
    TWICE = "twice"
    """A notice comes in two copies at once, and again after the answer."""
    SWAPPED = "swapped"
    """A notice waits until the one after it has been delivered, ``seconds`` at most."""
    DROPPED = "dropped"
    """A notice never comes."""
    REPLAYED = "replayed"
    """A notice that was taken comes once more after ``seconds``, byte for byte the same, as a thief would send it."""
    SKEWED = "skewed"
    """The company's clock is ``seconds`` ahead (behind when negative), for one call or one notice."""


@dataclass(slots=True)
class Planned:
    """One planned fault. ``operation`` may hold ``*``."""

    kind: Fault
    operation: str = "*"
    times: int = 1
    seconds: float = 30.0


class Faults:
    """The faults that are planned, first in, first out."""

    def __init__(self) -> None:
        self._planned: list[Planned] = []

    def add(self, kind: str, operation: str = "*", times: int = 1, seconds: float = 30.0) -> None:
        """Plan a fault for the next ``times`` uses of ``operation``. Raises ``BadInput`` for an unknown kind."""
        if kind not in set(Fault):
            raise BadInput(f"there is no fault {kind}", hint=", ".join(Fault))
        if len(self._planned) >= MOST:
            raise BadInput(f"{MOST} faults are planned already")
        self._planned.append(Planned(Fault(kind), operation, times, seconds))

    def take(self, operation: str, *kinds: Fault) -> Planned | None:
        """Use up the first planned fault of these kinds for ``operation``."""
        for one in self._planned:
            if one.kind in kinds and fnmatchcase(operation, one.operation):
                one.times -= 1
                if one.times <= 0:
                    self._planned.remove(one)
                return one
        return None

    def planned(self, operation: str, *kinds: Fault) -> bool:
        """Whether a fault of these kinds is planned for ``operation``; it stays planned."""
        return any(one.kind in kinds and fnmatchcase(operation, one.operation) for one in self._planned)

    def any_of(self, *kinds: Fault) -> bool:
        """Whether a fault of these kinds is planned for anything."""
        return any(one.kind in kinds for one in self._planned)

    def add_from(self, content: Mapping[str, Any]) -> None:
        """``add`` with the members of a JSON object. Raises ``BadInput``."""
        try:
            times, seconds = int(content.get("times", 1)), float(content.get("seconds", 30))
        except (TypeError, ValueError):
            raise BadInput("times and seconds are numbers") from None
        self.add(str(content.get("kind")), str(content.get("operation", "*")), times, seconds)

    def clear(self) -> None:
        """Plan nothing more."""
        self._planned.clear()
