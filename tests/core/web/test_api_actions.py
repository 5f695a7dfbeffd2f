"""Actions over HTTP: started once, waited for if wanted, and refused in words."""

from __future__ import annotations

import asyncio

import pytest

OPEN = "/api/v1/actions/meter.open_circuit"


async def test_an_action_is_accepted_and_can_be_looked_at_until_it_is_confirmed(house, api):
    house.gate.clear()
    status, run = await api("mia", "POST", OPEN, json={"target": "a-1"})
    assert status == 202 and run["state"] in ("queued", "sent") and run["result"] is None
    path = f"/api/v1/actions/{run['id']}"
    assert (await api("mia", "GET", path))[1]["state"] == "sent"
    house.gate.set()
    await (await house.actions.find(run["id"])).done
    status, run = await api("mia", "GET", path)
    assert (status, run["state"], run["result"]) == (200, "confirmed", {"read_back": {"relay": True}})
    assert run["cause"] == run["actor"] == "user:mia"


async def test_waiting_gives_the_result_in_the_same_answer(api):
    status, run = await api("mia", "POST", OPEN + "?wait=10", json={"target": "a-1", "reason": "arrears"})
    assert (status, run["state"], run["reason"]) == (200, "confirmed", "arrears")


async def test_when_the_time_to_wait_is_over_the_run_goes_on(house, api):
    house.gate.clear()
    status, run = await api("mia", "POST", OPEN + "?wait=0.01", json={"target": "a-1"})
    assert (status, run["state"]) == (202, "sent")


async def test_a_refusal_of_the_meter_is_a_failed_run_with_why_and_what_next(api):
    status, run = await api("mia", "POST", OPEN + "?wait=10", json={"target": "a-1", "params": {"code": 13}})
    assert (status, run["state"]) == (200, "failed")
    assert run["error"] == {
        "code": "refused",
        "message": "keep-power is on",
        "where": "a-1",
        "hint": "switch it off first",
    }


async def test_the_same_key_is_carried_out_once_and_refused_with_other_content(house, api):
    call = {"target": "a-1", "key": "order-7"}
    answers = await asyncio.gather(*[api("mia", "POST", OPEN + "?wait=10", json=call) for _ in range(5)])
    assert {run["id"] for _, run in answers} == {answers[0][1]["id"]} and house.opened == ["a-1"]
    status, body = await api("mia", "POST", OPEN, json={**call, "params": {"code": 2}})
    assert status == 409 and body["error"]["code"] == "conflict" and body["error"]["hint"]


async def test_who_may_not_is_told_so_and_who_may_not_even_see_finds_nothing(house, api):
    assert (await api("vera", "POST", OPEN, json={"target": "a-1"}))[0] == 403
    assert (await api("ben", "POST", OPEN, json={"target": "b-2"}))[0] == 403
    assert (await api("ben", "POST", OPEN, json={"target": "a-1"}))[0] == 404
    assert (await api("otto", "POST", OPEN, json={"target": "a-1"}))[0] == 404
    assert house.opened == []
    _, run = await api("mia", "POST", OPEN + "?wait=10", json={"target": "a-1"})
    for user, status in (("vera", 200), ("ben", 404), ("otto", 404)):
        assert (await api(user, "GET", f"/api/v1/actions/{run['id']}"))[0] == status


@pytest.mark.parametrize(
    ("path", "body", "status", "where"),
    [
        (OPEN, {"target": "a-1", "param": {}}, 400, "param"),
        (OPEN, {"target": 7}, 400, "target"),
        (OPEN, {"target": "a-1", "params": {"code": "x"}}, 400, "meter.open_circuit params"),
        (OPEN, {"target": "a-1", "params": []}, 400, "params"),
        (OPEN, {"target": "a-1", "key": "k" * 101}, 400, "key"),
        (OPEN, {"target": "x" * 5000}, 400, "target"),
        (OPEN, {"target": "a-9"}, 404, ""),
        (OPEN, {"target": "c1"}, 404, ""),
        (OPEN, {}, 404, ""),
        ("/api/v1/actions/meter.explode", {"target": "a-1"}, 404, ""),
        (OPEN + "?wait=61", {"target": "a-1"}, 400, "wait"),
        (OPEN + "?wait=nan", {"target": "a-1"}, 400, "wait"),
        (OPEN + "?wiat=1", {"target": "a-1"}, 400, "wiat"),
        (OPEN, [], 400, ""),
    ],
)
async def test_wrong_calls_are_refused_before_anything_happens(house, api, path, body, status, where):
    answer, found = await api("olga", "POST", path, json=body)
    assert (answer, found["error"]["where"]) == (status, where), found
    assert house.opened == [] and len(found["error"]["message"]) < 500


async def test_an_action_without_a_target_needs_none(api):
    status, run = await api("mia", "POST", "/api/v1/actions/hub.ping?wait=5", json={})
    assert (status, run["result"]) == (200, {"pong": True})


async def test_an_unknown_run_is_not_found(api):
    assert (await api("mia", "GET", "/api/v1/actions/run-1-2"))[0] == 404
