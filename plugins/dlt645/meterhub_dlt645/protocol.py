"""The protocol of both editions as the core knows it: codec, points, dialogues, twin, options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import voluptuous as vol

from meterhub.clock import Clock
from meterhub.config import types
from meterhub.errors import BadFrame, BadInput
from meterhub.field.dialogue import CommandReply, Dialogue, PollReport
from meterhub.field.protocol import Meter, Protocol, ProtocolType, SimulatedMeter
from meterhub_dlt645 import addressing, forward, prepaid, prices, registers, service
from meterhub_dlt645.blocks import Blocks
from meterhub_dlt645.catalogue import catalogue
from meterhub_dlt645.codec import Dlt645Codec
from meterhub_dlt645.commands import CLOSED_AFTER, HOLD_CODES, hold, switch, write
from meterhub_dlt645.exchange import DEFAULT_PREAMBLE, Talk, check_address
from meterhub_dlt645.explain import explain_1997, explain_2007, secrets_on_wire
from meterhub_dlt645.formats import Value
from meterhub_dlt645.frame import Frame, decode_frame
from meterhub_dlt645.points import POINT_SCHEMA, Point, compile_point
from meterhub_dlt645.probe import probe
from meterhub_dlt645.purse import PURSES
from meterhub_dlt645.reading import Group, plan, read_groups
from meterhub_dlt645.signer import SIGNERS

RELAY_STATE = {"id": "04000503", "bit": 4, "invert": True}
"""Bit 4 of status word 3: 1 means open."""
HOLD_STATES = {
    "meter.keep_power": ("keep_power", {"id": "04000503", "bit": 12}),
    "meter.alarm": ("trip_alarm", {"id": "04000503", "bit": 7}),
}
PLANS_KEPT = 500

Handler = Callable[[Meter, str, Clock, Mapping[str, Any]], Dialogue[CommandReply]]

OF_BOTH: Mapping[str, Handler] = {
    "meter.read_register": registers.read_register,
    "meter.write_register": registers.write_register,
    "meter.set_clock": service.set_clock,
    "meter.set_address": addressing.set_address,
    "meter.set_speed": addressing.set_speed,
    "meter.set_password": service.set_password,
    "meter.clear_demand": service.clear_demand,
}
OF_2007: Mapping[str, Handler] = {
    "meter.read_load_profile": registers.read_load_profile,
    "meter.freeze": service.freeze,
    "meter.set_prices": prices.set_prices,
    "meter.forward": forward.forward,
    "meter.clear_meter": service.clear_meter,
    "meter.clear_events": service.clear_events,
    "meter.set_output": service.set_output,
}
OF_PURSES: Mapping[str, Handler] = {
    "meter.balance": prepaid.balance,
    "meter.credit": prepaid.credit,
    "meter.refund": prepaid.refund,
    "meter.open_account": prepaid.open_account,
}
"""Only for meters whose profile lists them."""
HANDLERS: Mapping[str, Mapping[str, Handler]] = {"2007": {**OF_BOTH, **OF_2007, **OF_PURSES}, "1997": OF_BOTH}


class Dlt645(Protocol):
    """One edition of DL/T 645. Learns for each meter which blocks it refuses or does not answer."""

    def __init__(self, edition: str, clock: Clock) -> None:
        self.edition = edition
        self._clock = clock
        self._plans: dict[tuple[Any, ...], list[Group]] = {}
        self._blocks = Blocks()

    def codec(self) -> Dlt645Codec:
        """A codec for one stream."""
        return Dlt645Codec(self.edition)

    def address(self, text: str) -> str:
        """12 digits, padded with zeros on the left; AA bytes are placeholders (2007)."""
        return check_address(text)

    def point(self, key: str, spec: Mapping[str, Any], kind: str, scale: int) -> Point:
        """Look the identifier up and keep what reading it needs."""
        return compile_point(catalogue(self.edition), key, spec, kind, scale)

    def read(self, meter: Meter, points: Sequence[Point]) -> Dialogue[PollReport]:
        """Read blocks where several of their items are wanted, unless the option ``blocks`` is off."""
        refused = self._blocks.refused(meter.id)
        blocks = meter.options.get("blocks", True)
        key = (blocks, refused, *points)
        groups = self._plans.get(key)
        if groups is None:
            if len(self._plans) >= PLANS_KEPT:
                self._plans.clear()
            groups = self._plans[key] = plan(points, blocks, refused)
        return read_groups(Talk(meter, self.edition), groups, self._blocks)

    def learned(self) -> Mapping[str, str]:
        """The blocks that each meter has not."""
        return self._blocks.learned()

    def recall(self, meter: Meter, text: str) -> None:
        """Such blocks from before."""
        self._blocks.refuse(meter.id, *text.split())

    def forget(self, meter_id: str) -> None:
        """Ask for blocks again."""
        self._blocks.forget(meter_id)

    def command(self, meter: Meter, name: str, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
        """Any action on a meter: reading and writing by name, the relay, service, money."""
        handler = HANDLERS[self.edition].get(name)
        if handler is not None:
            return handler(meter, self.edition, self._clock, params)
        if name == "meter.write":
            return write(meter, self.edition, params)
        if self.edition == "2007" and name in CLOSED_AFTER:
            return switch(meter, name, self.edition, self._clock, self._relay(meter, name))
        if self.edition == "2007" and name in HOLD_CODES:
            return hold(meter, name, self._clock, bool(params["on"]), self._hold_state(meter, name))
        raise BadInput(f"a meter of DL/T 645-{self.edition} has no action {name}", where=meter.id)

    def heard(self, meter: Meter, frame: Frame) -> PollReport | None:
        """A pushed answer (91 or 81 without a request) with an identifier that the profile reads."""
        if not isinstance(frame, Frame) or frame.address != meter.address or frame.refused or not frame.from_meter:
            return None
        report = PollReport()
        identifier, data = frame.identifier, frame.payload
        if frame.function in (0x11, 0x01) and not frame.follows and identifier:
            for place, point in enumerate(meter.points.values()):
                if identifier in (point.identifier, point.block) and point.fits(identifier, len(data)):
                    at = point.at if identifier == point.identifier else point.block_at
                    report.updated.append((place, *point.take(data, at)))
        return report

    def probe(self) -> Dialogue[Sequence[Mapping[str, Any]]]:
        """Ask whichever meter is alone on the line who it is."""
        return probe(self.edition)

    def _hold_state(self, meter: Meter, name: str) -> Point:
        """The point that shows keep-power or the alarm."""
        key, spec = HOLD_STATES[name]
        key = meter.commands.get(name, {}).get("relay", key)
        point: Point | None = meter.points.get(key)
        return point or self.point(key, spec, "boolean", 0)

    def _relay(self, meter: Meter, name: str) -> Point:
        """The point that shows what the command changed: that of the entity which the profile names."""
        key = meter.commands.get(name, {}).get("relay", "relay")
        point: Point | None = meter.points.get(key)
        return point or self.point(key, RELAY_STATE, "switch", 0)

    def values(self, frame: bytes, points: Mapping[str, Point]) -> dict[str, Value]:
        """What an answer says, be it to a point's own identifier or to its block."""
        answer = decode_frame(frame, self.edition)
        if not answer.from_meter or answer.refused:
            raise BadFrame("it is no answer with data")
        places = {key: point.place_in(answer.identifier) for key, point in points.items()}
        return {key: points[key].take(answer.payload, at)[0] for key, at in places.items() if at is not None}

    def secrets(self, data: bytes) -> set[int]:
        """Passwords of commands and of password items."""
        return secrets_on_wire(self.edition, data)

    def simulate(self, meter: Meter, world: Any) -> SimulatedMeter:
        """The twin of a meter."""
        from meterhub_dlt645.simulator import Twin

        return Twin(self.edition, meter, world)


