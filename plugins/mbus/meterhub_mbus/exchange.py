"""One conversation with one meter: link reset or selection, then requests and orders with their frame count bit.

::

    primary:    SND_NKE -> E5    REQ_UD2 (FCB 1) -> RSP_UD    REQ_UD2 (FCB 0) -> RSP_UD ...
    secondary:  SND_UD to 253, CI 52, 8 bytes -> E5    REQ_UD2 to 253 (FCB 1) -> RSP_UD ...

The bit toggles after each exchange that worked; a repeat has the same, so that a meter which has heard the request
already only answers again (EN 13757-2, 5.7). After a reset or a selection the first one is 1.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping

from meterhub.field.dialogue import Ask, Dialogue
from meterhub.field.protocol import Meter
from meterhub_mbus.address import ANY_METER, SELECTED, Address, fits, parse
from meterhub_mbus.frame import FRAME_COUNT_BIT, FRAME_COUNT_VALID, Frame, long_frame, short_frame

SND_NKE, SND_UD, REQ_UD1, REQ_UD2 = 0x40, 0x43, 0x4A, 0x4B
"""Control fields without their frame count bits."""
RSP_UD = 0x08
DATA_SEND, SELECT, APPLICATION_RESET = 0x51, 0x52, 0x50
FABRICATION_RECORD = b"\x0c\x78"
ANSWER_BITS, ANSWER_S = 330, 0.05
"""A meter begins its answer no later than 330 bit times and 50 ms after the request (EN 13757-2, 4.3.3)."""
ANSWER_BYTES, ACK_BYTES = 120, 1
ID_FIRST, ID_ONLY = (0x72, 0x75, 0x6F), 0x73
"""CI of answers that begin with the 8 bytes of the meter's identity, and of the one with only its number."""


class Talk:
    """The state of a conversation. ``memory`` keeps the next frame count bit of meters that must not be reset.

    ``address``: another one than the meter is configured with."""

    __slots__ = ("_bit", "_memory", "_ping", "address", "where")

    def __init__(self, meter: Meter, memory: MutableMapping[str, bool], address: Address | None = None) -> None:
        self.address = address or parse(meter.address)
        self.where = meter.id
        self._ping: bool = meter.options.get("ping", True)
        self._memory = memory
        self._bit = memory.get(meter.id, True)

    def begin(self) -> Dialogue[None]:
        """Make the meter listen: reset its link, or select it and unselect all others. ``NoAnswer`` passes."""
        if self.address.secondary:
            yield from select(self.address)
        elif self._ping:
            yield ask(short_frame(SND_NKE, self.address.primary), is_ack)
        else:
            return
        self._bit = True

    def request(self, function: int = REQ_UD2) -> Dialogue[Frame]:
        """The next telegram; for ``REQ_UD1`` perhaps an acknowledgement: no alarm."""
        match = self._answers_alarm if function == REQ_UD1 else self._answers
        reply = yield ask(short_frame(self._counted(function), self.address.primary), match, ANSWER_BYTES)
        self._toggle()
        return reply  # type: ignore[no-any-return]

    def tell(self, ci: int, data: bytes = b"") -> Dialogue[None]:
        """Send data or an order that the meter acknowledges; it only says that it has heard."""
        yield ask(long_frame(self._counted(SND_UD), self.address.primary, ci, data), is_ack)
        self._toggle()

    def is_from_meter(self, frame: Frame) -> bool:
        """Whether a telegram is this meter's, by its address or by the identity that it brings."""
        if self.address.secondary:
            return fits_identity(self.address.secondary, frame)
        return self.address.primary in (ANY_METER, frame.address)

    def _answers(self, frame: Frame) -> bool:
        return is_telegram(frame) and self.is_from_meter(frame)

    def _answers_alarm(self, frame: Frame) -> bool:
        return is_ack(frame) or self._answers(frame)

    def _counted(self, function: int) -> int:
        return function | FRAME_COUNT_VALID | (FRAME_COUNT_BIT if self._bit else 0)

    def _toggle(self) -> None:
        self._bit = not self._bit
        if not self._ping and not self.address.secondary:
            self._memory[self.where] = self._bit


def ask(
    frame: Frame,
    match: Callable[[Frame], bool],
    answer_bytes: int = ACK_BYTES,
    tries: int | None = None,
    hold: bool = True,
) -> Ask:
    """A question with the standard's time-out. It keeps the line for this conversation, unless ``hold`` is off: a
    selection in between would take the meter away."""
    return Ask(
        frame,
        match,
        timeout_s=ANSWER_S,
        timeout_bits=ANSWER_BITS,
        answer_bytes=answer_bytes,
        tries=tries,
        hold=hold,
    )


def select(address: Address, tries: int | None = None) -> Dialogue[None]:
    """Select whoever has this secondary address; all others are unselected. ``NoAnswer`` passes."""
    yield ask(selection(address), is_ack, tries=tries)


def selection(address: Address) -> Frame:
    """The frame that selects; the fabrication number goes behind as a record (enhanced selection)."""
    data = address.secondary + (FABRICATION_RECORD + address.fabrication if address.fabrication else b"")
    return long_frame(SND_UD | FRAME_COUNT_VALID, SELECTED, SELECT, data)


def is_ack(frame: Frame) -> bool:
    """Whether it is E5."""
    return len(frame.raw) == 1


def is_telegram(frame: Frame) -> bool:
    """Whether it is a meter's answer with data (RSP_UD), whatever it says of alarms and being busy."""
    return frame.ci is not None and not frame.from_master and (frame.control or 0) & 0x0F == RSP_UD


def identity(frame: Frame) -> bytes:
    """The 8 bytes that select whoever sent this telegram, FF where it does not say; b'' where it brings none."""
    data = frame.data
    if frame.ci in ID_FIRST and len(data) >= 8:
        return data[:8]
    return data[:4] + b"\xff" * 4 if frame.ci == ID_ONLY and len(data) >= 4 else b""


def fits_identity(pattern: bytes, frame: Frame) -> bool:
    """Whether a telegram may come from a meter that ``pattern`` selects; one without identity may."""
    who = identity(frame)
    if not who:
        return True
    return fits(pattern if frame.ci != ID_ONLY else pattern[:4] + b"\xff" * 4, who)
