"""The protocol as the core knows it: codec, points, dialogues, search, twin, options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import voluptuous as vol

from meterhub.clock import Clock
from meterhub.config import types
from meterhub.errors import BadFrame, BadInput
from meterhub.field.dialogue import CommandReply, Dialogue, PollReport
from meterhub.field.protocol import Meter, Protocol, ProtocolType, SimulatedMeter
from meterhub_mbus.address import parse
from meterhub_mbus.codec import MbusCodec
from meterhub_mbus.commands import HANDLERS, OPEN_AFTER, valve, write
from meterhub_mbus.exchange import is_telegram
from meterhub_mbus.explain import explain
from meterhub_mbus.frame import decode_frame
from meterhub_mbus.hidden import secrets_on_wire
from meterhub_mbus.models import model_of
from meterhub_mbus.points import POINT_SCHEMA, Point, compile_point
from meterhub_mbus.reading import read
from meterhub_mbus.readout import Readout
from meterhub_mbus.search import LineSearch


class Mbus(Protocol):
    """EN 13757 on a wire. Remembers the frame count bit of meters that must not be reset, for the process's life."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._bits: dict[str, bool] = {}

    def codec(self) -> MbusCodec:
        """A codec for one stream."""
        return MbusCodec()

    def address(self, text: str) -> str:
        """Primary or secondary, in its one canonical form."""
        return str(parse(text))

    def is_same(self, address: str, found: str) -> bool:
        """A number alone, or one with digits that do not matter, is the meter found under its whole address."""
        wanted, given = parse(address), parse(found)
        if not wanted.secondary or not given.secondary:
            return wanted == given
        return wanted.fits(given.secondary) and wanted.fabrication in (b"", given.fabrication)

    def point(self, key: str, spec: Mapping[str, Any], kind: str, scale: int) -> Point:
        """What a record must be to be shown by this entity."""
        return compile_point(key, spec, kind, scale)

    def read(self, meter: Meter, points: Sequence[Point]) -> Dialogue[PollReport]:
        """One readout, whatever is wanted of it."""
        return read(meter, points, self._bits)

    def command(self, meter: Meter, name: str, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
        """Valve, settings, clock, address, speed."""
        if name in OPEN_AFTER:
            return valve(meter, self._bits, name, meter.commands.get(name, {}))
        handler = write if name == "meter.write" else HANDLERS.get(name)
        if handler is None:
            raise BadInput(f"a meter on M-Bus has no action {name}", where=meter.id)
        return handler(meter, self._bits, self._clock, params)

    def search(self) -> LineSearch:
        """Secondary addresses digit by digit, then all primary ones."""
        return LineSearch(model_of)

    def values(self, frame: bytes, points: Mapping[str, Point]) -> dict[str, int | bool | str | None]:
        """What one telegram says of points, those that it holds."""
        telegram = decode_frame(frame)
        if not is_telegram(telegram):
            raise BadFrame("it is no answer with data")
        readout = Readout()
        readout.add(telegram)
        found = {key: readout.value(point, points.values()) for key, point in points.items()}
        return {key: one[0] for key, one in found.items() if one is not None}

    def secrets(self, data: bytes) -> set[int]:
        """Where passwords and keys stand in bytes from the wire."""
        return secrets_on_wire(data)

    def simulate(self, meter: Meter, world: Any) -> SimulatedMeter:
        """The twin of a meter."""
        from meterhub_mbus.simulator import Twin

        return Twin(meter, world)


def _hex(least: int, most: int, needed: str) -> Callable[[Any], str]:
    """A validator of so many bytes in hex."""

    def convert(value: Any) -> str:
        text = str(value).upper()
        if len(text) % 2 or not 2 * least <= len(text) <= 2 * most or set(text) - set("0123456789ABCDEF"):
            raise vol.Invalid(f"{needed} is expected in hex")
        return text

    return convert


def _key(value: Any) -> Any:
    """A key of 16 bytes; a secret stays one."""
    _hex(16, 16, "a key of 16 bytes")(value[:] if isinstance(value, str) else "")
    return types.secret()(value)


OPTIONS: dict[Any, Any] = {
    vol.Optional("ping", description="reset the link before a readout; false for meters that cannot bear it; true"): (
        types.boolean()
    ),
    vol.Optional("telegrams", description="most telegrams of one readout; 32"): types.whole(1, 255),
    vol.Optional("application_reset", description="sub-code sent before each readout, such as 50"): _hex(
        0, 10, "a sub-code"
    ),
    vol.Optional("key", description="key of encrypted telegrams, 32 hex digits"): _key,
    vol.Optional("clock", description="type of the meter's clock, F or I; F"): types.choice("F", "I"),
    vol.Optional("utc_offset", description="the meter's own time zone; +08:00"): vol.Match(
        r"^[+-]\d\d:\d\d$", msg="an offset such as +08:00 is expected"
    ),
}

COMMAND_OPTIONS: dict[Any, Any] = {
    vol.Optional("send", description="records that are sent, in hex; 01FD1F01 opens, 01FD1F00 closes"): _hex(
        1, 252, "data"
    ),
    vol.Optional("ci", description="CI that they are sent with; 51"): _hex(1, 1, "a CI"),
    vol.Optional("state", description="entity that shows the valve, true for open; valve"): types.key(),
    vol.Optional("wait", description="how long the valve may take; 60s"): types.seconds(5, 600),
}

MBUS = ProtocolType(
    "mbus",
    lambda ctx, config: Mbus(ctx.clock),
    OPTIONS,
    POINT_SCHEMA,
    COMMAND_OPTIONS,
    explain,
    "Meters for water, heat, gas and electricity on a wired M-Bus (EN 13757)",
    tuple(HANDLERS),
)
