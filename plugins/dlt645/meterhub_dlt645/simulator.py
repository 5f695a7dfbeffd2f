"""The simulated meter of both editions, built on the protocol's own codec and catalogue.

Every identifier of the catalogue answers. It counts energy by a daily pattern, has a relay, a clock, a purse, passwords
with a lock, and the manners of real meters: silent to foreign addresses, wildcard reads, follow-on frames, refusals
with the standard's codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from meterhub.field.protocol import Meter, SimulatedMeter
from meterhub_dlt645.authority import authority
from meterhub_dlt645.catalogue import catalogue
from meterhub_dlt645.formats import Format
from meterhub_dlt645.frame import FOLLOWS, FROM_METER, PLUS_33, REFUSED, Frame, assemble
from meterhub_dlt645.twin_fields import MAKERS_OWN, data_of, makers_data, members_of
from meterhub_dlt645.twin_knobs import Knobs
from meterhub_dlt645.twin_load import load_data
from meterhub_dlt645.twin_prices import in_use
from meterhub_dlt645.twin_programming import NO_SUCH_DATA, PROGRAMMING, PROTECTED
from meterhub_dlt645.twin_purse import TwinPurse
from meterhub_dlt645.twin_state import TwinState
from meterhub_dlt645.twin_values import ALL_TARIFFS, SOURCES_1997, SOURCES_2007, Source, frozen
from meterhub_dlt645.values import END_OF_BLOCK

Parts = tuple[tuple[Source | None, Format], ...]
SOURCES: Mapping[str, Mapping[str, Source]] = {"2007": SOURCES_2007, "1997": SOURCES_1997}
READ, READ_NEXT = {"2007": 0x11, "1997": 0x01}, {"2007": 0x12, "1997": 0x02}
READ_ADDRESS, WRITE_ADDRESS = 0x13, {"2007": 0x15, "1997": 0x0A}
EVERYBODY = b"\x99" * 6
BROADCASTS = (0x08, 0x16, 0x1D)
EVENT_STATUS = "04001501"
ABSENT = 0xFF
OTHER_PHASES = {"2007": {"02010200", "02010300"}, "1997": {"B612", "B613"}}
"""A profile that reads one of these is that of a three-phase meter."""
THIRD_PHASES = {"2007": ("0200", "0300"), "1997": ("2", "3")}
WRONG_PASSWORDS_TO_LOCK, LOCKED_MS = 5, 1440 * 60_000
LONGEST_DATA = 200
"""Bytes of the data field of one answer; more go into follow-on frames."""


class Twin(Knobs, SimulatedMeter):
    """One meter, which its knobs make misbehave."""

    def __init__(self, edition: str, meter: Meter, world: Any) -> None:
        super().__init__(LONGEST_DATA)
        self._late = b""
        self.edition = edition
        self.commands = meter.commands
        self._identifiers = frozenset(point.identifier for point in meter.points.values())
        phases = 3 if OTHER_PHASES[edition] & self._identifiers else 1
        self.state = TwinState(meter.address, phases, world)
        self.turnaround_s = self.state.turnaround_s
        self.passwords = _passwords(edition, meter)
        self.wrong_passwords = 0
        self.locked_until_ms = 0
        self.written: dict[str, bytes] = {}
        self.speed = 2400 if edition == "2007" else 1200
        self.output = 0
        self.broadcast_day = 0
        self._wire = bytes.fromhex(meter.address)[::-1]
        self._asked = self._wire
        self._rest = b""
        spec = meter.commands.get("meter.credit", {})
        self.purse: TwinPurse | None = None
        if "variant" in spec:
            self.purse = TwinPurse(spec["variant"], self.state, self._wire, spec.get("customer", ""))

    def answer(self, frame: Frame) -> bytes | None:
        """What the meter says to a frame on its wire; None for frames to others, answers of others, and broadcasts."""
        raw = frame.raw
        mine, everybody = raw[1:7] == self._wire, raw[1:7] == EVERYBODY and raw[8] in BROADCASTS
        if not (mine or everybody or self._is_wild(raw)) or self.silent or raw[8] & FROM_METER:
            return None
        self._asked = raw[1:7] if self.echo_wildcard else self._wire
        said = self._handle(frame)
        if said is None or everybody or self.lose_next:
            self.lose_next = self.lose_next and everybody
            return None
        if self.corrupt_next:
            self.corrupt_next = False
            return said.raw[:-2] + bytes((said.raw[-2] ^ 0x5A, said.raw[-1]))
        return self._in_time(b"\xfe" * self.preamble + said.raw)

    def _in_time(self, answer: bytes) -> bytes | None:
        """The answer, after one that is late; None for one that will be."""
        before, self._late = self._late, b""
        if self.late_next:
            self.late_next, self._late = False, answer
            return None
        return before + answer

    def push(self, identifier: str = "80808080") -> bytes:
        """What nobody asked for, as meters with their own modem send it: a keep-alive, or an identifier's data."""
        self._asked = self._wire
        return self.say(0x91, bytes.fromhex(identifier)[::-1] + (self.data(identifier) or b"")).raw

    def press_button(self) -> None:
        """What the customer does at the meter: close the relay if that is allowed."""
        if not self.state.commanded_open:
            self.state.close_relay()

    def say(self, control: int, data: bytes = b"") -> Frame:
        """An answer of this meter."""
        return assemble(b"\x68" + self._asked + b"\x68", control, data.translate(PLUS_33), self.edition)

    def refuse_to(self, frame: Frame, code: int, size: int = 1) -> Frame:
        """A refusal with its reasons."""
        return self.say(frame.control | FROM_METER | REFUSED, code.to_bytes(size, "little"))

    def readdress(self, wire: bytes) -> None:
        """Take a new address."""
        self._wire = self._asked = bytes(wire)
        self.state.address = wire[::-1].hex().upper()

    def authorised(self, data: bytes, plain_only: bool = True) -> bool:
        """Whether level and password are right; some wrong ones in a row lock programming for a day."""
        now = self.state.now_ms
        if len(data) < 4 or now < self.locked_until_ms or (plain_only and data[0] in PROTECTED):
            return False
        if self.passwords.get(data[0]) == data[1:4]:
            self.wrong_passwords = 0
            return True
        self.wrong_passwords += 1
        if self.wrong_passwords >= WRONG_PASSWORDS_TO_LOCK:
            self.wrong_passwords, self.locked_until_ms = 0, now + LOCKED_MS
        return False

    def _handle(self, frame: Frame) -> Frame | None:
        control = frame.raw[8]
        if control == READ[self.edition]:
            return self._read(frame)
        if control == READ_NEXT[self.edition]:
            return self._read_next(frame)
        if self.edition == "2007" and control == READ_ADDRESS:
            return self.say(0x93, self._wire)
        handler = PROGRAMMING[self.edition].get(control)
        return handler(self, frame) if handler is not None else self.refuse_to(frame, NO_SUCH_DATA)

    def _is_wild(self, raw: bytes) -> bool:
        """Reads to AA bytes (2007) or to 999999999999 (1997) are for everybody, and so is a new address."""
        if self.edition == "1997":
            return raw[1:7] == EVERYBODY and raw[8] in (0x01, 0x02, 0x0A)
        wild = raw[8] in (0x11, 0x12, READ_ADDRESS, 0x15) and 0xAA in raw[1:7]
        return wild and all(one in (0xAA, mine) for one, mine in zip(raw[1:7], self._wire, strict=True))

    def _read(self, frame: Frame) -> Frame | None:
        identifier = frame.identifier
        if self.mute_blocks and identifier and "FF" in identifier:
            return None
        known = identifier and identifier not in self.refuse and not (self.no_blocks and "FF" in identifier)
        data = self.data(identifier, frame.payload) if known and identifier else None
        if data is None or identifier is None:
            return self.refuse_to(frame, NO_SUCH_DATA)
        layout = catalogue(self.edition).find(identifier)
        ended = self.ends_blocks and layout is not None and layout.repeats
        self._rest = data + END_OF_BLOCK if ended else data
        return self._part(frame.control, identifier, b"")

    def _part(self, control: int, identifier: str, tail: bytes) -> Frame:
        """The next part of an answer, with D5 while more follow."""
        room = self.cut_at - len(identifier) // 2 - len(tail)
        part, self._rest = self._rest[:room], self._rest[room:]
        follows = FOLLOWS if self._rest or (self.event_waits and not tail) else 0
        return self.say(control | FROM_METER | follows, bytes.fromhex(identifier)[::-1] + part + tail)

    def _read_next(self, frame: Frame) -> Frame:
        identifier = frame.identifier
        tail = frame.payload if self.edition == "2007" else b""
        if identifier and self._rest:
            return self._part(frame.control, identifier, tail)
        if self.event_waits and self.edition == "2007":
            self.event_waits = False
            return self.say(0x92, bytes.fromhex(EVENT_STATUS)[::-1] + bytes(12) + tail)
        return self.refuse_to(frame, NO_SUCH_DATA)

    def _written(self, identifier: str) -> bytes | None:
        """What was written to an identifier, where a set of prices took over to the other one."""
        return self.written.get(in_use(identifier, self.written, self.state), self.written.get(identifier))

    def data(self, identifier: str, request: bytes = b"") -> bytes | None:
        """The data of an identifier, or None for one that this meter does not know."""
        found = self._written(identifier)
        if found is not None:
            return found
        record = self.purse.record(identifier) if self.purse is not None else None
        if record is not None:
            return record
        layout = catalogue(self.edition).find(identifier)
        if layout is None or not _has_phase(self.edition, identifier, self.state.phases):
            return None
        members = members_of(layout)
        if any(self._written(one) is not None for one in members):
            return b"".join(self.data(one) or b"" for one in members)
        if layout.kind == "load":
            return load_data(identifier, request, self.state)
        state = self.state
        if identifier in MAKERS_OWN and identifier in self._identifiers:
            return makers_data(identifier, state)
        parts = known_parts(self.edition, identifier, self.state.phases)
        if parts is None:
            return data_of(self.edition, identifier, state)
        return b"".join(
            bytes((ABSENT,)) * form.size if source is None else form.encode(source(state)) for source, form in parts
        )


