"""One question to one meter: the frame, which answer is its, and what a refusal means.

Answers are matched by address, function and identifier, because on slow links an answer may come after its time-out.
A refusal carries no identifier; it is matched by address and function.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from meterhub.errors import BadFrame, ConfigError, Refused
from meterhub.field.dialogue import Ask, Dialogue
from meterhub.field.protocol import Meter
from meterhub.texts import mark
from meterhub_dlt645.frame import FOLLOWS, FROM_METER, PLUS_33, REFUSED, Frame, assemble
from meterhub_dlt645.words import refusal

READ = {"2007": 0x11, "1997": 0x01}
READ_NEXT = {"2007": 0x12, "1997": 0x02}
EVENT_STATUS = bytes.fromhex("01150004").translate(PLUS_33)
"""04001501 on the wire: a meter answers read-next with it when D5 only said that an event waits."""
ANY_BYTE, ANY_METER = 0xAA, b"\x99" * 6
DEFAULT_PREAMBLE = 4
FRAME_BYTES = 12
LONGEST_RECORD = 16_384
"""Bytes joined from follow-on frames before a meter is taken to be out of its mind."""


class Talk:
    """What all questions of one dialogue with one meter have in common."""

    __slots__ = ("edition", "head", "preamble", "where")

    def __init__(self, meter: Meter, edition: str, address: str = "") -> None:
        """``address`` is another one than the meter is known by."""
        self.head = b"\x68" + bytes.fromhex(address or meter.address)[::-1] + b"\x68"
        self.edition = edition
        self.where = meter.id
        self.preamble: int = meter.options.get("preamble", DEFAULT_PREAMBLE)

    def frame(self, control: int, wire_data: bytes = b"") -> Frame:
        """A request; ``wire_data`` has its +33H already."""
        return assemble(self.head, control, wire_data, self.edition, self.preamble)

    def answers(
        self, control: int, begin: bytes = b"", other: bytes = b"", end: bytes = b""
    ) -> Callable[[Frame], bool]:
        """What answers the request ``control``: data that begin with ``begin`` and end with ``end``, or begin with
        ``other``, or a refusal (all as on the wire)."""
        head, good = self.head, control | FROM_METER

        def match(frame: Frame) -> bool:
            raw = frame.raw
            if not raw.startswith(head) and not self._is_mine(raw):
                return False
            said = raw[8]
            if said & ~FOLLOWS != good:
                return said == good | REFUSED
            if raw.startswith(begin, 10, -2) and (not end or raw.endswith(end, 10, -2)):
                return True
            return other != b"" and raw.startswith(other, 10, -2)

        return match

    def check(self, frame: Frame, what: str) -> Frame:
        """The frame, unless it is a refusal: then ``Refused`` with code and reasons."""
        if frame.refused:
            code, reasons = refusal(self.edition, frame.control, frame.data)
            words = ", ".join(reasons) or mark("no reason given")
            raise Refused(f"the meter refused {what}: {words}", reply=code, reasons=reasons, where=self.where)
        return frame

    def _is_mine(self, raw: bytes) -> bool:
        """Whether a frame of another address may answer one with placeholders; some gateways echo them."""
        mine = self.head[1:7]
        return mine == ANY_METER or all(one in (ANY_BYTE, other) for one, other in zip(mine, raw[1:7], strict=True))


def read_data(talk: Talk, identifier: str, length: int | None, tail: bytes = b"") -> Dialogue[bytes]:
    """The data of one identifier (after -33H), follow-on frames joined.

    ``length`` is what the catalogue knows: an answer of exactly that length is complete whatever D5 says. ``tail``
    follows the identifier in the request (load records: how many, from when). Raises ``Refused``; ``NoAnswer`` and
    ``LinkDown`` pass.
    """
    wire, control = on_wire(identifier), READ[talk.edition]
    expected = FRAME_BYTES + len(wire) + (40 if length is None else length)
    asked = wire + tail.translate(PLUS_33) if tail else wire
    frame = assemble(talk.head, control, asked, talk.edition, talk.preamble)
    reply: Frame = yield Ask(frame, talk.answers(control, wire), answer_bytes=expected)
    if not reply.raw[8] & (REFUSED | FOLLOWS):
        return reply.payload
    data = talk.check(reply, identifier).payload
    if len(data) == length:
        return data
    return data + (yield from _read_rest(talk, identifier, wire))


@lru_cache(maxsize=4096)
def on_wire(identifier: str) -> bytes:
    """An identifier as it is on the wire."""
    return bytes.fromhex(identifier)[::-1].translate(PLUS_33)


def _read_rest(talk: Talk, identifier: str, wire: bytes) -> Dialogue[bytes]:
    """The data of the follow-on frames. 1997 numbers no frames, so that a lost answer there must not be asked again."""
    control = READ_NEXT[talk.edition]
    numbered = talk.edition == "2007"
    joined = b""
    for number in range(1, 256):
        tail = bytes((number,)).translate(PLUS_33) if numbered else b""
        match = talk.answers(control, wire, EVENT_STATUS if numbered else b"", tail)
        reply: Frame = yield Ask(
            talk.frame(control, wire + tail),
            match,
            tries=None if numbered else 1,
            answer_bytes=FRAME_BYTES + 200,
            hold=True,
        )
        if reply.refused or (numbered and reply.raw[10:14] == EVENT_STATUS != wire):
            return joined  # nothing pending: the first answer was complete
        joined += reply.payload[:-1] if numbered else reply.payload
        if not reply.follows:
            return joined
        if len(joined) > LONGEST_RECORD:
            break
    raise BadFrame(f"the meter never ends its answer to {identifier}", where=talk.where)


def check_address(text: str) -> str:
    """12 digits; shorter ones are padded with zeros on the left. Raises ``ConfigError``."""
    address = text.strip().upper()
    if not 0 < len(address) <= 12 or set(address) - set("0123456789ABCDEF"):
        raise ConfigError(
            mark(f"a DL/T 645 address has up to 12 digits, not {text!r}"), hint=mark('such as "000000012345"')
        )
    return address.zfill(12)
