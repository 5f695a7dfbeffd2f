"""The envelopes: what goes to which node, and what comes back."""

from __future__ import annotations

import pytest

from meterhub.config.schema import check
from meterhub.errors import BadInput, ConfigError
from meterhub_mesh import prefix, routed
from meterhub_mesh.local_frame import LocalFrame, decode, encode

READ = bytes.fromhex("68 78 56 34 12 00 00 68 11 04 33 33 34 33 C6 16")
ANSWER = bytes.fromhex("68 78 56 34 12 00 00 68 91 08 33 33 34 33 89 67 45 33 B2 16")


def routed_envelope(**options):
    return routed.Routed(check(options, routed.SCHEMA))


def prefix_envelope(**options):
    return prefix.Prefix(check(options, prefix.SCHEMA))


def test_a_frame_goes_to_the_node_of_its_meter_without_wake_up_bytes():
    frame = decode(routed_envelope(medium="plc").wrap(b"\xfe" * 4 + READ, "000012345678"))
    assert (frame.control, frame.afn, frame.fn) == (0x41, 0x13, 1)
    assert (frame.source, frame.destination) == ("000000000001", "000012345678")
    assert frame.data == bytes([2, 0, 0, len(READ)]) + READ


def test_all_meters_of_a_line_may_hang_on_one_node():
    frame = decode(routed_envelope(node="77", frames="transparent").wrap(READ, "12345678901234"))
    assert frame.destination == "000000000077" and frame.data[0] == 0
    assert decode(routed_envelope().wrap(READ, "12345678901234")).destination == "345678901234"


def test_a_broadcast_goes_to_everybody():
    frame = decode(routed_envelope().wrap(READ, ""))
    assert (frame.afn, frame.fn, frame.data, frame.destination) == (5, 3, bytes([2, len(READ)]) + READ, "")


def test_answers_and_reports_are_unwrapped_in_any_segments_and_nothing_else_is():
    envelope = routed_envelope()
    answer = bytes.fromhex("6833008104000199000B78563412000001000000000013010002000214" + ANSWER.hex() + "E516")
    report = bytes.fromhex("683500C1040002770030785634120000010000000000060200070002010014" + ANSWER.hex() + "2316")
    silent = bytes.fromhex("681F008104000000000B78563412000001000000000013010000000200BB16")
    assert envelope.unwrap(answer) == ANSWER
    assert envelope.unwrap(report) == ANSWER
    assert envelope.unwrap(silent) == b""
    assert b"".join(envelope.unwrap(answer[at : at + 1]) for at in range(len(answer))) == ANSWER
    assert envelope.unwrap(encode(LocalFrame(0x4A, 0x13, 1, b"\0\0\2\4abcd"))) == b""
    envelope.unwrap(answer[:20])
    envelope.reset()
    assert envelope.unwrap(answer) == ANSWER


def test_a_frame_too_long_for_the_mesh_is_refused():
    with pytest.raises(BadInput, match="too long"):
        routed_envelope().wrap(b"\x68" * 256, "1")


@pytest.mark.parametrize(
    ("options", "before"),
    [
        ({"preset": "transparent"}, b""),
        ({"preset": "address2"}, bytes.fromhex("5678")),
        ({"preset": "address6"}, bytes.fromhex("785634120000")),
        ({"preset": "wake", "wake_count": 3}, b"\xfe" * 3),
        ({"preset": "address2", "low_first": True}, bytes.fromhex("7856")),
        ({"nodes": {"000012345678": "hex:0005"}}, b"\x00\x05"),
    ],
)
def test_simple_radios_get_what_they_want_in_front(options, before):
    envelope = prefix_envelope(**options)
    assert envelope.wrap(READ, "000012345678") == before + READ
    node = before.lstrip(b"\xfe")
    assert envelope.unwrap(node + ANSWER[:5]) + envelope.unwrap(ANSWER[5:]) == ANSWER


def test_simple_radios_have_an_address_of_everybody():
    assert prefix_envelope(preset="address2").wrap(READ, "") == b"\xff\xff" + READ


def test_a_node_that_cannot_be_told_is_said_so():
    with pytest.raises(BadInput, match="is not known"):
        prefix_envelope().wrap(READ, "meter-7")
    with pytest.raises(ConfigError):
        prefix_envelope(preset="addres2")
