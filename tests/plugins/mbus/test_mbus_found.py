"""From a line nobody knows to meters in the estate: found in the background, taken in, there again after a restart."""

from __future__ import annotations

import pytest
import pytest_asyncio
from mbus_slaves import PlainSlave, crowd

from meterhub.actions import System
from meterhub.collections import Query
from meterhub.errors import BadInput, Conflict

SITE = """\
hub: {name: Test, time_zone: Asia/Shanghai, data: ./data}
plugins: {mbus: , gprs: }
links: [{id: field, type: gprs, listen: "127.0.0.1:0"}]
collectors: [{id: c1, link: field, registration: "DTU1", lines: [{id: c1-a, baud: 9600, parity: even}]}]
meters:
  - {id: h-1, line: c1-a, profile: mbus-heat, address: "12345679-MHB-01-04"}
"""
FIND = {"line": "c1-a", "protocol": "mbus"}


@pytest_asyncio.fixture
async def home(hub, sim):
    """A hub with one known meter, and three on the wire that nobody has configured."""
    one = await hub(SITE)
    protocol = one.reader.protocols["mbus"]
    for number, address in enumerate(("12345678-PAD-01-07", "20000001-ELS-0A-07", "20000001-KAM-0A-04")):
        slave = PlainSlave(address, 100 + number, f"0C13 {number:02d}000000", world=sim.world)
        sim.wires["c1-a"].add(protocol, slave)
    return one


async def rows(home, name, **filters):
    return (await home.collections[name].source.page(Query(System(), limit=100))).rows


async def searched(home, clock, minutes=60):
    for _ in range(minutes):
        await clock.advance(60)
        (search,) = await rows(home, "searches")
        if search["state"] != "searching":
            break
    return search


async def test_a_line_is_searched_in_the_background_and_progress_is_shown(home, clock):
    run = await home.act("collector.find_meters", "c1", FIND)
    assert run.result["searching"] == ["c1-a-mbus"] and str(run.state) == "confirmed"
    await clock.advance(20)
    (search,) = await rows(home, "searches")
    assert search["state"] == "searching" and 0 < search["percent"] < 100 and search["asked"] > 5
    search = await searched(home, clock)
    assert search["state"] == "done" and search["percent"] == 100 and search["found"] == 4
    found = {row["address"]: row for row in await rows(home, "found-meters")}
    assert found["12345679-MHB-01-04"]["meter"] == "h-1"
    assert found["20000001-ELS-0A-07"]["profile"] == "elster-falcon-mbus" and not found["20000001-ELS-0A-07"]["meter"]


async def test_a_meter_that_is_configured_by_its_number_alone_is_known_again(hub, clock):
    home = await hub(SITE.replace('"12345679-MHB-01-04"', '"12345679"'))
    await home.act("collector.find_meters", "c1", FIND)
    await searched(home, clock)
    assert [row["meter"] for row in await rows(home, "found-meters")] == ["h-1"]


async def test_a_meter_that_is_configured_by_its_primary_address_is_known_again(hub, clock):
    home = await hub(SITE.replace('"12345679-MHB-01-04"', '"7"'))
    await home.act("collector.find_meters", "c1", FIND)
    await searched(home, clock)
    (row,) = await rows(home, "found-meters")
    assert row["meter"] == "h-1" and row["address"].endswith("-MHB-01-04")


async def test_a_whole_line_of_250_with_numbers_used_twice_is_found_on_the_wire(hub, sim, clock):
    one = await hub(SITE.split("meters:")[0])
    protocol, slaves = one.reader.protocols["mbus"], crowd(250)
    for slave in slaves:
        slave.world = sim.world
        sim.wires["c1-a"].add(protocol, slave)
    await one.act("collector.find_meters", "c1", FIND)
    search = await searched(one, clock, minutes=600)
    assert (search["state"], search["found"], search["unresolved"]) == ("done", 250, "")
    assert sim.wires["c1-a"].collisions > 250


async def test_a_search_lets_everything_else_go_first(home, clock):
    await home.act("collector.find_meters", "c1", FIND)
    await clock.advance(3)
    began = clock.monotonic()
    assert (await home.act("meter.read", "h-1")).result["values"]
    assert clock.monotonic() - began < 3, "it waited for one exchange, not for the search"


async def test_a_search_is_stopped_and_goes_on_where_it_was(home, clock):
    await home.act("collector.find_meters", "c1", FIND)
    await clock.advance(20)
    assert (await home.act("collector.stop_search", "c1")).result["stopped"] == ["c1-a-mbus"]
    (search,) = await rows(home, "searches")
    assert search["state"] == "stopped"
    await clock.advance(60)
    assert (await rows(home, "searches"))[0]["asked"] - search["asked"] <= 1
    await home.act("collector.find_meters", "c1", FIND)
    assert (await rows(home, "searches"))[0]["asked"] >= search["asked"]
    assert (await searched(home, clock))["found"] == 4


