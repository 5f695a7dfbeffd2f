"""The link layer of a simulated meter: addresses, selection, frame count bits, speed, and what goes wrong with them.

It keeps the rules of EN 13757-2: silent to everything that is not for it or not valid; a request with the same frame
count bit gets the last answer again; an order that comes twice is carried out once.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from meterhub.field.protocol import SimulatedMeter
from meterhub_mbus.address import ANY_METER, EVERYBODY, SELECTED, fits
from meterhub_mbus.exchange import (
    APPLICATION_RESET,
    DATA_SEND,
    FABRICATION_RECORD,
    REQ_UD1,
    REQ_UD2,
    RSP_UD,
    SELECT,
    SND_NKE,
    SND_UD,
)
from meterhub_mbus.frame import (
    ACCESS_DEMAND,
    ACKNOWLEDGE,
    DATA_FLOW_CONTROL,
    FRAME_COUNT_BIT,
    FRAME_COUNT_VALID,
    Frame,
    long_frame,
)

SPEEDS = {0xB8: 300, 0xB9: 600, 0xBA: 1200, 0xBB: 2400, 0xBC: 4800, 0xBD: 9600, 0xBE: 19200, 0xBF: 38400}
"""CI that sets the speed."""
COUNTED = FRAME_COUNT_BIT | FRAME_COUNT_VALID
APPLICATION_ERROR, UNKNOWN_CI = 0x70, 1
ALARM = 0x71
FALL_BACK_MS = 120_000
"""A meter that hears nothing valid at a new speed for so long goes back to the old one."""


class Slave(SimulatedMeter):
    """One meter's end of the wire. The knobs make it misbehave: ``silent``, ``lose_next`` (does as told, but the
    answer is lost), ``spoil_next`` (wrong checksum), ``ignores_bit`` (each request brings the next telegram),
    ``repeats_for_ever`` (the bit does not bring the next one), ``wrong_address`` (in its answers), ``busy`` (DFC),
    ``knows_fabrication`` (False: looks at the 8 bytes only), ``alarm`` (a status byte that waits as class-1 data)."""

    def __init__(self, primary: int, secondary: bytes, fabrication: bytes, world: Any) -> None:
        self.primary = primary
        self.secondary = secondary
        self.fabrication = fabrication
        self.world = world
        self.turnaround_s = 0.02
        self.selected = False
        self.access = 0
        self.silent = self.lose_next = self.spoil_next = False
        self.ignores_bit = self.repeats_for_ever = self.busy = False
        self.wrong_address = False
        self.knows_fabrication = True
        self.alarm: int | None = None
        self.error: int | None = None
        self.place = 0
        """Which telegram comes next."""
        self._bits: dict[int, bool | None] = {}
        self._last: dict[int, bytes | None] = {}
        self._speeds: list[int] = [0]
        self._new_until_ms = 0

    @property
    def only_at(self) -> int:  # type: ignore[override]
        """The speed it has now; a new one at which nothing was heard is given up after two minutes."""
        if self._new_until_ms and self.world.now_ms() > self._new_until_ms:
            self._new_until_ms = 0
            self._speeds.pop()
        return self._speeds[-1]

    @abstractmethod
    def telegrams(self) -> list[tuple[int, bytes]]:
        """CI and data of each telegram of a readout."""

    @abstractmethod
    def write(self, data: bytes) -> int | None:
        """Carry out what a data send says; the number of an application error, or None."""

    def reset_application(self, data: bytes) -> None:
        """Go back to the first telegram; ``data`` may say which readout is wanted."""
        self.place = 0

    def answer(self, frame: Frame) -> bytes | None:
        """What the meter says to a frame on its wire."""
        control, to = frame.control, frame.address
        if control is None or to is None or not frame.from_master or self.silent:
            return None
        if to not in (self.primary, ANY_METER, EVERYBODY, SELECTED):
            return None
        self._new_until_ms = 0
        said = self._obey(control & ~COUNTED, control & COUNTED, to, frame)
        if said is None or to == EVERYBODY:
            return None
        if self.lose_next:
            self.lose_next = False
            return None
        if self.spoil_next and len(said) > 1:
            self.spoil_next = False
            return said[:-2] + bytes((said[-2] ^ 0x5A, said[-1]))
        return said

    def _obey(self, function: int, counted: int, to: int, frame: Frame) -> bytes | None:
        if to == SELECTED and frame.ci == SELECT:
            return self._select(frame.data)
        if to == SELECTED and not self.selected:
            return None
        if function == SND_NKE:
            return self._reset(to)
        if function not in (SND_UD, REQ_UD1, REQ_UD2):
            return None
        if self._is_repeat(counted, to) and not (self.ignores_bit and function == REQ_UD2):
            return self._last[to]
        said = self._carry_out(frame) if function == SND_UD else self._data(function)
        self._last[to] = said
        return said

    def _select(self, data: bytes) -> bytes | None:
        wanted = data[8:14]
        self.selected = len(data) >= 8 and fits(data[:8], self.secondary)
        if self.selected and wanted.startswith(FABRICATION_RECORD) and self.knows_fabrication:
            digits = zip(wanted[2:].hex(), self.fabrication.hex(), strict=True)
            self.selected = all(one in ("f", mine) for one, mine in digits)
        self._forget(SELECTED)
        return ACKNOWLEDGE if self.selected else None

    def _reset(self, to: int) -> bytes:
        self._forget(to)
        if to == SELECTED:
            self.selected = False
        return ACKNOWLEDGE

    def _forget(self, to: int) -> None:
        self._bits.pop(to, None)
        self._last.pop(to, None)
        self.place = 0

    def _is_repeat(self, counted: int, to: int) -> bool:
        """Whether the frame count bit says that this is asked once more; notes the bit."""
        if not counted & FRAME_COUNT_VALID:
            return False
        bit = bool(counted & FRAME_COUNT_BIT)
        before, self._bits[to] = self._bits.get(to), bit
        return bit == before and self._last.get(to) is not None

    def _carry_out(self, frame: Frame) -> bytes:
        if frame.ci in SPEEDS:
            self._speeds = [self._speeds[0], SPEEDS[frame.ci]]
            self._new_until_ms = self.world.now_ms() + FALL_BACK_MS
        elif frame.ci == APPLICATION_RESET:
            self.reset_application(frame.data)
        elif frame.ci == DATA_SEND:
            self.error = self.write(frame.data)
        else:
            self.error = UNKNOWN_CI
        return ACKNOWLEDGE

    def _data(self, function: int) -> bytes:
        if function == REQ_UD1 and self.alarm is None:
            return ACKNOWLEDGE
        control = RSP_UD | (DATA_FLOW_CONTROL if self.busy else 0)
        if function == REQ_UD1 and self.alarm is not None:
            ci, data, self.alarm = ALARM, bytes((self.alarm,)), None
        elif self.error is not None:
            ci, data, self.error = APPLICATION_ERROR, bytes((self.error,)), None
        else:
            control |= ACCESS_DEMAND if self.alarm is not None else 0
            ci, data = self._next_telegram()
        address = (self.primary + 1) % 251 if self.wrong_address else self.primary
        return long_frame(control, address, ci, data).raw

    def _next_telegram(self) -> tuple[int, bytes]:
        telegrams = self.telegrams()
        telegram = telegrams[self.place % len(telegrams)]
        if not self.repeats_for_ever:
            self.place = (self.place + 1) % len(telegrams)
            self.access = (self.access + 1) & 0xFF
        return telegram
