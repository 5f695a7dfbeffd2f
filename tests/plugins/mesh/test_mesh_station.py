"""The station and the module: network map, missing nodes, what the module asks, answers that will not come."""

from __future__ import annotations

import pytest

from meterhub.config.schema import check
from meterhub.field.calls.sieve import Sieve
from meterhub.field.link import CollectorConfig
from meterhub.testing.conformance_link import RecordingUser
from meterhub_mesh import routed
from meterhub_mesh.local_frame import ADDRESSED, LocalFrame, Scanner, bcd, decode, encode
from meterhub_mesh.station import Station

NODE = "000012345678"
UP, STARTS = 0x8A, 0xCA


@pytest.fixture
def user():
    return RecordingUser("m1", None)


@pytest.fixture
def station(clock):
    return Station(clock, Sieve((b"HB",)), "wireless", ["000000000101", NODE], 600)


def sent(station):
    return [frame for frame, _ in Scanner().find(station.answers())]


def hear(station, user, frame):
    passed, beats = station.strip(encode(frame))
    station.tell(user)
    return passed, beats


def up(request, data, afn=None, fn=None):
    return LocalFrame(
        UP, request.afn if afn is None else afn, fn or request.fn, data, bytes(5) + bytes([request.sequence])
    )


def survey(station, clock, user, rows):
    """Answer the questions of a survey; ``rows`` are ``(address, info)``."""
    for _ in range(10):
        station.tick(clock.monotonic())
        for request in sent(station):
            if (request.afn, request.fn) == (0x10, 1):
                hear(station, user, up(request, len(rows).to_bytes(2, "little") + b"\0\4"))
            elif (request.afn, request.fn) == (0x10, 2):
                listed = b"".join(bcd(address) + info.to_bytes(2, "little") for address, info in rows)
                hear(station, user, up(request, len(rows).to_bytes(2, "little") + bytes([len(rows)]) + listed))
            elif request.afn in (0x11, 0x12):
                yield request
                hear(station, user, up(request, b"\xff\xff\xff\xff\0\0", 0, 1))
            else:
                hear(station, user, up(request, bytes(39)))


def test_the_map_is_learnt_and_missing_nodes_are_added_while_the_router_is_paused(station, clock, user):
    commands = list(survey(station, clock, user, [(NODE, 0x0293)]))
    assert [(one.afn, one.fn) for one in commands] == [(0x12, 2), (0x11, 1), (0x12, 3)]
    assert commands[1].data == b"\x01" + bcd("000000000101") + b"\x02"
    known, missing = user.nodes
    assert (known.address, known.online, known.hops, known.quality, known.phase) == (NODE, True, 3, 60, 2)
    assert (missing.address, missing.online) == ("000000000101", False)


def test_a_module_that_was_cut_off_while_paused_goes_on_after_the_next_connection(clock, user):
    """The connection broke between pause and resume, when the list was whole already."""
    whole = [(NODE, 0x0293), ("000000000101", 0x0293)]
    after = Station(clock, Sieve(()), "wireless", ["000000000101", NODE], 600)
    assert [(one.afn, one.fn) for one in survey(after, clock, user, whole)] == [(0x12, 3)]


async def test_a_module_that_did_not_hear_it_is_told_to_go_on_at_the_next_survey(station, clock, user):
    def deaf(rows):
        """A survey whose last word, to go on, the module does not hear."""
        said = []
        for command in survey(station, clock, user, rows):
            said.append((command.afn, command.fn))
            if said[-1] == (0x12, 3):
                return said
        return said

    whole = [(NODE, 0x0293), ("000000000101", 0x0293)]
    assert deaf(whole[:1]) == [(0x12, 2), (0x11, 1), (0x12, 3)]
    for _ in range(4):
        await clock.advance(7)
        station.tick(clock.monotonic())
    sent(station)
    await clock.advance(600)
    assert [(one.afn, one.fn) for one in survey(station, clock, user, whole)] == [(0x12, 3)]
    await clock.advance(600)
    assert [(one.afn, one.fn) for one in survey(station, clock, user, whole)] == []


def test_who_does_not_belong_there_is_taken_out_of_the_list_where_that_is_wanted(clock, user):
    rows = [(NODE, 0x71), ("000000000777", 0x52), ("000000000888", 0x52)]
    station = Station(clock, Sieve(()), "wireless", [NODE, "000000000101"], 600, prune=True)
    changes = list(survey(station, clock, user, rows))
    assert [(one.afn, one.fn) for one in changes] == [(0x12, 2), (0x11, 2), (0x11, 1), (0x12, 3)]
    assert changes[1].data == b"\x02" + bcd("000000000777") + bcd("000000000888")
    assert changes[2].data == b"\x01" + bcd("000000000101") + b"\x02"
    assert {one.address for one in user.nodes if one.online is False} >= {"000000000777", "000000000888"}
    kept = Station(clock, Sieve(()), "wireless", [], 600, prune=True)
    assert list(survey(kept, clock, user, rows)) == [], "without nodes nobody belongs there"


