"""The core's own actions on meters. Beyond reading, a meter can do what its profile lists under ``commands:``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import voluptuous as vol

from meterhub.actions import Action, Call
from meterhub.cause import TENANT, Cause
from meterhub.clock import Clock
from meterhub.devices.device import Device
from meterhub.devices.reader import Reader, explain
from meterhub.errors import BadInput, Refused
from meterhub.estate.meter_commands import COMMANDS, Command
from meterhub.estate.sweeping import Sweep
from meterhub.field.line import Priority
from meterhub.occasion import Occasion
from meterhub.tasks import Spawn


class MeterActions:
    """The handlers of the ``meter.*`` actions. ``spawn`` runs what goes on after a sweep."""

    def __init__(self, reader: Reader, clock: Clock, spawn: Spawn | None = None) -> None:
        self._reader = reader
        self._clock = clock
        self._spawn = spawn

    def actions(self) -> list[Action]:
        """The actions to register."""
        return [
            Action(
                "meter.read",
                {"en": "Read now", "zh": "立即抄表", "ja": "今すぐ検針"},
                "device.read",
                self.read,
                target="meter",
                schema={vol.Optional("entities", default=list): [str]},
                durable=False,
                many=self.sweep,
                fits=lambda device, params: self._reader.indexes(device, params["entities"]),
            ),
            *map(self._action, COMMANDS),
        ]

    def _action(self, command: Command) -> Action:
        return Action(
            command.name,
            command.title,
            command.permission,
            self.set_speed if command.name == "meter.set_speed" else self.command,
            target="meter",
            schema=command.schema,
            danger=command.danger,
            durable=command.lasting,
            applies=_knows(command.name),
            fits=_has_setting if command.name == "meter.write" else None,
            everyday=command.everyday,
        )

    async def read(self, call: Call) -> dict[str, Any]:
        """Read a meter ahead of scheduled reads; the result holds the values in shown form."""
        device: Device = call.target
        call.sent()
        priority = Priority.TENANT if call.actor.id == TENANT else Priority.OPERATOR
        poll = await self._reader.read(device, call.params["entities"], priority=priority, cause=call.cause)
        explain(poll)
        return {
            "values": {one.definition.key: one.shown for one in poll.updated},
            "failed": {key: str(error) for key, error in poll.failed.items()},
        }

    async def command(self, call: Call) -> dict[str, Any]:
        """Carry out an action of the meter's protocol; the result holds what was read back."""
        device: Device = call.target
        reply = await self._reader.command(
            device,
            call.action.name,
            call.params,
            priority=_priority(call.action.permission),
            cause=call.cause,
            sent=call.sent,
        )
        read_back = {}
        for key, value in reply.values.items():
            definition = device.definition(key)
            read_back[key] = definition.shown(value) if definition is not None else value
        return {"read_back": read_back, **reply.detail}

    async def set_speed(self, call: Call) -> dict[str, Any]:
        """Change a meter's speed and, where the link can follow, test it there; back to the old one if it is silent.

        The line stays at its configured speed in the end: the deployer changes that, for all meters on it.
        """
        result = await self.command(call)
        device: Device = call.target
        line = self._reader.lines[device.parent]
        if not line.retune(call.params["speed"]):
            return result | {"tested": False}
        try:
            poll = await self._reader.read(device, list(device.profile.points)[:1], cause=call.cause)
        finally:
            line.retune(line.config.baud)
        if poll.error is None:
            return result | {"tested": True}
        await self._reader.read(device, list(device.profile.points)[:1], cause=call.cause)
        raise Refused(
            f"the meter said yes, but does not answer at {call.params['speed']} baud",
            where=device.id,
            hint=f"the line is back at {line.config.baud} baud; whether the meter is, its status tells",
        )

    async def sweep(
        self, devices: Sequence[Device], params: Mapping[str, Any], cause: Cause, occasion: Occasion | None = None
    ) -> dict[str, Any]:
        """Read many meters at schedule priority; at an occasion, whoever is missing is asked again until the next."""
        if self._spawn is None:
            occasion = None  # nobody to ask again with
        sweep = Sweep(self._reader, self._clock, params.get("entities") or (), cause, occasion)
        if occasion is not None and self._spawn is not None:
            self._spawn("catching up", self._catch_up(sweep, occasion))
        await sweep.read(devices)
        return {**sweep.outcome, "open": True} if sweep.open else sweep.outcome

    async def _catch_up(self, sweep: Sweep, occasion: Occasion) -> None:
        await sweep.catch_up()
        if sweep.open:
            occasion.tell(sweep.outcome)


def _priority(permission: str) -> Priority:
    """Money goes before everything else on a line."""
    return Priority.MONEY if permission == "meter.credit" else Priority.OPERATOR


def _has_setting(device: Device, params: Mapping[str, Any]) -> None:
    if device.entity(params["entity"]) is None:
        known = (one.definition for one in device.entities)
        settings = [one.key for one in known if one.write == "meter.write" and not one.hidden]
        hint = f"settings: {', '.join(settings) or 'none'}"
        raise BadInput(f"{device.id} has no setting {params['entity']}", where=device.id, hint=hint)


def _knows(name: str) -> Callable[[Any], bool]:
    return lambda device: name in device.commands
