"""The lora_wifi link: conformance, and meters behind a converter and a radio cell."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace

from meterhub.config.schema import check
from meterhub.field.link import CollectorConfig
from meterhub.testing.conformance_link import FarEnd, LinkConformance, until
from meterhub_lora_wifi import open_gateway
from meterhub_lora_wifi.gateway import COLLECTOR_SCHEMA, LINK_SCHEMA


class Converter(FarEnd):
    """A WiFi converter: a plain socket."""

    def __init__(self, reader, writer):
        super().__init__()
        self.reader, self.writer = reader, writer
        self._task = asyncio.create_task(self._read())

    async def _read(self):
        with contextlib.suppress(ConnectionError):
            while data := await self.reader.read(65536):
                self.data += data

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def hang_up(self):
        self.writer.close()

    def stop_reading(self):
        self._task.cancel()
        self.writer.transport.pause_reading()


class TestLoraConformance(LinkConformance):
    collector = CollectorConfig("g1", check({"registration": "WIFI0001"}, COLLECTOR_SCHEMA))

    def make_link(self, clock):
        config = check({"listen": "127.0.0.1:0", "region": "none", "air_rate": 300_000}, LINK_SCHEMA)
        return open_gateway(SimpleNamespace(clock=clock), config)

    async def make_far_end(self, link):
        far = Converter(*await asyncio.open_connection(*link.address))
        await far.send(b"WIFI0001")
        return far


SITE = """
hub: {{data: ./data}}
plugins: {{dlt645: , lora_wifi: }}
links:
  - {{id: cells, type: lora_wifi, listen: "127.0.0.1:{port}", rssi: true, heartbeat: {{every: 5s, packet: "PING"}}}}
collectors:
  - id: g1
    link: cells
    registration: "WIFI0001"
    lines: [{{id: g1-a, envelope: {{type: lora_fixed, channel: 18, nodes: {{"000000000101": "0005"}}}}}}]
  - {{id: g2, link: cells, connect: "127.0.0.1:{other}", lines: [{{id: g2-a, envelope: none}}]}}
meters:
  - {{id: a-101, line: g1-a, profile: dlt645-2007-single-phase, address: "000000000101"}}
  - {{id: a-102, line: g2-a, profile: dlt645-2007-single-phase, address: "000000000102"}}
"""


async def test_meters_are_read_behind_converters_that_call_and_that_are_called(
    live_site, free_port, other_port, monkeypatch
):
    monkeypatch.setattr("meterhub.field.calls.dialler.FIRST_RETRY_S", 0.05)
    live = await live_site(SITE.format(port=free_port, other=other_port), speed=20)
    collectors = live.hub.field.collectors
    await until(lambda: all(one.state == "online" for one in collectors.values()))
    runs = [await live.act("meter.read", one) for one in ("a-101", "a-102")]
    assert [run.state for run in runs] == ["confirmed", "confirmed"], [run.error for run in runs]
    sent = [one.data for one in live.hub.field.lines["g1-a"].trace.entries() if one.direction == "sent"]
    assert sent and all(data[:3] == b"\x00\x05\x12" for data in sent)
    await until(lambda: collectors["g1"].signal_dbm)