def _passwords(edition: str, meter: Meter) -> dict[int, bytes]:
    """The passwords by level: the configured one also for the levels that single commands of the profile use."""
    own = authority(meter.options, edition)
    found = {own[0]: own[1:4]}
    for spec in meter.commands.values():
        if "level" in spec:
            found.setdefault(int(spec["level"], 16), own[1:4])
    for level in meter.options.get("passwords", {}):
        one = authority(meter.options, edition, level)
        found[one[0]] = one[1:4]
    return found


@lru_cache(maxsize=4096)
def known_parts(edition: str, identifier: str, phases: int) -> Parts | None:
    """Sources and formats of an identifier's items; a source of None is a phase that the meter lacks."""
    layout = catalogue(edition).find(identifier)
    if layout is None or layout.kind != "fields":
        return None
    sources = SOURCES[edition]
    if identifier in sources:
        return ((sources[identifier], layout.fields[0].format),) if _has_phase(edition, identifier, phases) else None
    if edition == "2007" and identifier.startswith("050601"):
        return tuple((frozen(tariff, int(identifier[6:], 16)), layout.fields[0].format) for tariff in ALL_TARIFFS)
    members = [one for one in layout.members if one in sources]
    if not members or (not layout.repeats and len(members) != len(layout.members)):
        return None
    parts = []
    for one in members:
        form = catalogue(edition).find(one)
        assert form is not None
        parts.append((sources[one] if _has_phase(edition, one, phases) else None, form.fields[0].format))
    return tuple(parts)


def _has_phase(edition: str, identifier: str, phases: int) -> bool:
    """Whether a meter with so many phases measures this."""
    of_phases = identifier.startswith("020" if edition == "2007" else "B6")
    return phases == 3 or not of_phases or not identifier.endswith(THIRD_PHASES[edition])
