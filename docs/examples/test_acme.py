"""Tests of acme.py: what every protocol must keep, a dialogue without a wire, and a whole hub with its meters."""

from pathlib import Path

from acme import Acme

from meterhub.field.dialogue import rehearse
from meterhub.testing.conformance_protocol import ProtocolConformance, sample_meter

HERE = Path(__file__).parent
SITE = """
hub: {name: Acme Court, time_zone: Asia/Shanghai, language: en, currency: CNY}
plugins: {acme: , gprs: }
links: [{id: field, type: gprs, listen: "127.0.0.1:0"}]
collectors: [{id: c1, link: field, lines: [{id: c1-a, baud: 2400}]}]
meters:
  - {id: a-17, line: c1-a, profile: acme-t1, address: "17"}
  - {id: a-18, line: c1-a, profile: acme-t1, address: "18"}
schedules: [{id: sweep, every: 15m, action: meter.read, target: {all: meters}}]
"""


class TestAcme(ProtocolConformance):
    other_address = "18"

    def make_protocol(self):
        return Acme()

    def make_meter(self, protocol):
        return sample_meter(protocol, "17", {"energy": {"register": "energy"}})


def test_a_register_is_asked_by_name():
    meter = sample_meter(Acme(), "17", {"energy": {"register": "energy"}})
    asked, report = rehearse(Acme().read(meter, ["energy"]), [["17", "energy", "12345"]])
    assert asked == [["?17", "energy"]] and report.updated == [(0, 12345, "good")]


async def test_a_hub_reads_it_and_says_when_a_meter_is_silent(hub, sim, clock):
    home = await hub(SITE, plugins=[HERE / "acme.py"], profiles=[HERE / "acme-t1.yaml"])
    await clock.advance(16 * 60)
    assert home.estate.entity("a-17.energy_total").shown == "9.00"  # one unit a second since a quarter of an hour
    sim.silence("a-18")
    run = await home.act("meter.read", "a-18")
    assert run.state == "failed" and run.error["code"] == "no_answer"
    assert home.estate["a-18"].status == "no_answer" and home.estate["a-17"].status == "online"
