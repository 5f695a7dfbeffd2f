"""Commands against a twin whose time is moved by hand: each is proven by what the meter sends afterwards."""

from __future__ import annotations

import pytest
from mbus_models import protocol

from meterhub.clock import utc
from meterhub.errors import BadInput, NoAnswer, Refused
from meterhub.testing.conformance_protocol import StillWorld, sample_meter, talk
from meterhub_mbus.simulator import Twin

VALVE = {"quantity": "digital_output", "bit": 0}
DUE = {"quantity": "date", "storage": 1, "modifiers": ["future value"], "write": "42EC7E"}
LIMIT = {"quantity": "pressure", "write": "046A", "unit": "bar"}
COMMANDS = {"meter.open_valve": {}, "meter.close_valve": {}, "meter.write": {}}


class World(StillWorld):
    """Its time is that of the protocol's clock, so that clocks can be compared."""

    def __init__(self, clock) -> None:
        super().__init__()
        self.offset_ms = 0
        self._clock = clock

    def now_ms(self):
        return self._clock.now() + self.offset_ms


@pytest.fixture
def one():
    return protocol()


@pytest.fixture
def world(one):
    return World(one._clock)


@pytest.fixture(params=["5", "12345678-PAD-01-07"])
def meter(one, request):
    meter = sample_meter(
        one,
        request.param,
        {"volume": {"quantity": "volume"}, "clock": {"quantity": "datetime"}},
        kind="text",
        commands=COMMANDS,
    )
    meter.points["valve"] = one.point("valve", VALVE, "switch", 0)
    meter.points["due_setting"] = one.point("due_setting", DUE, "text", 0)
    meter.points["limit"] = one.point("limit", LIMIT, "number", 2)
    return meter


@pytest.fixture
def twin(one, meter, world) -> Twin:
    return one.simulate(meter, world)


def act(one, meter, twin, name, **params):
    """Carry out an action with all that follows, time passing in between; how often it was looked at, and the reply."""
    _, reply = talk(one, one.command(meter, name, params), twin)
    looks = 0
    while reply.follow is not None:
        twin.world.offset_ms += round(reply.after_s * 1000)
        looks += 1
        _, reply = talk(one, reply.follow(), twin)
    return looks, reply


def test_a_valve_is_confirmed_only_when_its_motor_has_got_there(one, meter, twin):
    looks, reply = act(one, meter, twin, "meter.close_valve")
    assert reply.values == {"valve": False} and reply.detail == {"acknowledged": True} and looks == 2
    assert not twin.valve_open
    assert act(one, meter, twin, "meter.open_valve")[1].values == {"valve": True}


def test_a_valve_that_stands_there_already_is_confirmed_at_the_first_look(one, meter, twin):
    assert act(one, meter, twin, "meter.open_valve")[0] == 1


def test_a_stuck_valve_is_told_with_where_it_stands(one, meter, twin):
    twin.stuck = True
    with pytest.raises(Refused, match="still open"):
        act(one, meter, twin, "meter.close_valve")


def test_an_order_whose_acknowledgement_is_lost_is_proven_by_reading(one, meter, twin):
    """And carried out once, since the repeat has the same frame count bit."""
    dialogue = one.command(meter, "meter.close_valve", {})
    ask = next(dialogue)
    ask = dialogue.send(one_frame(one, twin.answer(ask.frame)))
    twin.lose_next = True
    assert twin.answer(ask.frame) is None
    moved = twin._moved_ms
    twin.world.offset_ms += 500
    assert twin.answer(ask.frame) == b"\xe5" and twin._moved_ms == moved
    with pytest.raises(StopIteration) as end:
        dialogue.throw(NoAnswer("lost"))
    reply = end.value.value
    while reply.follow is not None:
        twin.world.offset_ms += 5000
        _, reply = talk(one, reply.follow(), twin)
    assert reply.values == {"valve": False} and reply.detail == {"acknowledged": False}


