"""The rules of an operator that money follows, from ``money:`` of the site file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LateRule(StrEnum):
    """What happens to money that comes for an order whose time was over."""

    PERSON = "person"
    APPLY = "apply"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Policy:
    """``expiry_s``: how long an order can be paid. ``least_fen`` to ``most_fen``: what one order may be.

    ``tiles_fen``: the amounts that the tenant's page offers. ``no_cut_hours``: local hours, from and to, in which
    nobody's supply is cut; ``no_cut_days``: days on which it is not, ``2026-10-01``, ``10-01`` each year, or ``sat``.
    ``most_cuts``: how many supplies may be cut within an hour. ``fresh_s``: how long ago a meter may have answered for
    its supply to be cut: an older reading says too little. ``two_people_fen``: over this amount a second person has to
    approve cash, refunds, consumption by hand, decisions on deliveries and what a closed account gives up; 0 for never.
    """

    operator: str = "main"
    currency: str = "CNY"
    expiry_s: int = 900
    least_fen: int = 100
    most_fen: int = 500_000
    tiles_fen: tuple[int, ...] = (2_000, 5_000, 10_000, 20_000, 50_000)
    late: LateRule = LateRule.PERSON
    no_cut_hours: tuple[int, int] = (20, 8)
    no_cut_days: tuple[str, ...] = ()
    most_cuts: int = 20
    fresh_s: int = 7_200
    two_people_fen: int = 0
