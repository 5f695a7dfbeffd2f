"""The simulated meter of both editions, built on the protocol's own codec and catalogue.

It counts energy by a daily pattern, has a relay, a clock, a remaining amount, a password, and the manners of real
meters: silent to foreign addresses, wildcard reads, refusals with the standard's codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from meterhub.errors import BadInput
from meterhub.field.protocol import Meter, SimulatedMeter
from meterhub_dlt645.catalogue import catalogue
from meterhub_dlt645.commands import authority
from meterhub_dlt645.formats import Format, parse
from meterhub_dlt645.frame import FROM_METER, PLUS_33, REFUSED, Frame, assemble
from meterhub_dlt645.twin_state import TwinState
from meterhub_dlt645.twin_values import ALL_TARIFFS, SOURCES_1997, SOURCES_2007, Source, frozen

Parts = tuple[tuple[Source | None, Format], ...]
SOURCES: Mapping[str, Mapping[str, Source]] = {"2007": SOURCES_2007, "1997": SOURCES_1997}
OTHER_ERROR, NO_SUCH_DATA, WRONG_PASSWORD = 0x01, 0x02, 0x04
ABSENT = 0xFF
PHASE_B = {"2007": "02010200", "1997": "B612"}
"""A profile that reads this is that of a three-phase meter."""
THIRD_PHASES = {"2007": ("0200", "0300"), "1997": ("2", "3")}
FIVE_MINUTES_S = 300


class Twin(SimulatedMeter):
    """One meter. The knobs make it misbehave: ``silent`` (dead), ``lose_next`` (does as told, but the answer is lost),
    ``corrupt_next`` (spoils a byte of the answer), ``refuse`` (identifiers it does not know)."""

    def __init__(self, edition: str, meter: Meter, world: Any) -> None:
        self.silent = False
        self.lose_next = False
        self.corrupt_next = False
        self.refuse: set[str] = set()
        self._edition = edition
        self._identifiers = {point.identifier for point in meter.points.values()}
        phases = 3 if PHASE_B[edition] in self._identifiers else 1
        self.state = TwinState(meter.address, phases, world)
        self.turnaround_s = self.state.turnaround_s
        self._authority = authority(meter.options)
        self._wire = bytes.fromhex(meter.address)[::-1]
        self._written: dict[str, bytes] = {}
        self._handlers: Mapping[int, Callable[[Frame], Frame | None]] = (
            {0x11: self._read, 0x12: self._read_next, 0x13: self._address, 0x14: self._write, 0x1C: self._remote}
            if edition == "2007"
            else {0x01: self._read, 0x02: self._read_next}
        )

    def answer(self, frame: Frame) -> bytes | None:
        """What the meter says to a frame on its wire; None for frames to others, answers of others, and broadcasts."""
        raw = frame.raw
        if raw[1:7] != self._wire and not self._is_wild(raw):
            return None
        if self.silent or raw[8] & FROM_METER:
            return None
        handler = self._handlers.get(raw[8])
        said = handler(frame) if handler is not None else self._refuse(frame, NO_SUCH_DATA)
        if said is None or self.lose_next:
            self.lose_next = False
            return None
        if self.corrupt_next:
            self.corrupt_next = False
            return said.raw[:-2] + bytes((said.raw[-2] ^ 0x5A, said.raw[-1]))
        return said.raw

    def push(self) -> bytes:
        """A keep-alive that nobody asked for, as meters with their own modem send."""
        return self._say(0x91, bytes.fromhex("80808080")).raw

    def _is_wild(self, raw: bytes) -> bool:
        """Reads to AA bytes (2007) or to 999999999999 (1997) are for everybody."""
        if self._edition == "1997":
            return raw[1:7] == b"\x99" * 6 and raw[8] in (0x01, 0x02)
        wild = raw[8] in (0x11, 0x13) and 0xAA in raw[1:7]
        return wild and all(one in (0xAA, mine) for one, mine in zip(raw[1:7], self._wire, strict=True))

    def _say(self, control: int, data: bytes = b"") -> Frame:
        return assemble(b"\x68" + self._wire + b"\x68", control, data.translate(PLUS_33), self._edition)

    def _refuse(self, frame: Frame, code: int) -> Frame:
        return self._say(frame.control | FROM_METER | REFUSED, bytes((code,)))

    def _read(self, frame: Frame) -> Frame:
        identifier = frame.identifier
        data = self._data(identifier) if identifier and identifier not in self.refuse else None
        if data is None:
            return self._refuse(frame, NO_SUCH_DATA)
        assert identifier is not None
        return self._say(frame.control | FROM_METER, bytes.fromhex(identifier)[::-1] + data)

    def _read_next(self, frame: Frame) -> Frame:
        return self._refuse(frame, NO_SUCH_DATA)

    def _address(self, frame: Frame) -> Frame:
        return self._say(0x93, self._wire)

    def _data(self, identifier: str) -> bytes | None:
        """The data of an identifier, or None for one that this meter does not know."""
        if identifier in self._written:
            return self._written[identifier]
        parts = known_parts(self._edition, identifier, self.state.phases)
        if parts is None and identifier in self._identifiers:
            parts = blank_parts(self._edition, identifier)
        if parts is None:
            return None
        state = self.state
        return b"".join(
            bytes((ABSENT,)) * form.size if source is None else form.encode(source(state)) for source, form in parts
        )

    def _write(self, frame: Frame) -> Frame:
        identifier, payload = frame.identifier, frame.payload
        if payload[:4] != self._authority[:4]:
            return self._refuse(frame, WRONG_PASSWORD)
        layout = catalogue("2007").find(identifier) if identifier else None
        if layout is None or "w" not in layout.access or self._data(layout.identifier) is None:
            return self._refuse(frame, NO_SUCH_DATA)
        if not layout.fits(len(payload) - 8):
            return self._refuse(frame, OTHER_ERROR)
        self._written[layout.identifier] = payload[8:]
        return self._say(0x94)

    def _remote(self, frame: Frame) -> Frame:
        data, state = frame.data, self.state
        if data[:4] != self._authority[:4]:
            return self._refuse(frame, WRONG_PASSWORD)
        until = parse("YYMMDDhhmmss").decode(data[10:16])
        if len(data) != 16 or (until is not None and state.has_passed(str(until))):
            return self._refuse(frame, OTHER_ERROR)
        command, delay_s = data[8], data[9] * FIVE_MINUTES_S
        if command in (0x1A, 0x1D, 0x1E) and state.keep_power:
            return self._refuse(frame, OTHER_ERROR)
        if not self._obey(command, delay_s):
            return self._refuse(frame, OTHER_ERROR)
        return self._say(0x9C)

    def _obey(self, command: int, delay_s: int) -> bool:
        """Carry out a remote command; False for an unknown one."""
        state = self.state
        if command in (0x1A, 0x1D, 0x1E):
            state.open_relay(0 if command == 0x1A else delay_s)
        elif command in (0x1B, 0x1C):
            state.close_relay()
        elif command in (0x2A, 0x2B):
            state.alarm = command == 0x2A
        elif command in (0x3A, 0x3B):
            state.keep_power = command == 0x3A
            if state.keep_power:
                state.close_relay()
        else:
            return False
        return True


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


@lru_cache(maxsize=4096)
def blank_parts(edition: str, identifier: str) -> Parts | None:
    """Zeros for what a profile reads although no source is known here, so that every profile can be tried."""
    layout = catalogue(edition).find(identifier)
    if layout is None or layout.kind != "fields":
        return None
    return tuple((_blank(field.format), field.format) for field in layout.fields)


def _blank(form: Format) -> Source | None:
    for value in (0, "0", "2026-01-01T00:00:00", "01-01 00:00", "00:00"):
        try:
            form.encode(value)
        except BadInput:
            continue
        return lambda twin: value
    return None
