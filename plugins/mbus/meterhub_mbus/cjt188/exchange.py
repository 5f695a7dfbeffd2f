"""One question to one meter: the frame, which answer is its, and what a refusal means.

An answer is known by address, function and identifier, in either order of its bytes, and not by the meter type: some
meters answer with another one. The serial number should be repeated; as many meters do not, a wrong one is an answer,
too, unless the profile is strict. A refusal has no identifier; it is known by address and function.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from meterhub.errors import NoAnswer, Refused
from meterhub.field.dialogue import Ask, Dialogue
from meterhub.field.protocol import Meter
from meterhub.texts import mark
from meterhub_mbus.cjt188.catalogue import READ
from meterhub_mbus.cjt188.frame import (
    ADDRESS_BYTES,
    ANY_BYTE,
    FOLLOWS,
    FROM_METER,
    HIGH,
    LOW,
    OVERHEAD,
    REFUSED,
    START,
    Frame,
    assemble,
)
from meterhub_mbus.cjt188.options import COUNTING, NONE, Dialect, dialect_of
from meterhub_mbus.cjt188.payload import AUTO, METERING, split

log = logging.getLogger(__name__)

PLACEHOLDERS = (ANY_BYTE, 0xFF)
EVERYBODY = b"\x99" * ADDRESS_BYTES
USUAL_BYTES = 43


class Memory:
    """What is remembered of one meter for the life of the process."""

    __slots__ = ("dialect", "options", "order", "purchase", "serial", "warned")

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options
        self.dialect = dialect_of(options)
        self.order: str | None = None if self.dialect.order == AUTO else self.dialect.order
        self.serial = 0
        self.purchase: tuple[int, int, int] | None = None
        """Number, amount and serial number of the purchase that was sent last."""
        self.warned = False

    def forget_order(self) -> None:
        """Find out anew which order of bytes the meter understands, unless its profile says it."""
        if self.dialect.order == AUTO:
            self.order = None


class Reply(NamedTuple):
    """What an answer holds."""

    payload: bytes
    meter_type: int


class Talk:
    """What all questions of one dialogue with one meter have in common."""

    __slots__ = ("_wild", "_wire", "dialect", "memory", "where")

    def __init__(self, meter: Meter, memory: Memory) -> None:
        self.memory = memory
        self.dialect: Dialect = memory.dialect
        self.where = meter.id
        self._wire = bytes.fromhex(meter.address)[::-1]
        self._wild = any(one in PLACEHOLDERS for one in self._wire)

    def frame(self, control: int, identifier: str, payload: bytes = b"", serial: int | None = None) -> Frame:
        """A request with the next serial number, or with that of an earlier one which it repeats."""
        wire = bytes.fromhex(identifier)
        if (self.memory.order or self.dialect.preferred_order) == LOW:
            wire = wire[::-1]
        number = b"" if self.dialect.serial == NONE else bytes((self.next_serial() if serial is None else serial,))
        head = bytes((START, self.dialect.meter_type)) + self._wire
        return assemble(head, control, wire + number + payload, self.dialect.preamble)

    def reply(self, payload: bytes) -> Reply:
        """A payload that the meter has just told."""
        return Reply(payload, self.dialect.meter_type)

    def next_serial(self) -> int:
        """The serial number of a new question."""
        if self.dialect.serial != COUNTING:
            return 0 if self.dialect.serial == NONE else int(self.dialect.serial, 16)
        self.memory.serial = (self.memory.serial + 1) & 0xFF
        return self.memory.serial

    def answers(self, request: Frame, other_wire: bytes = b"") -> Callable[[Frame], bool]:
        """What answers ``request``; also from the address ``other_wire`` when the meter may have taken that."""
        good, identifier = request.control | FROM_METER, request.raw[11:13]
        wanted = request.serial if self.dialect.strict_serial else None
        ignored = FOLLOWS if self.dialect.edition == "2018" else 0

        def match(frame: Frame) -> bool:
            raw = frame.raw
            if not self.is_mine(raw[2:9]) and raw[2:9] != other_wire:
                return False
            if raw[9] == good | REFUSED:
                return wanted is None or frame.serial == wanted
            if raw[9] & ~ignored != good or raw[11:13] not in (identifier, identifier[::-1]):
                return False
            return wanted is None or frame.serial == wanted

        return match

    def is_mine(self, wire: bytes) -> bool:
        """Whether a frame of this address may be from the meter; placeholders stand for any byte."""
        if wire == self._wire:
            return True
        pairs = zip(self._wire, wire, strict=True)
        return self._wild and all(one in PLACEHOLDERS or one == other for one, other in pairs)

    def check(self, request: Frame, reply: Frame, what: str) -> Frame:
        """The reply, unless it is a refusal: then ``Refused`` with its status."""
        if reply.refused:
            code = reply.payload.hex().upper()
            reasons = self.dialect.status.reasons(reply.payload)
            words = ", ".join(reasons) or mark("no reason given")
            raise Refused(f"the meter refused {what}: {words}", reply=code, reasons=reasons, where=self.where)
        if request.serial != reply.serial and self.dialect.serial == COUNTING and not self.memory.warned:
            self.memory.warned = True
            log.warning("%s answers with serial numbers of its own; they are not checked", self.where)
        return reply


def ask(
    talk: Talk,
    request: Frame,
    what: str,
    *,
    tries: int | None = None,
    timeout_s: float | None = None,
    hold: bool = False,
) -> Dialogue[Frame]:
    """Ask once, or as often as the line does. Raises ``Refused``; ``NoAnswer`` and ``LinkDown`` pass."""
    reply: Frame = yield Ask(
        request,
        talk.answers(request),
        tries=tries,
        timeout_s=timeout_s,
        answer_bytes=OVERHEAD + USUAL_BYTES,
        hold=hold,
    )
    return talk.check(request, reply, what)


def read_data(talk: Talk, identifier: str, control: int = READ) -> Dialogue[Reply]:
    """The payload of one identifier. The first question to a meter also finds out its order of bytes."""
    if talk.memory.order is None:
        reply = yield from _in_either_order(talk, identifier, control)
    else:
        reply = yield from ask(talk, talk.frame(control, identifier), identifier)
    payload = reply.data[2:] if talk.dialect.serial == NONE else split(reply)[1]
    return Reply(payload, reply.meter_type)


def settle_order(talk: Talk) -> Dialogue[None]:
    """See to it that the order of bytes is known before something is sent that must not be sent twice."""
    if talk.memory.order is None:
        try:
            yield from read_data(talk, METERING)
        except Refused:
            talk.memory.order = talk.dialect.preferred_order  # it understood, and has no such data


def _in_either_order(talk: Talk, identifier: str, control: int) -> Dialogue[Frame]:
    """Ask in the edition's order, then in the other one, by turns; what was answered is remembered.

    A meter that refuses one order may well know the identifier in the other. An answer may be lost on the way: when
    nothing at all was heard, each is asked once more.
    """
    first = talk.dialect.preferred_order
    second = LOW if first == HIGH else HIGH
    problems: list[Refused | NoAnswer] = []
    for order in (first, second, first, second):
        if len(problems) == 2 and any(isinstance(one, Refused) for one in problems):
            break
        talk.memory.order = order
        try:
            return (yield from ask(talk, talk.frame(control, identifier), identifier, tries=1))
        except (Refused, NoAnswer) as error:
            problems.append(error)
            talk.memory.order = None
        except BaseException:
            talk.memory.order = None
            raise
    raise next((one for one in problems if isinstance(one, Refused)), problems[-1])
