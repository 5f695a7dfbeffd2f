"""The simulated meter of both editions, built on the protocol's own codec and catalogue.

Every identifier of the catalogue answers. It counts water or heat by a daily pattern, has a valve with a motor, a
clock, a purse where its profile has one, the deviations that its profile names, and the manners of real meters: silent
to foreign addresses and unknown identifiers, wildcard addresses, refusals with a status.
"""

from __future__ import annotations

from typing import Any

from meterhub.field.protocol import Meter, SimulatedMeter
from meterhub_mbus.cjt188.catalogue import READ, READ_ADDRESS, READ_KEY_VERSION, family_of
from meterhub_mbus.cjt188.exchange import EVERYBODY, PLACEHOLDERS
from meterhub_mbus.cjt188.frame import FROM_METER, REFUSED, START, Frame, assemble
from meterhub_mbus.cjt188.options import NONE, dialect_of
from meterhub_mbus.cjt188.payload import split
from meterhub_mbus.cjt188.purse import PURCHASES
from meterhub_mbus.cjt188.status import CLOSED, OPEN
from meterhub_mbus.cjt188.twin_answers import answer_payload
from meterhub_mbus.cjt188.twin_purse import TwinPurse
from meterhub_mbus.cjt188.twin_state import TwinState
from meterhub_mbus.cjt188.twin_writes import WRITES, Command, Refusal, commands_of

READS = (READ, READ_ADDRESS, READ_KEY_VERSION)


class Twin(SimulatedMeter):
    """One meter. The knobs make it misbehave: ``silent`` (dead), ``lose_next`` (does as told, but the answer is lost),
    ``corrupt_next`` (a wrong sum), ``echo_next`` (the request comes back before the answer), ``refuse`` (identifiers
    that it refuses), ``orders`` (of identifiers that it understands), ``answer_order`` (in which it answers, None: as
    asked), ``serial`` (a fixed one in place of the asked one), ``answer_type`` (another meter type), ``wake_up`` (FE
    before answers), ``clock_filler`` (all bytes of its clock), ``refuses_unknown`` (in place of silence), ``locked``
    (address and base value are no longer taken, as after the factory's command)."""

    def __init__(self, meter: Meter, world: Any) -> None:
        self.dialect = dialect_of(meter.options)
        self.silent = self.lose_next = self.corrupt_next = self.echo_next = False
        self.refuses_unknown = self.locked = False
        self.refuse: set[str] = set()
        self.orders: tuple[str, ...] = (self.dialect.preferred_order,)
        self.answer_order: str | None = None
        self.serial: int | None = None
        self.answer_type = self.dialect.meter_type
        self.wake_up = 2
        self.clock_filler: int | None = None
        self.points = tuple(meter.points.values())
        self.state = TwinState(meter.address, world)
        self.turnaround_s = self.state.turnaround_s
        self.commands: dict[tuple[int, str], dict[bytes, Command]] = commands_of(meter.commands)
        credit = meter.commands.get("meter.credit")
        self.purse = None if credit is None else TwinPurse(credit, self.state)
        self._wire = bytes.fromhex(meter.address)[::-1]

    @property
    def family(self) -> str:
        """``water`` or ``heat``."""
        return family_of(self.dialect.meter_type)

    def answer(self, frame: Frame) -> bytes | None:
        """What the meter says to a frame on its wire; None for frames to others, answers of others, and broadcasts."""
        everybody = frame.raw[2:9] == EVERYBODY
        if self.silent or frame.from_meter or not (everybody or self._is_mine(frame.raw[2:9])):
            return None
        if frame.order is not None and frame.order not in self.orders:
            return None
        self.spend()
        said = self._handle(frame)
        if said is None or everybody or self.lose_next:
            self.lose_next = self.lose_next and everybody
            return None
        raw = said.raw
        if self.corrupt_next:
            self.corrupt_next = False
            raw = raw[:-2] + bytes((raw[-2] ^ 0x5A, raw[-1]))
        before = frame.raw if self.echo_next else b""
        self.echo_next = False
        return before + b"\xfe" * self.wake_up + raw

    def spend(self) -> None:
        """A prepaid meter without credit closes its valve by itself."""
        if self.purse is not None and self.purse.remaining <= 0 and self.state.valve == OPEN:
            self.state.move(False)

    def status(self) -> bytes:
        """ST0 and ST1; while the motor moves, the state where it comes from unless there is a code for moving."""
        valve, states = self.state.valve, self.dialect.status.valve_states
        if valve not in states:
            valve = OPEN if self.state.comes_from_open else CLOSED
        return self.dialect.status.put(valve, self.state.battery_low)

    def readdress(self, wire: bytes) -> None:
        """Take a new address."""
        self._wire = bytes(wire)

    def say(self, frame: Frame, payload: bytes, error: bool = False) -> Frame:
        """An answer to ``frame``; a refusal has no identifier."""
        number = b"" if self.dialect.serial == NONE else bytes((self._serial(frame),))
        identifier = frame.raw[11:13]
        if self.answer_order is not None and self.answer_order != frame.order:
            identifier = identifier[::-1]
        head = bytes((START, self.answer_type)) + self._wire
        if error:
            return assemble(head, frame.control | FROM_METER | REFUSED, number + payload)
        return assemble(head, frame.control | FROM_METER, identifier + number + payload)

    def _serial(self, frame: Frame) -> int:
        return self.serial if self.serial is not None else split(frame)[0] or 0

    def _handle(self, frame: Frame) -> Frame | None:
        identifier = frame.identifier or ""
        payload = frame.data[2:] if self.dialect.serial == NONE else split(frame)[1]
        if identifier in self.refuse:
            return self.say(frame, self.status(), error=True)
        try:
            found = self._do(frame.control, identifier, payload)
        except Refusal:
            return self.say(frame, self.status(), error=True)
        if found is None:
            return self.say(frame, self.status(), error=True) if self.refuses_unknown else None
        return self.say(frame, found)

    def _do(self, control: int, identifier: str, payload: bytes) -> bytes | None:
        """The payload of the answer; None for what this meter does not know. Raises ``Refusal``."""
        command = self.commands.get((control, identifier), {}).get(payload)
        if command is not None:
            self.state.move(command.opens)
            return self.status()
        if control in READS:
            return self.read(identifier)
        handler = WRITES.get((control, identifier))
        return None if handler is None else handler(self, payload)

    def read(self, identifier: str) -> bytes | None:
        """The payload of an identifier that is read."""
        if identifier == "A017":
            return self.status()
        if identifier == PURCHASES:
            return None if self.purse is None else self.purse.books() + self.status()
        return answer_payload(self, identifier)

    def _is_mine(self, wire: bytes) -> bool:
        return all(one in PLACEHOLDERS or one == mine for one, mine in zip(wire, self._wire, strict=True))
