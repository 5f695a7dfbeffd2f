"""Coupons of a simulated payment company: what a payer pays less at the merchant's own cost. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def shares(coupon_fen: int, amount_fen: int, parts_fen: Iterable[int]) -> Iterator[int]:
    """How much of a coupon each of the parts of an amount carries; all parts together carry all of it."""
    before_fen = carried_fen = 0
    for part_fen in parts_fen:
        before_fen += part_fen
        until_here_fen = coupon_fen * before_fen // amount_fen
        yield until_here_fen - carried_fen
        carried_fen = until_here_fen
