"""More readings than can be stored, over real sockets: they come later, none is lost, and others are served."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp.test_utils import TestClient, TestServer

from meterhub.clock import Clock
from meterhub.config.site import load_site
from meterhub.field import flow
from meterhub.hub import Hub
from meterhub.store import recorder
from meterhub.testing.conformance_link import until
from meterhub.web.app import build_app

SITE = """
hub: {data: ./data, time_zone: UTC}
plugins: {dlt645: , gprs: }
links: [{id: field, type: gprs, listen: "127.0.0.1:0"}]
collectors:
  - {id: c1, link: field, registration: "c1;", lines: [{id: c1-a}]}
  - {id: c2, link: field, registration: "c2;", lines: [{id: c2-a}]}
  - {id: c3, link: field, registration: "c3;", lines: [{id: c3-a}]}
meters:
  - {id: m1, line: c1-a, profile: dlt645-2007-single-phase, address: "000000000001"}
  - {id: m2, line: c2-a, profile: dlt645-2007-single-phase, address: "000000000002"}
  - {id: m3, line: c3-a, profile: dlt645-2007-single-phase, address: "000000000003"}
"""
FRAMES = 8_000


def frame(meter: int, identifier: bytes, value: int) -> bytes:
    """An answer of one register that nobody has to have asked for; ``identifier`` as it stands on the wire."""
    data = bytes((one + 0x33) & 0xFF for one in identifier) + bytes.fromhex(f"{value:08d}")[::-1].translate(PLUS_33)
    body = b"\x68" + bytes.fromhex(f"{meter:012d}")[::-1] + b"\x68\x91" + bytes([len(data)]) + data
    return body + bytes([sum(body) & 0xFF, 0x16])


PLUS_33 = bytes((one + 0x33) & 0xFF for one in range(256))
ENERGY = bytes.fromhex("00000100")


@pytest.fixture
async def hub(tmp_path, monkeypatch):
    for name, value in (("BATCH_ROWS", 500), ("FULL_ROWS", 2_000), ("ROOM_ROWS", 500)):
        monkeypatch.setattr(recorder, name, value)
    file = tmp_path / "site.yaml"
    file.write_text(SITE, encoding="utf-8")
    hub = Hub(load_site(file), Clock())
    await hub.start()
    yield hub
    if not hub.flow.ending:
        await hub.stop()


async def pour(address, number: int) -> None:
    """All frames of one collector, as fast as they are taken."""
    _, writer = await asyncio.open_connection(*address)
    writer.write(b"c%d;" % number)
    for first in range(0, FRAMES, 100):
        writer.write(b"".join(frame(number, ENERGY, value) for value in range(first, first + 100)))
        await writer.drain()
    writer.close()


async def be_a_meter(address) -> None:
    """The collector of somebody who is asked, and answers."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"c3;")
    while True:
        asked = (await reader.readuntil(b"\x16")).lstrip(b"\xfe")
        identifier = bytes((one - 0x33) & 0xFF for one in asked[10:14])
        writer.write(frame(3, identifier, 4711))


@asynccontextmanager
async def pages(hub):
    """The hub's web server, and somebody on this machine who asks it."""
    async with TestClient(TestServer(build_app(hub.rooms()))) as client:

        async def get(path):
            answer = await client.get(path)
            return await (answer.json() if path == "/healthz" else answer.text())

        yield get


async def until_status(get, word: str) -> None:
    """``/healthz`` says so."""
    for _ in range(1000):
        if (await get("/healthz"))["status"] == word:
            return
        await asyncio.sleep(0.02)
    raise TimeoutError(word)


async def until_taken_in(get) -> None:
    """No byte waits any more, nor comes out of a socket that still held some."""
    for _ in range(1000):
        if figure(await get("/metrics"), "meterhub_field_waiting_bytes") == 0:
            return
        await asyncio.sleep(0.02)
    raise TimeoutError("bytes still wait")


def figure(text: str, name: str) -> float:
    """A figure of /metrics."""
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))


async def test_a_flood_that_lasts_is_told_over_http_until_it_is_over(hub, monkeypatch):
    monkeypatch.setattr(flow, "LATE_S", 0.05)
    monkeypatch.setattr(flow, "LASTING_S", 0.1)
    monkeypatch.setattr(flow, "CALM_S", 0.3)
    async with pages(hub) as get:
        assert (await get("/healthz"))["status"] == "ok"
        assert figure(await get("/metrics"), "meterhub_field_flooded") == 0
        hub.flow.set_gate(True)
        flood = asyncio.gather(*(pour(hub.field.links[0][0].address, number) for number in (1, 2)))
        await until(lambda: hub.flow.waiting == 2)
        await until_status(get, "flooded")
        text = await get("/metrics")
        assert figure(text, "meterhub_field_flooded") == 1 and figure(text, "meterhub_field_waiting") == 2
        assert (
            figure(text, "meterhub_field_waiting_bytes") > 0 and figure(text, "meterhub_field_held_seconds_total") > 0
        )
        assert figure(text, "meterhub_field_dropped_bytes_total") == 0
        hub.flow.set_gate(False)
        await flood
        await until(lambda: hub.flow.waiting == 0, 60)
        await until_status(get, "ok")
        await until_taken_in(get)
        hub.flow.dropped(7, "c1")
        hub.flow.lost(3, "field")
        text = await get("/metrics")
        assert figure(text, "meterhub_field_dropped_bytes_total") == 7
        assert figure(text, "meterhub_field_lost_datagrams_total") == 3


async def test_what_waits_when_the_hub_stops_is_stored(hub):
    hub.flow.set_gate(True)
    pouring = asyncio.create_task(pour(hub.field.links[0][0].address, 1))
    await until(lambda: hub.field.collectors["c1"].waiting_bytes)
    waits = hub.field.collectors["c1"].waiting_bytes
    stop = asyncio.create_task(hub.stop())
    await until(lambda: hub.flow.ending)
    hub.flow.set_gate(False)
    await stop
    assert hub.recorder.written >= waits // len(frame(1, ENERGY, 0)) - 1 and hub.flow.dropped_bytes < 100
    pouring.cancel()
    with suppress(asyncio.CancelledError, ConnectionError):
        await pouring


async def test_a_flood_loses_nothing_stays_within_bounds_and_leaves_others_served(hub):
    link = hub.field.links[0][0]
    meter = asyncio.create_task(be_a_meter(link.address))
    await until(lambda: hub.field.collectors["c3"].state == "online")
    most = 0

    def look(message=None):
        nonlocal most
        most = max(most, hub.recorder.queued)

    flood = asyncio.gather(*(pour(link.address, number) for number in (1, 2)))
    await until(lambda: hub.flow.shut_s > 0)
    poll = await hub.reader.read(hub.estate.get("m3"), ["energy_total"])
    assert poll.error is None and poll.updated, "somebody is asked and answers in the middle of it"
    assert hub.recorder.written < 2 * FRAMES, "the flood is not over yet"
    while not flood.done():
        look()
        await asyncio.sleep(0)
    await flood
    await until(lambda: hub.field.lines["c1-a"].figures.foreign + hub.field.lines["c2-a"].figures.foreign == 2 * FRAMES)
    await hub.recorder.flush()
    assert hub.recorder.written >= 2 * FRAMES and hub.recorder.lost == 0
    assert most <= 2_000 + 500, "what waits in memory has a bound"
    assert hub.flow.waiting == 0 and not hub.flow.shut
    meter.cancel()
    with suppress(asyncio.CancelledError):
        await meter