async def test_a_search_waits_for_a_collector_that_went_away(home, sim, clock):
    await home.act("collector.find_meters", "c1", FIND)
    await clock.advance(10)
    sim.hang_up("c1")
    await clock.advance(1)
    assert (await rows(home, "searches"))[0]["state"] == "waiting"
    sim.dial_in("c1")
    assert (await searched(home, clock))["found"] == 4


async def test_a_found_meter_is_taken_in_and_answers_at_once_and_after_a_restart(home, hub, clock):
    await home.act("collector.find_meters", "c1", FIND)
    await searched(home, clock)
    meters, found = home.collections["meters"], home.collections["found-meters"]
    row = next(one for one in await rows(home, "found-meters") if one["address"] == "20000001-ELS-0A-07")
    assert found.row_link(row) == (
        "/meters/new?id=m-c1-a-20000001-els-0a-07&line=c1-a&address=20000001-ELS-0A-07&profile=elster-falcon-mbus"
    )
    await meters.source.create(
        System(), {"id": "w-9", "line": "c1-a", "address": row["address"], "profile": row["profile"]}
    )
    assert (await home.act("meter.read", "w-9")).result["values"]["volume"] == "0.001"
    row = next(one for one in await rows(home, "found-meters") if one["address"] == "20000001-ELS-0A-07")
    assert row["meter"] == "w-9" and found.row_link(row) == "/devices/w-9"
    await home.stop()
    again = await hub(SITE)
    device = again.estate["w-9"]
    assert device.origin == "database" and device.entity("volume").shown == "0.001"
    run = await again.act("meter.remove", "w-9")
    assert str(run.state) == "confirmed" and "w-9" not in again.estate
    assert not [one for one in again.actions.offered(again.estate["h-1"], System()) if one.name == "meter.remove"]


async def test_a_meter_whose_line_has_gone_is_shown_with_what_is_wrong(home, hub):
    values = {"id": "w-9", "line": "c1-a", "address": "7", "profile": "mbus-water"}
    await home.collections["meters"].source.create(System(), values)
    await home.stop()
    again = await hub(SITE.replace("id: c1-a", "id: c1-b").replace("line: c1-a", "line: c1-b"))
    device = again.estate["w-9"]
    assert str(device.status) == "config_error" and "c1-a" in device.detail
    assert (await again.act("meter.read", "h-1")).result["values"]
    assert str((await again.act("meter.remove", "w-9")).state) == "confirmed"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"id": "h-1"}, Conflict),
        ({"id": "Not An Id"}, BadInput),
        ({"line": "nowhere"}, BadInput),
        ({"profile": "nothing"}, BadInput),
        ({"address": "seven"}, BadInput),
    ],
)
async def test_what_does_not_fit_is_not_taken_in(home, change, error):
    values = {"id": "w-9", "line": "c1-a", "address": "7", "profile": "mbus-water"} | change
    with pytest.raises(error):
        await home.collections["meters"].source.create(System(), values)
    assert len([one for one in home.estate.values() if one.kind == "meter"]) == 1


async def test_a_meter_of_the_site_file_is_not_taken_out_on_a_page(home):
    with pytest.raises(BadInput, match="is set up in"):
        await home.collections["meters"].source.delete(System(), "h-1")


async def test_a_meter_of_the_book_is_changed_and_keeps_its_history(home):
    meters, user = home.collections["meters"].source, System()
    await meters.create(user, {"id": "w-9", "line": "c1-a", "address": "7", "profile": "mbus-water"})
    entity = home.estate["w-9"].entities[0]
    home.estate.set(entity, 12)
    before = await home.store.series([entity.id])
    row = await meters.update(user, "w-9", {"name": "Kitchen", "place": "Block A / 2"})
    assert (row["name"], row["place"], row["profile"]) == ("Kitchen", "Block A / 2", "mbus-water")
    changed = home.estate["w-9"].entities[0]
    assert changed.state.value == 12 and changed.series == entity.series == before[entity.id]
    row = await meters.update(user, "w-9", {"profile": "mbus-gas", "address": "8"})
    assert (row["profile"], row["address"]) == ("mbus-gas", "8")
    for wrong, where in (({"id": "w-10"}, "id"), ({"line": "nowhere"}, "line"), ({"profile": "x"}, "profile")):
        with pytest.raises(BadInput) as error:
            await meters.update(user, "w-9", wrong)
        assert error.value.where == where
    with pytest.raises(BadInput, match="is set up in"):
        await meters.update(user, "h-1", {"name": "Mine"})
    rows = await home.store.query("select action, before_json, after_json from audit where action = 'meter.change'")
    assert len(rows) == 2 and "Kitchen" in rows[0]["after_json"] and "mbus-water" in rows[1]["before_json"]
    await meters.update(user, "w-9", {"name": "Kitchen"})
    assert len(await home.store.query("select 1 from audit where action = 'meter.change'")) == 2
