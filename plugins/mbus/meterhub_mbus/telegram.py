"""A whole telegram: link frame, header, records; whatever the CI field says. EN 13757-2 and -3, EN 13757-7.

The way of the bytes, and of whoever wants to learn the protocol::

    frame.py        68 L L 68 C A CI ... CS 16          who says it, to whom, and that it is whole
    telegram.py     CI                                  what stands behind it; crypto.py if it is encrypted
    header.py       ID, maker, version, medium, status  whose data they are
    dissector.py    DIF.. VIF.. data, DIF.. VIF.. data  where each record stands
      dif.py          storage, tariff, device, function
      vif.py          quantity, unit, power of ten      the tables: vif_primary.py, vif_extended.py, vife.py
      head.py         both together, made ready         number_types.py, times.py, lvar.py read the data
    record.py       value                               profile.py where one record holds many
    explain.py      all of it as JSON
"""

from __future__ import annotations

from dataclasses import dataclass

from meterhub.errors import BadFrame
from meterhub_mbus.crypto import (
    CLEAR_START,
    MODE_DERIVED_KEY,
    decrypt_mode_5,
    decrypt_mode_7,
    encrypted_size,
    repeats_itself,
)
from meterhub_mbus.dissector import (
    FROM_MASTER,
    FROM_MASTER_HIGH_FIRST,
    FROM_METER,
    FROM_METER_HIGH_FIRST,
    MORE_HEAD,
)
from meterhub_mbus.fixed import fixed_layout
from meterhub_mbus.frame import FROM_MASTER as FROM_MASTER_BIT
from meterhub_mbus.frame import Frame, decode_frame
from meterhub_mbus.header import (
    IDENTITY_SIZE,
    LONG,
    LONG_SIZE,
    SHORT,
    SHORT_SIZE,
    Header,
    fixed_header,
    long_header,
    short_header,
)
from meterhub_mbus.record import EMPTY, CutOff, Layout, Record

NO_HEADER = "none"
RECORDS = {0x72: LONG, 0x7A: SHORT, 0x78: NO_HEADER, 0x51: NO_HEADER, 0x5A: SHORT}
RECORDS |= {0x5B: LONG, 0x76: LONG, 0x55: NO_HEADER}
"""CI fields with records behind them, and the header before these."""
FIXED = {0x73, 0x77}
HIGH_FIRST = {0x55, 0x56, 0x76, 0x77}
"""Mode 2: numbers with their high byte first."""
ERRORS = {0x70: NO_HEADER, 0x6E: SHORT, 0x6F: LONG}
ALARMS = {0x71: NO_HEADER, 0x74: SHORT, 0x75: LONG}
SELECTIONS = {0x52, 0x56}
FRAGMENTATION = 0x90
COUNTER_PRESENT, CONTROL_PRESENT, KEY_PRESENT = 0x0800, 0x2000, 0x0200
"""Bits of the fragmentation layer's control field: which of its other fields there are."""


@dataclass(slots=True)
class Telegram:
    """One telegram. ``body`` are the bytes behind the header, in clear; ``layout`` tells the records in it.

    ``encrypted``: there are records in ``body``, but no key to read them with.
    """

    frame: Frame
    header: Header | None = None
    body: bytes = b""
    layout: Layout = EMPTY
    ci: int | None = None
    """The CI of the application, which stands deeper than the frame's where there is an authentication layer."""
    encrypted: bool = False

    @property
    def records(self) -> list[Record]:
        """The records, in their order; made anew each time."""
        return self.layout.records(self.body)

    @property
    def more(self) -> bool:
        """Whether the meter has more telegrams of this readout."""
        return bool(self.layout.parts) and self.layout.parts[-1].head is MORE_HEAD

    @property
    def application_error(self) -> int | None:
        """The code of an application error, 0 (unspecified) where it gives none; None for other telegrams."""
        if self.ci not in ERRORS:
            return None
        return self.body[0] if self.body else 0


def decode_telegram(data: bytes, key: bytes | None = None, identity: bytes | None = None) -> Telegram:
    """Explain exactly one frame, FE before it allowed.

    ``key``: for encrypted data. ``identity``: the eight bytes of the secondary address, which data with the short
    header are encrypted with. Raises only ``BadFrame``: ``CutOff`` with the good records if one of them is broken.
    """
    return read_telegram(decode_frame(data), key, identity)


