"""Both dialects of two-wire meters on one real connection, a valve, and a meter that nobody had configured."""

from __future__ import annotations

WATER = """\
hub: {{name: Test Court, time_zone: Asia/Shanghai, language: en, currency: CNY, data: ./data}}
web: {{listen: "127.0.0.1:{web}"}}
plugins: {{mbus: , gprs: }}
links:
  - {{id: field, type: gprs, listen: "127.0.0.1:{field}", heartbeat: {{every: 5s, packet: HB}}}}
collectors:
  - {{id: c1, link: field, registration: DTU00001, lines: [{{id: c1-a, baud: 9600}}]}}
  - {{id: c2, link: field, registration: DTU00002, lines: [{{id: c2-a, baud: 9600}}]}}
schedules:
  - {{id: sweep, every: 2s, action: meter.read, target: {{all: meters}}}}
meters:
  - {{id: w-1, line: c1-a, profile: mbus-water-valve, address: "26000001"}}
  - {{id: w-2, line: c1-a, profile: cjt188-water-valve, address: "20260100000002"}}
  - {{id: h-1, line: c1-a, profile: mbus-heat, address: "5"}}
"""
STRANGER = '  - {{id: s-1, line: c2-a, profile: mbus-water, address: "27000001-PAD-01-07"}}\n'


async def test_a_mixed_line_is_read_a_valve_moves_and_a_stranger_is_taken_in(house):
    ports = {"web": house.web, "field": house.field}
    house.file.write_text(WATER.format(**ports), encoding="utf-8")
    (house.folder / "wires.yaml").write_text((WATER + STRANGER).format(**ports), encoding="utf-8")
    await house.start("run", "-c", "site.yaml")
    await house.start("simulate", "-c", "wires.yaml")
    await house.until("/healthz", lambda answer: answer["status"] == "ok")
    await house.log_in()
    for meter in ("w-1", "w-2", "h-1"):
        await house.until(f"/api/v1/devices/{meter}", lambda one: one["status"] == "online")

    closing = await house.ask("/api/v1/actions/meter.close_valve?wait=60", {"target": "w-1", "key": "shut-1"})
    assert closing["state"] == "confirmed" and closing["result"]["read_back"] == {"valve": False}

    body = {"target": "c2", "key": "find-1", "params": {"protocol": "mbus"}}
    await house.ask("/api/v1/actions/collector.find_meters?wait=60", body)
    found = await house.until("/api/v1/collections/found-meters", lambda one: one["items"])
    row = found["items"][0]
    assert (row["address"], row["profile"], row["meter"]) == ("27000001-PAD-01-07", "mbus-water", "")
    values = {"id": "w-9", "line": row["line"], "address": row["address"], "profile": row["profile"]}
    assert (await house.ask("/api/v1/collections/meters", values))["id"] == "w-9"
    await house.until("/api/v1/devices/w-9", lambda one: one["status"] == "online")
    page = await house.until_page("/found-meters", lambda text: "27000001-PAD-01-07" in text)
    assert "w-9" in page
    form = await house.until_page("/meters/new?line=c1-a&address=7&profile=mbus-gas", lambda text: "mbus-gas" in text)
    assert 'value="c1-a"' in form
