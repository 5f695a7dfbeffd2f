"""What an action for many targets is told of the schedule that asks for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meterhub.cause import Cause


@dataclass(frozen=True, slots=True)
class Occasion:
    """One occasion of a schedule, from ``due_ms`` to the next one at ``next_ms``.

    ``tell(outcome)`` hears the last word, when the summary that was returned was not it.
    """

    due_ms: int
    next_ms: int
    tell: Callable[[dict[str, Any]], None]


Many = Callable[[Sequence[Any], Mapping[str, Any], Cause, Occasion | None], Awaitable[dict[str, Any]]]
"""``many(targets, params, cause, occasion)``: one summary for all, such as ``{"asked": 60, "answered": 58}``.

With ``"open": True`` in it the work goes on, until ``occasion.tell`` is called."""