def read_telegram(frame: Frame, key: bytes | None = None, identity: bytes | None = None) -> Telegram:
    """The same for a frame already found to be valid."""
    raw = frame.raw
    if len(raw) < 9:
        return Telegram(frame)
    ci, data, counter = raw[6], raw[7:-2], None
    if ci == FRAGMENTATION:
        ci, data, counter = _open_fragmentation_layer(data)
    high_first = ci in HIGH_FIRST
    if ci in RECORDS:
        header, body = _split(RECORDS[ci], data, high_first)
        if header is not None and header.configuration:
            clear = _clear_text(header, body, key, identity, counter)
            if clear is None:
                return _without_key(Telegram(frame, header, body, ci=ci))
            body = clear
        return _with_records(Telegram(frame, header, body, ci=ci), raw[4] & FROM_MASTER_BIT)
    if ci in FIXED:
        return Telegram(frame, fixed_header(data, high_first), data, fixed_layout(data, high_first), ci)
    if ci in SELECTIONS:
        if len(data) < IDENTITY_SIZE:
            raise BadFrame(f"a selection has at least {IDENTITY_SIZE} bytes, this has {len(data)}")
        body = data[IDENTITY_SIZE:]  # records that narrow the selection down
        return _with_records(Telegram(frame, None, body, ci=ci), True)
    header, body = _split(ERRORS.get(ci) or ALARMS.get(ci, NO_HEADER), data, high_first)
    return Telegram(frame, header, body, ci=ci)


def _with_records(telegram: Telegram, from_master: int) -> Telegram:
    """``telegram`` with its records; one that is cut off comes with what it holds under ``CutOff.telegram``."""
    if telegram.ci in HIGH_FIRST:
        dissector = FROM_MASTER_HIGH_FIRST if from_master else FROM_METER_HIGH_FIRST
    else:
        dissector = FROM_MASTER if from_master else FROM_METER
    try:
        telegram.layout = dissector.layout(telegram.body)
    except CutOff as cut:
        telegram.layout = cut.layout
        cut.telegram = telegram
        raise
    return telegram


def _split(kind: str, data: bytes, high_first: bool) -> tuple[Header | None, bytes]:
    """The header of a kind, and what stands behind it."""
    if kind == LONG:
        return long_header(data, high_first), data[LONG_SIZE:]
    return (short_header(data), data[SHORT_SIZE:]) if kind == SHORT else (None, data)


def _clear_text(
    header: Header, body: bytes, key: bytes | None, identity: bytes | None, counter: int | None
) -> bytes | None:
    """The body in clear; None if it is encrypted and something to decrypt it with is missing."""
    derived = header.configuration >> 8 & 0x1F == MODE_DERIVED_KEY
    data = body[1:] if derived else body  # one more byte there, which names the key
    size = encrypted_size(header.configuration, data)
    if not size:
        return data if data.startswith(CLEAR_START) else body
    identity = header.identity or identity
    if key is None or identity is None or len(identity) != IDENTITY_SIZE:
        return None
    if not derived:
        return decrypt_mode_5(data, size, key, identity, header.access)
    return None if counter is None else decrypt_mode_7(data, size, key, identity, counter)


def _without_key(telegram: Telegram) -> Telegram:
    """What can be told of data that the configuration word calls encrypted: older meters have a signature there."""
    body = telegram.body
    try:
        layout = FROM_METER.layout(body) if repeats_itself(body) else EMPTY
    except CutOff:
        layout = EMPTY
    if layout.parts and not any(one.head.error for one in layout.parts):
        telegram.layout = layout
    else:
        telegram.encrypted = True
    return telegram


def selected(telegram: Telegram) -> Header | None:
    """Of a selection, the header that the meters meant would send, with zeros behind their address; else None."""
    if telegram.ci not in SELECTIONS:
        return None
    identity = telegram.frame.data[:IDENTITY_SIZE]
    return long_header(identity + bytes(LONG_SIZE - IDENTITY_SIZE), telegram.ci in HIGH_FIRST)


def _open_fragmentation_layer(data: bytes) -> tuple[int, bytes, int | None]:
    """CI, data and message counter behind the authentication and fragmentation layer (EN 13757-7, clause 6)."""
    if len(data) < 3 or len(data) < data[0] + 2:
        raise BadFrame("the authentication and fragmentation layer is cut off")
    control = data[1] | data[2] << 8
    inner = 1 + data[0]
    at = 3 + bool(control & CONTROL_PRESENT) + 2 * bool(control & KEY_PRESENT)
    has_counter = control & COUNTER_PRESENT and at + 4 <= inner
    counter = int.from_bytes(data[at : at + 4], "little") if has_counter else None
    return data[inner], data[inner + 1 :], counter
