"""A seeded simulation of the real rooms with every fault at once: at the end payments = ledger = meters.

``METERHUB_RECHARGES`` sets how many recharges are played, ``METERHUB_SEED`` the seed; ``METERHUB_FULL=1`` plays
100,000. A failure prints the seed that repeats it. ``bench/recharges.py`` plays any number.
"""

from __future__ import annotations

import os

import pytest
import recharge_world
from bank import Meters, Purse

from meterhub.money import ledger

FULL = 100_000 if os.environ.get("METERHUB_FULL") else 1_000
RECHARGES = int(os.environ.get("METERHUB_RECHARGES", FULL))
SEEDS = [int(os.environ["METERHUB_SEED"])] if "METERHUB_SEED" in os.environ else [1]


@pytest.mark.parametrize("seed", SEEDS)
async def test_with_every_fault_at_once_nothing_is_short_doubled_or_stuck(seed, tmp_path, clock):
    world = await recharge_world.run(tmp_path / "data", clock, seed, RECHARGES)
    assert min(world.cuts.count, world.late, world.dialogues, world.signed, world.forged) > 0
    assert min(world.weather.seen.values()) > 0


def test_a_seed_repeats_byte_for_byte(tmp_path):
    worlds = [recharge_world.play(tmp_path / name, 7, 150) for name in ("one", "two")]
    assert worlds[0].fingerprint == worlds[1].fingerprint
    assert worlds[0].fingerprint != recharge_world.play(tmp_path / "three", 8, 150).fingerprint


def credit_twice(monkeypatch):
    """The meter takes one purchase as two."""
    credit = Meters._credit

    def twice(meters, purse, number, fen):
        refused = credit(meters, purse, number, fen)
        if not refused and purse.counted and purse.count == number == 3:
            Purse.foreign(purse, fen)
        return refused

    monkeypatch.setattr(Meters, "_credit", twice)


def lose_a_side(monkeypatch):
    """A line of the ledger does not reach one of its books."""
    give = ledger._give

    def forget(tx, operator, book, fen):
        if not book.startswith("meter/"):
            give(tx, operator, book, fen)

    monkeypatch.setattr(ledger, "_give", forget)


@pytest.mark.parametrize("wrong", [credit_twice, lose_a_side])
def test_a_mistake_is_found_and_its_seed_repeats(wrong, tmp_path, monkeypatch, capsys):
    wrong(monkeypatch)
    told = []
    for name in ("one", "two"):
        with pytest.raises(AssertionError):
            recharge_world.play(tmp_path / name, 7, 150)
        told.append(capsys.readouterr().out)
    assert told[0] == told[1] and "repeat with METERHUB_SEED=7 METERHUB_RECHARGES=150" in told[0]
