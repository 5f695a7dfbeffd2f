"""How money asks for actions on meters: by name, through the hub's actions, and never by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an action: its result, or ``code`` and ``message`` of the error.

    ``sent`` is False only when it is certain that no byte of it left for the meter.
    """

    result: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    message: str = ""
    sent: bool = True

    @property
    def ok(self) -> bool:
        """Whether the meter confirmed it."""
        return not self.code


Ask = Callable[[str, str, Mapping[str, Any], str, str], Awaitable[Answer]]
"""``ask(action, meter, params, key, cause)``; never raises for what goes wrong with the meter.

``key`` "" makes no lasting run, for reads; ``cause`` such as ``payment:E2026…`` is what is behind it.
"""
