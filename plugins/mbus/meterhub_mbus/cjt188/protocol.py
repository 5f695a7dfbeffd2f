"""The protocol ``cjt188`` as the core knows it: codec, points, dialogues, twin, options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import BadFrame, BadInput
from meterhub.field.dialogue import CommandReply, Dialogue, PollReport
from meterhub.field.protocol import Meter, Protocol, ProtocolType, SimulatedMeter
from meterhub_mbus.cjt188 import prepaid, prices, registers, service
from meterhub_mbus.cjt188.codec import METER_TYPES, Cjt188Codec
from meterhub_mbus.cjt188.exchange import Memory, Reply, Talk
from meterhub_mbus.cjt188.explain import decode_cjt188, secrets_on_wire
from meterhub_mbus.cjt188.frame import READ_ANSWER, Frame, decode_frame
from meterhub_mbus.cjt188.options import COMMAND_OPTIONS, NONE, OPTIONS, check_address, dialect_of
from meterhub_mbus.cjt188.payload import split
from meterhub_mbus.cjt188.points import POINT_SCHEMA, Point, compile_point
from meterhub_mbus.cjt188.probe import probe
from meterhub_mbus.cjt188.reading import items_by_key, plan, read_groups
from meterhub_mbus.cjt188.valve import CODES, STATE, move

Handler = Callable[[Meter, Talk, Mapping[str, Any]], Dialogue[CommandReply]]
Timed = Callable[[Meter, Talk, Clock, Mapping[str, Any]], Dialogue[CommandReply]]

HANDLERS: Mapping[str, Handler] = {
    "meter.read_register": registers.read_register,
    "meter.write_register": registers.write_register,
    "meter.write": registers.write_entity,
    "meter.set_prices": prices.set_prices,
    "meter.balance": prepaid.balance,
    "meter.credit": prepaid.credit,
    "meter.refund": prepaid.refund,
}
TIMED: Mapping[str, Timed] = {
    "meter.set_clock": service.set_clock,
    "meter.set_address": service.set_address,
    "meter.set_base_value": service.set_base_value,
}
OF_ALL = ("meter.read_register", "meter.write_register", "meter.set_clock", "meter.set_address", "meter.set_base_value")
"""What every meter knows; the others stand in its profile."""


class Cjt188(Protocol):
    """Both editions. Remembers for each meter the order of identifiers that it understands, for the process's life."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._memories: dict[str, Memory] = {}
        self._types = set(METER_TYPES)
        """Those of the standard, and those that meters are configured with."""

    def codec(self) -> Cjt188Codec:
        """A codec for one stream."""
        return Cjt188Codec(self._types)

    def address(self, text: str) -> str:
        """14 digits, padded with zeros on the left; AA bytes are placeholders."""
        return check_address(text)

    def point(self, key: str, spec: Mapping[str, Any], kind: str, scale: int) -> Point:
        """Look the identifier up and keep what reading it needs."""
        return compile_point(key, spec, kind, scale)

    def read(self, meter: Meter, points: Sequence[Point]) -> Dialogue[PollReport]:
        """Read all points of one identifier in one exchange."""
        return read_groups(self._talk(meter), plan(points))

    def command(self, meter: Meter, name: str, params: Mapping[str, Any]) -> Dialogue[CommandReply]:
        """Any action on a meter: reading and writing by name, the valve, service, money."""
        talk = self._talk(meter)
        if name in HANDLERS:
            return HANDLERS[name](meter, talk, params)
        if name in TIMED:
            return TIMED[name](meter, talk, self._clock, params)
        if name in CODES:
            return move(meter, talk, name, self._valve(meter, name))
        raise BadInput(f"a meter of CJ/T 188 has no action {name}", where=meter.id)

    def heard(self, meter: Meter, frame: Frame) -> PollReport | None:
        """A pushed answer to a read, with an identifier that the profile reads."""
        if not isinstance(frame, Frame) or frame.address != meter.address or not frame.from_meter or frame.refused:
            return None
        report = PollReport()
        identifier = frame.identifier
        if frame.control == READ_ANSWER and identifier:
            dialect = self._memory(meter).dialect
            payload = split(frame)[1]
            items = items_by_key(identifier, Reply(payload, frame.meter_type), dialect)
            for place, point in enumerate(meter.points.values()):
                if point.identifier == identifier:
                    report.updated.append((place, *point.take(items, payload, dialect)))
        return report

    def probe(self) -> Dialogue[Sequence[Mapping[str, Any]]]:
        """Ask whichever meter is alone on the line who it is."""
        return probe()

    def values(self, frame: bytes, points: Mapping[str, Point]) -> dict[str, int | bool | str | None]:
        """What an answer says, by the standard's status bits and units."""
        return self.values_of_model(frame, points, {})

    def values_of_model(
        self, frame: bytes, points: Mapping[str, Point], options: Mapping[str, Any]
    ) -> dict[str, int | bool | str | None]:
        """What an answer says in the dialect of a profile."""
        dialect = dialect_of(options)
        answer = decode_frame(frame)
        identifier = answer.identifier
        if not answer.from_meter or identifier is None:
            raise BadFrame("it is no answer with data")
        payload = answer.data[2:] if dialect.serial == NONE else split(answer)[1]
        items = items_by_key(identifier, Reply(payload, answer.meter_type), dialect)
        wanted = {key: point for key, point in points.items() if point.identifier == identifier}
        return {key: point.take(items, payload, dialect)[0] for key, point in wanted.items()}

    def secrets(self, data: bytes) -> set[int]:
        """Keys on their way to a meter."""
        return secrets_on_wire(data)

    def simulate(self, meter: Meter, world: Any) -> SimulatedMeter:
        """The twin of a meter."""
        from meterhub_mbus.cjt188.simulator import Twin

        self._types.add(self._memory(meter).dialect.meter_type)
        return Twin(meter, world)

    def _memory(self, meter: Meter) -> Memory:
        memory = self._memories.get(meter.id)
        if memory is None or memory.options is not meter.options:
            memory = self._memories[meter.id] = Memory(meter.options)
            self._types.add(memory.dialect.meter_type)
        return memory

    def _talk(self, meter: Meter) -> Talk:
        return Talk(meter, self._memory(meter))

    def _valve(self, meter: Meter, name: str) -> Point:
        """The point that shows what the command changed: that of the entity which the profile names."""
        key = meter.commands.get(name, {}).get("valve", "valve")
        point: Point | None = meter.points.get(key)
        return point or self.point(key, STATE, "valve", 0)


PROTOCOLS = (
    ProtocolType(
        "cjt188",
        lambda ctx, config: Cjt188(ctx.clock),
        OPTIONS,
        POINT_SCHEMA,
        COMMAND_OPTIONS,
        decode_cjt188,
        "Water, heat and gas meters by CJ/T 188-2004 and -2018",
        OF_ALL,
    ),
)
