"""A new speed counts only when the meter answers at it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from meterhub.errors import NoAnswer, Refused
from meterhub.estate.meter_actions import MeterActions
from meterhub.field.dialogue import CommandReply

OWN = 2400


class Street:
    """A reader with one line and one meter on it, which hears at ``hears`` only."""

    def __init__(self, can_retune: bool, hears: int) -> None:
        self.lines = {"l1": SimpleNamespace(config=SimpleNamespace(baud=OWN), retune=self.retune)}
        self.can_retune, self.hears, self.speed, self.reads = can_retune, hears, OWN, []

    def retune(self, baud: int) -> bool:
        if self.can_retune:
            self.speed = baud
        return self.can_retune

    async def command(self, *args, **kwargs):
        return CommandReply(detail={"speed": 9600})

    async def read(self, device, keys, **kwargs):
        self.reads.append(self.speed)
        return SimpleNamespace(error=None if self.speed == self.hears else NoAnswer("silence"))


def call():
    action = SimpleNamespace(name="meter.set_speed", permission="meter.write")
    profile = SimpleNamespace(points={"energy_total": None})
    device = SimpleNamespace(id="m1", parent="l1", profile=profile, definition=lambda key: None)
    return SimpleNamespace(action=action, target=device, params={"speed": 9600}, cause=None, sent=lambda: None)


async def test_the_new_speed_is_tested_and_the_line_goes_back(clock):
    street = Street(can_retune=True, hears=9600)
    result = await MeterActions(street, clock).set_speed(call())
    assert result["tested"] is True
    assert street.reads == [9600] and street.speed == OWN


async def test_a_meter_that_is_silent_at_the_new_speed_is_asked_at_the_old_one(clock):
    street = Street(can_retune=True, hears=OWN)
    with pytest.raises(Refused, match="does not answer at 9600 baud"):
        await MeterActions(street, clock).set_speed(call())
    assert street.reads == [9600, OWN] and street.speed == OWN


async def test_a_link_that_cannot_change_its_speed_leaves_it_untested(clock):
    street = Street(can_retune=False, hears=OWN)
    assert (await MeterActions(street, clock).set_speed(call()))["tested"] is False
    assert street.reads == []