def _hex(size: int, needed: str) -> Any:
    """A validator of ``size`` hex digits."""

    def convert(value: Any) -> str:
        text = str(value).upper()
        if len(text) != size or set(text) - set("0123456789ABCDEF"):
            raise vol.Invalid(f"{needed} has {size} digits")
        return text

    return convert


def _password(value: Any) -> Any:
    """Six digits; a secret stays one, so that it is never shown."""
    if not isinstance(value, str) or len(value) != 6 or not value.isdecimal():
        raise vol.Invalid("a password has 6 digits")
    return types.secret()(value)


VALID_UNTIL = r"^(20)?\d\d-?\d\d-?\d\d[T ]?\d\d:?\d\d:?\d\d$"
VALID_UNTIL_HELP = "a time such as 2099-12-31T23:59:59 is expected"

OPTIONS: dict[Any, Any] = {
    vol.Optional("preamble", description=f"FE bytes sent before each frame; {DEFAULT_PREAMBLE}"): types.whole(0, 16),
    vol.Optional("blocks", description="read several items of a block in one frame; true"): types.boolean(),
    vol.Optional("level", description="level of the password, 00 to 09, 98 or 99; 02"): _hex(2, "a level"),
    vol.Optional("password", description="6 digits; 000000"): _password,
    vol.Optional("passwords", description="passwords of other levels, by level"): {_hex(2, "a level"): _password},
    vol.Optional("new_password", description="what meter.set_password sets; 6 digits"): _password,
    vol.Optional("operator", description="operator code, 8 digits; 00000000"): _hex(8, "an operator code"),
    vol.Optional("clock", description="item that holds date and time in one, such as 0400010C"): _hex(
        8, "an identifier"
    ),
    vol.Optional("valid_for", description="how long a relay command is valid; 20m"): types.seconds(60, 86400),
    vol.Optional("valid_until", description="a fixed end of that in place of it"): vol.Match(
        VALID_UNTIL, msg=VALID_UNTIL_HELP
    ),
    vol.Optional("utc_offset", description="the meter's own time zone; +08:00"): vol.Match(
        r"^[+-]\d\d:\d\d$", msg="an offset such as +08:00 is expected"
    ),
}

