"""The link layer of the simulated meter, by the rules that real ones keep."""

from __future__ import annotations

import pytest
from mbus_slaves import PlainSlave

from meterhub_mbus.frame import Frame, long_frame

E5 = b"\xe5"
SELECT = "68 0B 0B 68 53 FD 52 78 56 34 12 24 40 01 07 22 16"
WILD = "68 0B 0B 68 53 FD 52 FF FF FF 1F FF FF FF FF BA 16"
ENHANCED = "68 11 11 68 53 FD 52 78 56 34 12 24 40 01 07 0C 78 04 03 02 01 B0 16"


def say(slave: PlainSlave, frame: str | Frame) -> bytes | None:
    return slave.answer(Frame(bytes.fromhex(frame)) if isinstance(frame, str) else frame)


@pytest.fixture
def slave() -> PlainSlave:
    return PlainSlave("12345678-PAD-01-07#01020304", 1, "0C13 01000000 1F", "0C13 02000000")


def test_it_answers_a_reset_to_itself_and_to_anybody_but_not_to_everybody(slave):
    assert say(slave, "10 40 01 41 16") == say(slave, "10 40 FE 3E 16") == E5
    assert say(slave, "10 40 FF 3F 16") is None and say(slave, "10 40 02 42 16") is None
    assert say(slave, "10 40 FD 3D 16") is None, "it is not selected"


def test_an_unchanged_bit_brings_the_same_telegram_and_a_changed_one_the_next(slave):
    say(slave, "10 40 01 41 16")
    first = say(slave, "10 7B 01 7C 16")
    assert say(slave, "10 7B 01 7C 16") == first
    second = say(slave, "10 5B 01 5C 16")
    assert second is not None and second != first and b"\x02\x00\x00\x00" in second
    assert first[19:26] == say(slave, "10 7B 01 7C 16")[19:26], "after the last comes the first"


@pytest.mark.parametrize("frame", [SELECT, WILD, ENHANCED])
def test_it_is_selected_by_what_fits_and_unselected_by_what_does_not(slave, frame):
    assert say(slave, frame) == E5 and say(slave, "10 7B FD 78 16") is not None
    assert say(slave, long_frame(0x53, 253, 0x52, bytes.fromhex("79563412FFFFFFFF"))) is None
    assert say(slave, "10 7B FD 78 16") is None


def test_another_fabrication_number_does_not_select_it(slave):
    other = bytes.fromhex("78563412FFFFFFFF 0C78 05030201")
    assert say(slave, long_frame(0x53, 253, 0x52, other)) is None
    assert say(slave, long_frame(0x53, 253, 0x52, other[:-4] + b"\x04\x03\xff\x1f")) is None
    assert say(slave, long_frame(0x53, 253, 0x52, other[:-4] + b"\x04\x03\xff\xff")) == E5


def test_an_order_that_comes_twice_is_carried_out_once(slave):
    say(slave, "10 40 01 41 16")
    order = long_frame(0x73, 1, 0x51, b"\x01\x7a\x05")
    assert say(slave, order) == say(slave, order) == E5 and slave.written == [b"\x01\x7a\x05"]


def test_an_order_to_everybody_is_obeyed_in_silence(slave):
    assert say(slave, long_frame(0x53, 255, 0x51, b"\x01\x7a\x05")) is None and slave.written


def test_an_unknown_order_is_told_with_the_next_telegram(slave):
    assert say(slave, long_frame(0x53, 1, 0x99)) == E5
    assert say(slave, "10 7B 01 7C 16")[6:8] == b"\x70\x01"


@pytest.mark.parametrize(
    ("knob", "first", "second"),
    [
        ("silent", None, None),
        ("repeats_for_ever", b"\x01\x00\x00\x00\x1f", b"\x01\x00\x00\x00\x1f"),
        ("ignores_bit", b"\x01\x00\x00\x00\x1f", b"\x02\x00\x00\x00"),
    ],
)
def test_it_misbehaves_as_it_is_told(slave, knob, first, second):
    """Asked twice with the same bit (or, for one that repeats, with another)."""
    setattr(slave, knob, True)
    asked = ("10 7B 01 7C 16", "10 5B 01 5C 16" if knob == "repeats_for_ever" else "10 7B 01 7C 16")
    for frame, wanted in zip(asked, (first, second), strict=True):
        said = say(slave, frame)
        assert said is None if wanted is None else said[:-2].endswith(wanted)


def test_a_busy_one_says_so_and_a_wrong_address_or_checksum_is_seen(slave):
    slave.busy = True
    assert say(slave, "10 7B 01 7C 16")[4] & 0x10
    slave.wrong_address = True
    assert say(slave, "10 5B 01 5C 16")[5] == 2
    slave.spoil_next = True
    spoilt = say(slave, "10 7B 01 7C 16")
    assert sum(spoilt[4:-2]) & 0xFF != spoilt[-2]


def test_an_alarm_is_announced_and_asked_for_apart(slave):
    assert say(slave, "10 5A 01 5B 16") == E5
    slave.alarm = 0x08
    assert say(slave, "10 7B 01 7C 16")[4] & 0x20
    assert say(slave, "10 5A 01 5B 16")[6:8] == b"\x71\x08" and say(slave, "10 7A 01 7B 16") == E5


def test_a_new_speed_is_given_up_when_nothing_comes_there():
    class World:
        ms = 0

        def now_ms(self):
            return self.ms

    slave = PlainSlave("12345678", 1, world=World())
    assert slave.only_at == 0 and say(slave, "68 03 03 68 53 01 BD 11 16") == E5 and slave.only_at == 9600
    World.ms = 130_000
    assert slave.only_at == 0
    say(slave, "68 03 03 68 73 01 BD 31 16")
    say(slave, "10 5B 01 5C 16")
    World.ms = 900_000
    assert slave.only_at == 9600
