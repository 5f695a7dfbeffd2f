"""Devices, entities and readings over HTTP: what is shown, to whom, and in which form."""

from __future__ import annotations

import json

import pytest

from meterhub.clock import iso


async def test_a_device_has_its_entities_with_exact_values_quality_and_age(house, api):
    status, device = await api("vera", "GET", "/api/v1/devices/a-1")
    assert status == 200
    assert (device["name"], device["place"], device["status"]) == ("表 1", ["Block A", "1"], "online")
    energy = device["entities"][0]
    assert (energy["id"], energy["v"], energy["q"], energy["unit"]) == ("a-1.energy_total", "10.01", "good", "kWh")
    assert energy["t"] == iso(house.estate.entity("a-1.energy_total").state.measured_ms)
    relay = device["entities"][1]
    assert (relay["v"], relay["t"]) == (None, None)


async def test_an_entity_shows_the_newest_state_and_never_a_secret(house, api):
    entity = house.estate.entity("a-1.energy_total")
    house.estate.set(entity, 123456789)
    assert (await api("vera", "GET", "/api/v1/entities/a-1.energy_total"))[1]["v"] == "1234567.89"
    house.estate.set(entity, None)
    assert (await api("vera", "GET", "/api/v1/entities/a-1.energy_total"))[1]["v"] is None
    house.estate.set(house.estate.entity("a-1.pin"), "4711")
    status, pin = await api("olga", "GET", "/api/v1/entities/a-1.pin")
    assert status == 200 and pin["v"] is None and pin["secret"]


async def test_an_entity_with_a_permission_of_its_own_is_hidden_from_others(api):
    keys = [one["key"] for one in (await api("vera", "GET", "/api/v1/devices/a-1"))[1]["entities"]]
    assert keys == ["energy_total", "relay", "pin"]
    assert (await api("vera", "GET", "/api/v1/entities/a-1.tamper"))[0] == 404
    assert (await api("olga", "GET", "/api/v1/entities/a-1.tamper"))[0] == 200


async def test_the_list_pages_by_an_opaque_cursor_and_says_the_total(api):
    seen, cursor = [], None
    while True:
        path = "/api/v1/devices?limit=1" + (f"&cursor={cursor}" if cursor else "")
        _, page = await api("vera", "GET", path)
        assert page["total"] == 4
        seen += [one["id"] for one in page["items"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == ["a-1", "a-3", "b-2", "c1"]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("kind=meter", ["a-1", "a-3", "b-2"]),
        ("q=block+b", ["b-2"]),
        ("q=表+3", ["a-3"]),
        ("q=000000000003", ["a-3"]),
        ("status=never_seen", ["c1"]),
        ("site=other", []),
        ("kind=meter&status=online&q=block+a+/+3", ["a-3"]),
    ],
)
async def test_the_list_is_filtered(api, query, ids):
    status, page = await api("vera", "GET", f"/api/v1/devices?{query}")
    assert status == 200 and [one["id"] for one in page["items"]] == ids and page["total"] == len(ids)


async def test_each_sees_the_devices_of_the_own_part_of_the_tree_and_no_others(house, api):
    assert [one["id"] for one in (await api("ben", "GET", "/api/v1/devices"))[1]["items"]] == ["b-2"]
    assert (await api("ben", "GET", "/api/v1/devices/a-1"))[0] == 404
    assert (await api("otto", "GET", "/api/v1/devices"))[1] == {"items": [], "total": 0, "cursor": None}
    for path in (
        "/api/v1/devices/a-1",
        "/api/v1/entities/a-1.energy_total",
        "/api/v1/readings?entity=a-1.energy_total",
    ):
        status, body = await api("otto", "GET", path)
        assert status == 404 and body["error"]["code"] == "not_found"


async def test_what_a_change_of_rights_or_of_the_estate_means_for_the_list_counts_at_once(house, api):
    from meterhub.actions import System

    assert (await api("ben", "GET", "/api/v1/devices"))[1]["total"] == 1
    await house.people.users.set_roles("ben", [("viewer", "")], by=System())
    assert (await api("ben", "GET", "/api/v1/devices"))[1]["total"] == 4
    house.estate.remove("a-1")
    assert (await api("ben", "GET", "/api/v1/devices"))[1]["total"] == 3
    await house.people.users.disable("ben", by=System())
    assert (await api("ben", "GET", "/api/v1/devices"))[0] == 401


