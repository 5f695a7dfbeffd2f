"""Actions: checked, permitted, named once, and never confirmed before the handler came back."""

from __future__ import annotations

import pytest
import voluptuous as vol

from meterhub.action_journal import StoredRuns
from meterhub.actions import Action, Actions, System
from meterhub.bus import Bus
from meterhub.devices.device import Device
from meterhub.devices.profile import Profile
from meterhub.errors import BadInput, Conflict, NotAllowed, NotFound, Refused, StoreError
from meterhub.runs import Run, RunChanged, RunState
from meterhub.texts import Texts
from meterhub.web.api_actions import run_json
from meterhub.web.runs import run_view


class Viewer:
    """May look and nothing else."""

    id = "user:vera"

    def may(self, permission, scope):
        return permission.endswith(".view")


@pytest.fixture
def estate():
    profile = Profile("p", "toy", {"en": "P"}, commands={"meter.open_circuit": {}})
    return {"a-1": Device("a-1", "meter", profile), "c-1": Device("c-1", "collector", Profile("c", "", {"en": "C"}))}


@pytest.fixture
def seen():
    return []


@pytest.fixture
def actions(clock, store, tasks, estate, seen):
    bus = Bus()
    bus.on(RunChanged, lambda message: seen.append(message.run.state))
    actions = Actions(bus, clock, StoredRuns(store, clock), estate.get, tasks.spawn)

    async def open_circuit(call):
        call.sent()
        await clock.sleep(2)
        if call.params["code"] == 13:
            raise Refused("keep-power is on", where=call.target.id, hint="switch it off first")
        return {"read_back": {"relay": True}}

    actions.register(
        Action(
            "meter.open_circuit",
            {"en": "Open"},
            "meter.control",
            open_circuit,
            target="meter",
            schema={vol.Optional("code", default=1): int},
            applies=lambda device: "meter.open_circuit" in device.commands,
            timeout_s=10,
        )
    )
    return actions


async def test_a_command_is_queued_sent_and_then_confirmed_with_the_read_back(actions, seen):
    run = await actions.call("meter.open_circuit", "a-1", actor=System())
    assert run.state is RunState.QUEUED
    await run.done
    assert seen == [RunState.QUEUED, RunState.SENT, RunState.CONFIRMED]
    assert run.result == {"read_back": {"relay": True}}


async def test_the_same_key_with_the_same_content_is_the_same_run(actions, store, clock):
    first = await actions.call("meter.open_circuit", "a-1", actor=System(), key="k1")
    again = await actions.call("meter.open_circuit", "a-1", actor=System(), key="k1")
    await first.done
    assert again.id == first.id
    stored = await StoredRuns(store, clock).find(first.id)
    assert stored is not None and stored.state is RunState.CONFIRMED


async def test_the_same_key_with_other_content_is_a_conflict(actions):
    await actions.call("meter.open_circuit", "a-1", actor=System(), key="k1")
    with pytest.raises(Conflict, match="k1"):
        await actions.call("meter.open_circuit", "a-1", {"code": 2}, actor=System(), key="k1")


async def test_what_a_secret_action_was_given_its_handler_sees_and_nobody_who_looks_at_the_run(actions, estate):
    given = []

    def redirect(call):
        given.append(call.params["card"])
        raise Refused("the card is closed")

    action = Action("meter.pay_out", {"en": "Pay out"}, "meter.control", redirect, target="meter", secret=True,
                    schema={vol.Required("card"): str})  # fmt: skip
    actions.register(action)
    run = await actions.call("meter.pay_out", "a-1", {"card": "6222-0001"}, actor=System(), key="k1")
    await run.done
    assert given == ["6222-0001"] and run.state is RunState.FAILED
    shown = run_view(await actions.find(run.id), estate["a-1"], actions, Texts("en"))
    told = [getattr(run, name) for name in Run.__slots__]
    assert shown["retry"] and "6222" not in f"{shown} {run_json(run)} {told}"
    assert (await actions.call("meter.pay_out", "a-1", {"card": "6222-0001"}, actor=System(), key="k1")).id == run.id
    with pytest.raises(Conflict, match="k1"):
        await actions.call("meter.pay_out", "a-1", {"card": "6222-0002"}, actor=System(), key="k1")
    assert given == ["6222-0001"]


async def test_a_refusal_fails_with_why_where_and_what_next(actions):
    run = await actions.call("meter.open_circuit", "a-1", {"code": 13}, actor=System())
    await run.done
    assert run.state is RunState.FAILED
    assert run.error == {
        "code": "refused",
        "message": "keep-power is on",
        "where": "a-1",
        "hint": "switch it off first",
    }


async def test_what_is_wrong_with_a_call_is_said_before_anything_starts(actions):
    with pytest.raises(NotAllowed, match=r"meter\.open_circuit"):
        await actions.call("meter.open_circuit", "a-1", actor=Viewer())
    with pytest.raises(BadInput):
        await actions.call("meter.open_circuit", "a-1", {"code": "x"}, actor=System())
    with pytest.raises(NotFound):
        await actions.call("meter.open_circuit", "c-1", actor=System())
    with pytest.raises(NotFound):
        await actions.call("meter.explode", "a-1", actor=System())


async def test_runs_that_a_stop_interrupted_have_failed_at_the_next_start(actions, store, clock):
    run = await actions.call("meter.open_circuit", "a-1", actor=System(), key="k1")
    journal = StoredRuns(store, clock)
    assert await journal.close_open_runs() == 1
    stored = await journal.find(run.id)
    assert stored is not None and stored.state is RunState.FAILED and "read the meter" in stored.error["hint"]


async def test_a_run_that_cannot_be_stored_does_not_start_and_leaves_its_key_free(actions, store):
    await store.close()
    with pytest.raises(StoreError):
        await actions.call("meter.open_circuit", "a-1", actor=System(), key="k1")
    with pytest.raises(StoreError):
        await actions.call("meter.open_circuit", "a-1", {"code": 2}, actor=System(), key="k1")
