"""What a rule is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meterhub.plugin_score.loaded import Loaded


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``text`` is what is true when it is kept.

    ``check`` gives the mistakes, an empty list when there are none, and None where the rule does not apply.
    """

    name: str
    must: bool
    text: str
    check: Callable[[Loaded], list[str] | None]
