"""The server's side of RFC 2217 against vectors, and a meter read through it by the real client."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhub.testing.conformance_link import until
from meterhub_serial.telnet import BAUD, DATA_BITS, STOP, ComPortServer, doubled


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ("FFFB2C", "FFFD2C"),
        ("FFFD00", "FFFB00"),
        ("FFFD18", "FFFC18"),
        ("FFFA2C0100000960FFF0", "FFFA2C6500000960FFF0"),
        ("FFFA2C0208FFF0", "FFFA2C6608FFF0"),
        ("FFFA2C0BFFFFFFF0", "FFFA2C6FFFFFFFF0"),
        ("FFFA2C0C03FFF0", "FFFA2C7003FFF0"),
    ],
)
def test_what_a_client_wants_is_answered(sent, answered):
    server = ComPortServer()
    assert b"".join(server.receive(bytes([byte])) for byte in bytes.fromhex(sent)) == b""
    assert server.answers.hex().upper() == answered


def test_settings_are_kept_and_told_when_asked():
    server = ComPortServer()
    server.receive(bytes.fromhex("FFFA2C0100000960FFF0 FFFA2C0208FFF0 FFFA2C0401FFF0"))
    assert server.settings == {BAUD: 2400, DATA_BITS: 8, STOP: 1}
    server.answers.clear()
    server.receive(bytes.fromhex("FFFA2C0100000000FFF0"))
    assert server.answers.hex().upper() == "FFFA2C6500000960FFF0"


@given(st.binary(max_size=200), st.integers(0, 200))
def test_data_pass_unchanged_however_they_are_cut(data, place):
    server, sent = ComPortServer(), doubled(data)
    assert server.receive(sent[:place]) + server.receive(sent[place:]) == data


@given(st.binary(max_size=300))
def test_anything_does_no_harm(data):
    server = ComPortServer()
    server.receive(data)
    assert len(server._state) <= 70


SITE = """
hub: {{data: ./data}}
plugins: {{dlt645: , serial: }}
links:
  - {{id: cellar, type: serial, port: "{scheme}://127.0.0.1:{port}", latency_max: 1s, lines: [{{id: cellar-a}}]}}
meters:
  - {{id: a-101, line: cellar-a, profile: dlt645-2007-single-phase, address: "000000000101"}}
"""


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
async def test_a_meter_is_read_through_a_serial_server(live_site, free_port, scheme):
    live = await live_site(SITE.format(scheme=scheme, port=free_port), speed=20)
    await until(lambda: live.hub.field.collectors["cellar"].state == "online", 20)
    run = await live.act("meter.read", "a-101")
    assert run.state == "confirmed", run.error


TWO_PORTS = """
hub: {{data: ./data}}
plugins: {{dlt645: , serial: }}
links:
  - id: box
    type: serial
    port: "rfc2217://127.0.0.1:{{channel}}"
    latency_max: 1s
    lines: [{{id: box-a, channel: "{first}"}}, {{id: box-b, channel: "{second}", baud: 1200}}]
meters:
  - {{id: a-101, line: box-a, profile: dlt645-2007-single-phase, address: "000000000101"}}
  - {{id: b-101, line: box-b, profile: dlt645-1997-single-phase, address: "000000000101"}}
"""


async def test_a_serial_server_with_two_ports_has_a_wire_behind_each(live_site):
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = one.getsockname()[1], other.getsockname()[1]
    live = await live_site(TWO_PORTS.format(first=ports[0], second=ports[1]), speed=20)
    box = live.hub.field.collectors["box"]
    await until(lambda: all(line.connected for line in box.lines), 20)
    for meter in ("a-101", "b-101"):
        run = await live.act("meter.read", meter)
        assert run.state == "confirmed", run.error
    assert [session.channel.peer for session in box.sessions] == [f"rfc2217://127.0.0.1:{port}" for port in ports]