def one_frame(one, data):
    codec = one.codec()
    codec.receive(data)
    return codec.next_frame()


def test_a_setting_is_written_and_read_back(one, meter, twin):
    assert act(one, meter, twin, "meter.write", entity="due_setting", value="2026-12-31")[1].values == {
        "due_setting": "2026-12-31"
    }
    assert act(one, meter, twin, "meter.write", entity="limit", value="3.5")[1].values == {"limit": 350}


@pytest.mark.parametrize(
    ("entity", "value"), [("volume", "1"), ("nothing", "1"), ("due_setting", "tomorrow"), ("limit", "3.5555")]
)
def test_what_cannot_be_written_is_refused_before_anything_is_sent(one, meter, entity, value):
    with pytest.raises(BadInput):
        next(one.command(meter, "meter.write", {"entity": entity, "value": value}))


def test_a_refused_write_is_told_in_the_meters_words(one, meter, twin):
    twin.write = lambda data: 0x11
    with pytest.raises(Refused, match="access denied"):
        act(one, meter, twin, "meter.write", entity="limit", value="3")


def test_a_write_that_the_meter_ignores_is_not_confirmed(one, meter, twin):
    twin.write = lambda data: None
    with pytest.raises(Refused, match="still has"):
        act(one, meter, twin, "meter.write", entity="due_setting", value="2031-12-31")


def test_the_clock_is_set_in_the_meters_zone_and_compared(one, meter, twin):
    twin.values.set_clock(utc(0).replace(year=2020, tzinfo=None))
    reply = act(one, meter, twin, "meter.set_clock", how="write")[1]
    assert reply.detail["clock"][:16] == twin.values.now().isoformat()[:16]
    twin.write = lambda data: None
    twin.values.set_clock(utc(0).replace(year=2020, tzinfo=None))
    with pytest.raises(Refused, match="its clock says"):
        act(one, meter, twin, "meter.set_clock", how="write")


def test_the_time_for_everybody_gets_no_answer_and_is_compared_all_the_same(one, meter, twin):
    twin.values.set_clock(utc(0).replace(year=2020, tzinfo=None))
    assert "clock" in act(one, meter, twin, "meter.set_clock", how="broadcast")[1].detail


@pytest.mark.parametrize("address", ["7", "87654321", "87654321-KAM-02-06"])
def test_a_new_address_is_proven_by_an_answer_there(one, meter, twin, address):
    reply = act(one, meter, twin, "meter.set_address", address=address, alone=False)[1]
    assert reply.detail["address"] == address
    assert twin.primary == 7 or twin.secondary[:4].hex() == "21436587"


def test_a_new_address_at_which_nobody_answers_is_told(one, meter, twin):
    twin.write = lambda data: None
    with pytest.raises(Refused, match="nobody answers at 99"):
        act(one, meter, twin, "meter.set_address", address="99", alone=False)


@pytest.mark.parametrize("address", ["254", "1234567F", "12345678-KAM"])
def test_only_whole_addresses_are_given(one, meter, address):
    with pytest.raises(BadInput):
        next(one.command(meter, "meter.set_address", {"address": address, "alone": False}))


def test_a_new_speed_is_acknowledged_at_the_old_one(one, meter, twin):
    assert act(one, meter, twin, "meter.set_speed", speed=9600)[1].detail == {"speed": 9600}
    assert twin.only_at == 9600
    with pytest.raises(BadInput, match="no such speed"):
        next(one.command(meter, "meter.set_speed", {"speed": 1234}))


def test_any_record_can_be_written_by_its_head(one, meter, twin):
    reply = act(one, meter, twin, "meter.write_register", register="02FD17", value="3")[1]
    assert reply.detail == {"register": "02FD17", "sent_back": ["3"]}
    with pytest.raises(BadInput):
        next(one.command(meter, "meter.write_register", {"register": "xy", "value": "3"}))
