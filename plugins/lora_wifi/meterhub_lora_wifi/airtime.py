"""How long a radio is on the air, and the budget that the rules of a region leave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType

HOUR_S = 3600.0
OVERHEAD_BYTES = 20
"""Preamble, sync word, header and CRC of transparent modules, as bytes at their nominal rate (an estimate)."""


def lora_s(spreading: int, phy_bytes: int, bandwidth_hz: int = 125_000) -> float:
    """Seconds on the air of a LoRa packet with explicit header, CRC and coding rate 4/5 (Semtech AN1200.13).

    ``phy_bytes`` is the whole PHY payload: with LoRaWAN 13 more than the application's bytes.
    """
    symbol_s: float = 2**spreading / bandwidth_hz
    slow = symbol_s > 0.016
    bits = 8 * phy_bytes - 4 * spreading + 28 + 16
    symbols = 8 + max(0, ceil(bits / (4 * (spreading - 2 * slow))) * 5)
    return (8 + 4.25 + symbols) * symbol_s


def module_s(size: int, air_rate: int) -> float:
    """Seconds on the air of ``size`` bytes through a transparent module with this nominal rate in bit/s."""
    return 8 * (size + OVERHEAD_BYTES) / air_rate


@dataclass(frozen=True, slots=True)
class Region:
    """What a region allows. ``duty``: share of an hour on the air, in thousandths; ``longest_s`` of one packet."""

    duty_permille: int = 1000
    longest_s: float = 10.0


REGIONS: Mapping[str, Region] = MappingProxyType(
    {
        "cn470": Region(longest_s=1.0),  # MIIT 52/2019: one transmission of at most 1 s, no percentage
        "eu868": Region(duty_permille=10),  # 868.0 to 868.6 MHz
        "eu868_01": Region(duty_permille=1),
        "eu868_10": Region(duty_permille=100),  # 869.4 to 869.65 MHz
        "none": Region(longest_s=HOUR_S),
    }
)


class DutyBudget:
    """Air time that may be spent: fills up evenly and holds at most an hour's share."""

    __slots__ = ("_at_s", "_left_s", "_share")

    def __init__(self, region: Region, now: float) -> None:
        self._share = region.duty_permille / 1000
        self._left_s = self._share * HOUR_S
        self._at_s = now

    def pause_s(self, air_s: float, now: float) -> float:
        """How long to wait until ``air_s`` may be spent; 0 when at once."""
        if self._share >= 1.0:
            return 0.0
        self._fill(now)
        return max(0.0, (air_s - self._left_s) / self._share)

    def spend(self, air_s: float, now: float) -> None:
        """So much was sent."""
        self._fill(now)
        self._left_s -= air_s

    def _fill(self, now: float) -> None:
        self._left_s = min(self._share * HOUR_S, self._left_s + (now - self._at_s) * self._share)
        self._at_s = now