COMMAND_OPTIONS: dict[Any, Any] = {
    vol.Optional("code", description="command byte N1: 1A trip, 1B allow close, 1C close"): _hex(2, "a code"),
    vol.Optional("delay", description="byte N2: delay or a maker's channel; 00"): _hex(2, "a delay"),
    vol.Optional("relay", description="entity that shows the state, true for closed or on; relay"): types.key(),
    vol.Optional("level", description="level of this command, where it has one of its own"): _hex(2, "a level"),
    vol.Optional("operator", description="operator code of this command"): _hex(8, "an operator code"),
    vol.Optional("valid_until", description="a fixed end of this command"): vol.Match(
        VALID_UNTIL, msg=VALID_UNTIL_HELP
    ),
    vol.Optional("write", description="identifier that is written in place of a command"): _hex(8, "an identifier"),
    vol.Optional("value", description="what is written there, in hex"): types.text(64),
    vol.Optional("variant", description="which purse: national, kede, order"): types.choice(*PURSES),
    vol.Optional("signer", description="who makes MACs: none, plaintext, external"): types.choice(*SIGNERS),
    vol.Optional("customer", description="customer number, 12 digits"): _hex(12, "a customer number"),
}

PROTOCOLS = (
    ProtocolType(
        "dlt645-2007",
        lambda ctx, config: Dlt645("2007", ctx.clock),
        OPTIONS,
        POINT_SCHEMA,
        COMMAND_OPTIONS,
        explain_2007,
        "Electricity meters by DL/T 645-2007 and its supplements",
        (*OF_BOTH, *OF_2007, *HOLD_CODES),
    ),
    ProtocolType(
        "dlt645-1997",
        lambda ctx, config: Dlt645("1997", ctx.clock),
        OPTIONS,
        POINT_SCHEMA,
        {},
        explain_1997,
        "Electricity meters by DL/T 645-1997",
        (*OF_BOTH,),
    ),
)