def test_nothing_is_added_where_nobody_is_missing(clock, user):
    station = Station(clock, Sieve(()), "wireless", [], 600)
    assert list(survey(station, clock, user, [(NODE, 0x0093)])) == []
    station.tick(clock.monotonic() + 1)
    assert sent(station) == []
    station.tick(clock.monotonic() + 601)
    assert [(one.afn, one.fn) for one in sent(station)] == [(3, 10)]


def test_a_module_that_does_not_answer_is_asked_three_times_and_then_left_alone(station, clock):
    asked = []
    for second in range(60):
        station.tick(clock.monotonic() + second)
        asked += [(one.afn, one.fn) for one in sent(station)]
    assert asked == [(3, 10)] * 3 + [(0x10, 1)] * 3


async def test_the_station_is_silent_while_a_meters_frame_is_under_way(station, clock, user):
    envelope = routed.Routed(check({}, routed.SCHEMA))
    request = decode(station.dress(envelope.wrap(b"\x68abc\x16", NODE)))
    station.tick(clock.monotonic())
    assert sent(station) == []
    answer = LocalFrame(
        UP, 0x13, 1, b"\x02\x00\x02\x03xyz", bytes([ADDRESSED, 0, 2, 0xC9, 0, request.sequence]), NODE, request.source
    )
    passed, beats = hear(station, user, answer)
    assert envelope.unwrap(passed) == b"xyz" and beats == 1
    (node,) = user.nodes
    assert (node.address, node.online, node.quality, node.phase) == (NODE, True, 80, 2)
    station.tick(clock.monotonic())
    assert sent(station)


@pytest.mark.parametrize(
    ("afn", "fn", "data", "why"),
    [
        (0x13, 1, b"\x00\x00\x02\x00", "the node says that its meter does not answer"),
        (0x00, 2, b"\x0c", "the node is not in the network"),
        (0x00, 2, b"\x09", "the mesh is busy"),
        (0x00, 2, b"\xc8", "the mesh refused with code 200"),
    ],
)
def test_an_answer_that_will_not_come_is_said_so_at_once(station, user, afn, fn, data, why):
    request = decode(station.dress(routed.Routed(check({}, routed.SCHEMA)).wrap(b"\x68abc\x16", NODE)))
    other = LocalFrame(UP, afn, fn, data, bytes(5) + bytes([request.sequence ^ 1]))
    assert hear(station, user, other)[0] == b"" and user.given_up == []
    hear(station, user, up(request, data, afn, fn))
    assert user.given_up == [why]


def test_whatever_the_module_begins_gets_an_answer_with_its_number(station, user):
    route = bytes([ADDRESSED, 0, 0, 0, 0, 0x31])
    joined = LocalFrame(STARTS, 0x06, 1, b"\x01" + bcd(NODE) + b"\x02\x07\x00", route, NODE, "000000000001")
    assert hear(station, user, joined) == (b"", 1)
    (receipt,) = sent(station)
    assert (receipt.control, receipt.afn, receipt.fn, receipt.sequence) == (0x0A, 0, 1, 0x31)
    assert receipt.destination == NODE and user.nodes[-1].online is True
    hear(station, user, LocalFrame(STARTS, 0x14, 1, b"\x01" + bcd(NODE) + b"\x07\x00", route, NODE, "000000000001"))
    (go_on,) = sent(station)
    assert (go_on.afn, go_on.fn, go_on.data[0]) == (0x14, 1, 1)
    hear(station, user, LocalFrame(STARTS, 0x14, 2, b"", route, NODE, "000000000001"))
    (clock_answer,) = sent(station)
    assert len(clock_answer.data) == 6 and clock_answer.data.hex().isdecimal()


def test_what_a_node_says_by_itself_reaches_the_line(station, user):
    report = LocalFrame(STARTS, 0x06, 2, b"\x07\x00\x02\x01\x00\x03xyz", bytes(5) + b"\x30", NODE, "000000000001")
    report = LocalFrame(**{**{name: getattr(report, name) for name in report.__slots__}, "route": b"\x04\0\0\0\0\x30"})
    passed, _ = hear(station, user, report)
    assert routed.Routed(check({}, routed.SCHEMA)).unwrap(passed) == b"xyz"
    assert sent(station)[0].afn == 0


def test_a_module_that_began_anew_is_asked_for_its_list_again(station, clock, user):
    list(survey(station, clock, user, [(NODE, 0x0093)]))
    hear(station, user, LocalFrame(STARTS, 0x03, 10, bytes(39), bytes(5) + b"\x01"))
    assert sent(station)[0].afn == 0
    station.tick(clock.monotonic() + 1)
    assert [(one.afn, one.fn) for one in sent(station)] == [(3, 10)]


def test_heartbeats_of_the_terminal_are_signs_of_life(station):
    assert station.strip(b"HB") == (b"", 1)
    assert CollectorConfig("m1").id == "m1"
