"""The simulated meter: what its profile's points name, a clock, a valve with a motor, a memory to write to."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from meterhub.field.protocol import Meter
from meterhub_mbus.address import parse
from meterhub_mbus.commands import DEFAULT_OFFSET, IDENTITY_HEAD, NUMBER_HEAD, OPEN_AFTER, PRIMARY_HEAD, VALVE_CODES
from meterhub_mbus.dif import MORE_FOLLOWS, SIZES
from meterhub_mbus.encode import chain_end, moment_data, number_data
from meterhub_mbus.exchange import DATA_SEND, SND_UD
from meterhub_mbus.frame import long_frame
from meterhub_mbus.head import Value
from meterhub_mbus.meaning import TIME
from meterhub_mbus.points import Point
from meterhub_mbus.record import CutOff, Record
from meterhub_mbus.slave import Slave
from meterhub_mbus.telegram import read_telegram
from meterhub_mbus.twin_records import TwinRecord, records_for
from meterhub_mbus.twin_values import MICRO, TwinValues

VARIABLE_DATA = 0x72
MAKER = b"\x02\x35"
"""MHB, no maker of this world: the twin's own, where the address leaves it open."""
LONGEST_TELEGRAM = 200
MOTOR_MS = 8_000
PREMATURE_END = 4
MEDIA = (("voltage", 0x02), ("flow_temperature", 0x04), ("pressure", 0x03), ("volume", 0x07), ("energy", 0x04))
"""The medium by the first of these quantities that the profile has, where the address leaves it open."""


class Twin(Slave):
    """One meter. Beside the knobs of ``Slave``: ``stuck`` (the valve never moves) and ``motor_ms``."""

    def __init__(self, meter: Meter, world: Any) -> None:
        address = parse(meter.address)
        random = world.random(f"{meter.id}/identity")
        points: list[Point] = list(meter.points.values())
        secondary = _identity(address.secondary or b"\xff" * 8, points, random)
        fabrication = address.fabrication or bytes.fromhex(f"{random.randrange(10**8):08d}")
        primary = random.randrange(1, 251) if address.secondary else address.primary
        super().__init__(primary, secondary, fabrication, world)
        self.turnaround_s = random.randrange(8, 60) / 1000
        self.values = TwinValues(meter.id, meter.options.get("utc_offset", DEFAULT_OFFSET), world)
        self.stuck = False
        self.motor_ms = MOTOR_MS
        self.status = 0
        self.written: dict[str, Value] = {}
        """What was written, by the name of the point that shows it."""
        self._commands = meter.commands
        self._points = points
        self._records = records_for(points)
        self._more: dict[str, bytes] = {}
        self._valve_open, self._moved_ms = True, 0

    @property
    def valve_open(self) -> bool:
        """Where the valve stands; a motor that runs has not got there yet."""
        return self._valve_open if self.world.now_ms() >= self._moved_ms else not self._valve_open

    def telegrams(self) -> list[tuple[int, bytes]]:
        """All records, in as many telegrams as they need."""
        parts = [b""]
        for data in [*map(self._record, self._records), *self._more.values()]:
            if len(parts[-1]) + len(data) > LONGEST_TELEGRAM:
                parts[-1] += bytes((MORE_FOLLOWS,))
                parts.append(b"")
            parts[-1] += data
        head = self.secondary + bytes((self.access, self.status, 0, 0))
        return [(VARIABLE_DATA, head + part) for part in parts]

    def write(self, data: bytes) -> int | None:
        """Move the valve, or take each record that is sent."""
        for name, opens in OPEN_AFTER.items():
            if name in self._commands and data == bytes.fromhex(self._commands[name].get("send", VALVE_CODES[name])):
                self._move(opens)
                return None
        try:
            records = read_telegram(long_frame(SND_UD, self.primary, DATA_SEND, data)).records
        except CutOff:
            return PREMATURE_END
        at = 0
        for record in records:
            behind = chain_end(data, at) + len(record.head.code) // 2
            self._take(data[at:behind], record)
            at = behind + len(record.data)
        return None

    def _move(self, opens: bool) -> None:
        if not self.stuck and opens is not self.valve_open:
            self._valve_open, self._moved_ms = opens, self.world.now_ms() + self.motor_ms

    def _take(self, block: bytes, record: Record) -> None:
        value, raw = record.value, record.data
        if block == PRIMARY_HEAD:
            self.primary = raw[0]
        elif block == NUMBER_HEAD:
            self.secondary = raw + self.secondary[4:]
        elif block == IDENTITY_HEAD:
            self.secondary = raw
        elif isinstance(value, datetime) and record.head.quantity == "datetime":
            self.values.set_clock(value)
        else:
            shown = [point for point in self._points if point.write == block]
            self.written.update({point.name: value for point in shown})
            if not shown:
                self._more[record.head.code] = block + raw

    def _record(self, record: TwinRecord) -> bytes:
        point, meaning = record.points[0], record.meaning
        written = next((self.written[one.name] for one in record.points if one.name in self.written), None)
        size = SIZES[record.coding]
        if meaning.coding == TIME:
            moment = written if isinstance(written, date) else self.values.now()
            return record.block + moment_data(moment, size)
        if isinstance(written, Decimal):
            return record.block + number_data(int(written.scaleb(-meaning.exponent)), record.coding, size)
        _, storage, tariff, _, _ = point.key
        micro = self.values.micro(meaning.quantity, meaning.unit, storage or 0, tariff or 0)
        number = 0 if "backward" in point.modifiers else int(Decimal(micro).scaleb(-MICRO - meaning.exponent))
        if any(one.bit >= 0 for one in record.points):
            number = self._status(record.points)
        return record.block + number_data(number % 10**8, record.coding, size)

    def _status(self, points: list[Point]) -> int:
        """A status in which nothing is wrong, with the valve where it is."""
        valves = {spec.get("state", "valve") for name, spec in self._commands.items() if name in OPEN_AFTER}
        number = 0
        for point in points:
            if point.bit >= 0 and point.mask == 1:
                number |= ((self.valve_open if point.name in valves else False) != point.invert) << point.bit
        return number


def _identity(wanted: bytes, points: list[Point], random: Any) -> bytes:
    """The 8 bytes of a meter: what the address says, something of its own where that leaves it open."""
    number = "".join(str(random.randrange(10)) if digit == "f" else digit for digit in wanted[:4].hex())
    quantities = {point.key[0] for point in points}
    medium = next((code for quantity, code in MEDIA if quantity in quantities), 0x07)
    return (
        bytes.fromhex(number)
        + (MAKER if wanted[4:6] == b"\xff\xff" else wanted[4:6])
        + (b"\x01" if wanted[6] == 0xFF else wanted[6:7])
        + (bytes((medium,)) if wanted[7] == 0xFF else wanted[7:8])
    )
