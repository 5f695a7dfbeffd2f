"""More readings than can be stored, over real sockets: they come later, none is lost, and others are served."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from meterhub.clock import Clock
from meterhub.config.site import load_site
from meterhub.hub import Hub
from meterhub.store import recorder
from meterhub.testing.conformance_link import until

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
