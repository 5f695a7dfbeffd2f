"""Cause: who or what started something. It goes with every action, reading, posting and audit row."""

from __future__ import annotations

from dataclasses import dataclass

TENANT = "tenant"
"""The id of the actor whoever has the link on a meter's sticker is: commands of the staff go before what it asks."""


@dataclass(frozen=True, slots=True)
class Cause:
    """``kind`` is user, schedule, run, payment, push or start; ``id`` names it; ``parent`` is the cause behind it."""

    kind: str
    id: str
    parent: Cause | None = None

    def __str__(self) -> str:
        text = f"{self.kind}:{self.id}"
        return f"{text} < {self.parent}" if self.parent is not None else text

    @classmethod
    def parse(cls, text: str) -> Cause | None:
        """The inverse of ``str(cause)``; None for an empty text."""
        cause = None
        for part in reversed([one for one in text.split(" < ") if one]):
            kind, _, name = part.partition(":")
            cause = cls(kind, name, cause)
        return cause
