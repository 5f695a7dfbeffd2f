"""What was found out about the blocks of each meter: which ones it refuses, and which ones it does not even answer."""

from __future__ import annotations

from collections.abc import Mapping

NO_BLOCKS: frozenset[str] = frozenset()
CONFIRMATIONS = 2
"""Polls in a row in which a block got no answer, between answers to other questions, after which it is given up."""


class Blocks:
    """By meter id. A block that is given up is read singly from then on."""

    def __init__(self) -> None:
        self._refused: dict[str, frozenset[str]] = {}
        self._silent: dict[tuple[str, str], int] = {}
        """How often a block was not answered by a meter that was there; 0: it is not known whether it was."""

    def refused(self, meter_id: str) -> frozenset[str]:
        """The blocks that are not to be asked for."""
        return self._refused.get(meter_id, NO_BLOCKS)

    def refuse(self, meter_id: str, *blocks: str) -> None:
        """The meter has no such blocks."""
        self._refused[meter_id] = self.refused(meter_id).union(blocks)
        for block in blocks:
            self._silent.pop((meter_id, block), None)

    def answered(self, meter_id: str, block: str) -> None:
        """The meter has it: what was not answered before was lost."""
        if self._silent:
            self._silent.pop((meter_id, block), None)

    def doubt(self, meter_id: str, block: str) -> None:
        """It was not answered, and nor was anything else: the meter may be away."""
        self._silent.setdefault((meter_id, block), 0)

    def doubtful(self, meter_id: str, block: str) -> bool:
        """Was it not answered the last time?"""
        return (meter_id, block) in self._silent

    def unanswered(self, meter_id: str, block: str) -> None:
        """It was not answered although the meter is there."""
        times = self._silent[meter_id, block] = self._silent.get((meter_id, block), 0) + 1
        if times >= CONFIRMATIONS:
            self.refuse(meter_id, block)

    def forget(self, meter_id: str) -> None:
        """It is another meter now, or is gone."""
        self._refused.pop(meter_id, None)
        for key in [one for one in self._silent if one[0] == meter_id]:
            del self._silent[key]

    def learned(self) -> Mapping[str, str]:
        """What is worth keeping, by meter id."""
        return {meter_id: " ".join(sorted(blocks)) for meter_id, blocks in self._refused.items()}
