"""Search: looking for unknown meters on one line, for minutes or hours, in the shadow of all other traffic.

A search is watched, interrupted and gone on with: its dialogue can end at any question, and a new one of the same
search goes on where the last one stopped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from meterhub.field.dialogue import Dialogue

MOST_FOUND = 1000


class Search(ABC):
    """One search on one line; ``found`` only grows.

    Each finding has ``address``, ``edition`` and ``profile``, the model to configure, as those of ``Protocol.probe``;
    ``also`` are further addresses that the same meter answers to.
    """

    def __init__(self) -> None:
        self.found: list[Mapping[str, Any]] = []
        self.unresolved: list[str] = []
        """Where several meters answer that nothing tells apart, in words."""
        self.asked = 0
        """Questions so far."""

    @property
    @abstractmethod
    def percent(self) -> int:
        """How much of what there is to ask is done, 0 to 100; 100 only when the search is over."""

    @abstractmethod
    def dialogue(self) -> Dialogue[None]:
        """Search on until everything is asked. ``LinkDown`` passes and loses nothing."""
