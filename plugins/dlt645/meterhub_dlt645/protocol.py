"""The protocol of both editions as the core knows it: codec, points, dialogues, twin, options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import voluptuous as vol

from meterhub.clock import Clock
from meterhub.config import types
from meterhub.errors import BadFrame, BadInput
from meterhub.field.dialogue import CommandReply, Dialogue, PollReport
from meterhub.field.protocol import Meter, Protocol, ProtocolType, SimulatedMeter
from meterhub_dlt645.catalogue import catalogue
from meterhub_dlt645.codec import Dlt645Codec
from meterhub_dlt645.commands import CLOSED_AFTER, switch, write
from meterhub_dlt645.exchange import DEFAULT_PREAMBLE, Talk, check_address
from meterhub_dlt645.explain import explain_1997, explain_2007
from meterhub_dlt645.formats import Value
from meterhub_dlt645.frame import decode_frame
from meterhub_dlt645.points import POINT_SCHEMA, Point, compile_point
from meterhub_dlt645.reading import NO_BLOCKS, Group, plan, read_groups

RELAY_STATE = {"id": "04000503", "bit": 4, "invert": True}
"""Bit 4 of status word 3: 1 means open."""
PLANS_KEPT = 500


class Dlt645(Protocol):
    """One edition of DL/T 645. Remembers for each meter which blocks it refused, for the life of the process."""

    def __init__(self, edition: str, clock: Clock) -> None:
        self.edition = edition
        self._clock = clock
        self._plans: dict[tuple[Any, ...], list[Group]] = {}
        self._refused: dict[str, frozenset[str]] = {}

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
        refused = self._refused.get(meter.id, NO_BLOCKS)
        blocks = meter.options.get("blocks", True)
        key = (blocks, refused, *points)
        groups = self._plans.get(key)
        if groups is None:
            if len(self._plans) >= PLANS_KEPT:
                self._plans.clear()
            groups = self._plans[key] = plan(points, blocks, refused)
        return read_groups(Talk(meter, self.edition), groups, self._refused)

    def command(self, meter: Meter, name: str, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
        """The relay, and writing of settings; 2007 only."""
        if self.edition == "2007" and name in CLOSED_AFTER:
            return switch(meter, name, self.edition, self._clock, self._relay(meter, name))
        if self.edition == "2007" and name == "meter.write":
            return write(meter, self.edition, params)
        raise BadInput(f"a meter of DL/T 645-{self.edition} has no action {name}", where=meter.id)

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


OPTIONS: dict[Any, Any] = {
    vol.Optional("preamble", description=f"FE bytes sent before each frame; {DEFAULT_PREAMBLE}"): types.whole(0, 16),
    vol.Optional("blocks", description="read several items of a block in one frame; true"): types.boolean(),
    vol.Optional("level", description="level of the password, 00 to 09, 98 or 99; 02"): _hex(2, "a level"),
    vol.Optional("password", description="6 digits; 000000"): _password,
    vol.Optional("operator", description="operator code, 8 digits; 00000000"): _hex(8, "an operator code"),
    vol.Optional("valid_for", description="how long a relay command is valid; 20m"): types.seconds(60, 86400),
    vol.Optional("valid_until", description="a fixed end of that in place of it"): vol.Match(
        r"^(20)?\d\d-?\d\d-?\d\d[T ]?\d\d:?\d\d:?\d\d$", msg="a time such as 2099-12-31T23:59:59 is expected"
    ),
    vol.Optional("utc_offset", description="the meter's own time zone; +08:00"): vol.Match(
        r"^[+-]\d\d:\d\d$", msg="an offset such as +08:00 is expected"
    ),
}

COMMAND_OPTIONS: dict[Any, Any] = {
    vol.Optional("code", description="command byte N1: 1A trip, 1B allow close, 1C close"): _hex(2, "a code"),
    vol.Optional("delay", description="byte N2: delay or a maker's channel; 00"): _hex(2, "a delay"),
    vol.Optional("relay", description="entity that shows the relay, true for closed; relay"): types.key(),
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
    ),
    ProtocolType(
        "dlt645-1997",
        lambda ctx, config: Dlt645("1997", ctx.clock),
        OPTIONS,
        POINT_SCHEMA,
        {},
        explain_1997,
        "Electricity meters by DL/T 645-1997",
    ),
)