async def test_an_unknown_parameter_is_an_error_that_names_the_near_miss(api):
    status, body = await api("vera", "GET", "/api/v1/devices?knd=meter")
    assert status == 400
    assert body["error"]["code"] == "bad_input" and body["error"]["hint"] == "did you mean kind?"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=-5", "cursor=%%%", "cursor=é", "status=sad", "q=" + "x" * 300]
)
async def test_bad_parameters_are_the_callers_mistake(api, query):
    status, body = await api("vera", "GET", f"/api/v1/devices?{query}")
    assert status == 400 and body["error"]["message"]


@pytest.fixture
async def history(house):
    """A reading each hour on 2026-03-01 of Shanghai, the one of 05:00 missing, one without a value."""
    start = 1_772_294_400_000
    series = await house.store.series(["a-1.energy_total", "a-1.relay"])
    rows = [(series["a-1.energy_total"], start + hour * 3_600_000, 100 * hour, 0) for hour in range(24) if hour != 5]
    rows.append((series["a-1.energy_total"], start + 1_800_000, None, 2))
    rows.append((series["a-1.relay"], start, True, 0))
    await house.store.record(rows)
    return start


async def test_a_word_that_is_no_choice_is_told_the_choices(api):
    _, error = await api("vera", "GET", "/api/v1/devices?kind=house")
    assert error["error"]["message"] == "'house' is none of: collector, meter"


async def test_raw_readings_are_decimal_strings_and_gaps_stay_gaps(history, api):
    status, body = await api(
        "vera", "GET", "/api/v1/readings?entity=a-1.energy_total&from=2026-03-01T00:00:00%2B08:00&to=2026-03-02"
    )
    assert status == 200 and (body["unit"], body["more"]) == ("kWh", False)
    assert body["points"][:3] == [
        {"t": iso(history), "v": "0.00", "q": "good"},
        {"t": iso(history + 1_800_000), "v": None, "q": "invalid"},
        {"t": iso(history + 3_600_000), "v": "1.00", "q": "good"},
    ]
    assert iso(history + 5 * 3_600_000) not in [one["t"] for one in body["points"]]


async def test_days_are_those_of_the_sites_time(history, api):
    _, body = await api(
        "vera", "GET", f"/api/v1/readings?entity=a-1.energy_total&step=day&from={history}&to={history + 86_400_000}"
    )
    [day] = body["points"]
    assert (day["t"], day["first"], day["last"], day["consumption"]) == (iso(history), "0.00", "23.00", "23.00")


async def test_a_switch_has_booleans_in_its_history(history, api):
    _, body = await api("vera", "GET", f"/api/v1/readings?entity=a-1.relay&from={history}&to=2026-03-02")
    assert [one["v"] for one in body["points"]] == [True]


async def test_the_last_day_is_shown_when_no_time_is_given(house, api):
    series = await house.store.series(["a-1.energy_total"])
    now = house.clock.now()
    await house.store.record([(series["a-1.energy_total"], now - age, 5, 0) for age in (1_000, 90_000_000)])
    assert len((await api("vera", "GET", "/api/v1/readings?entity=a-1.energy_total"))[1]["points"]) == 1


async def test_more_points_than_bearable_are_cut_with_a_hint_how_to_go_on(house, api):
    series = await house.store.series(["a-1.energy_total"])
    start = 1_772_294_400_000
    await house.store.record([(series["a-1.energy_total"], start + place * 1000, place, 0) for place in range(5_001)])
    _, body = await api("vera", "GET", f"/api/v1/readings?entity=a-1.energy_total&from={start}&to=2026-03-02")
    assert len(body["points"]) == 5_000 and body["more"] and body["next_from"] == iso(start + 5_000_000)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "entity=a-1.energy_total&from=yesterday",
        "entity=a-1.energy_total&from=2026-03-02&to=2026-03-01",
        "entity=a-1.energy_total&step=week",
        "entity=a-1.energy_total&from=99999999999999999999",
        "entity=a-1.energy_total&from=0001-01-01",
        "entity=a-1.pin",
        "entitiy=a-1.energy_total",
    ],
)
async def test_bad_questions_about_history_are_the_callers_mistake(api, query):
    status, body = await api("olga", "GET", f"/api/v1/readings?{query}")
    assert status == 400, json.dumps(body)
