"""The value information block: what the number of a record is.

::

    VIF [text] VIFE VIFE ...       each with an extension bit D7: another one follows

    00..7A   a code of the primary table
    7C       the unit in plain text: a length byte and that many characters, the last one first
    7E       any, in lists of what shall be read
    7F       the maker's own; the VIFEs, too
    FB FD    the code stands in the next byte, in a table of its own; FD FD leads to a second one
    EF       the same, a table that is not filled yet

EN 13757-3, clauses 6.4.1 to 6.4.8. The VIFEs behind the true code combine with it, see ``vife.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from meterhub_mbus import vife
from meterhub_mbus.dif import EXTENSION
from meterhub_mbus.meaning import SECONDS, SIGNED, TIME, UNKNOWN, UNSIGNED, Meaning
from meterhub_mbus.vif_extended import FB, FD, FD_SECOND_LEVEL
from meterhub_mbus.vif_primary import PRIMARY

PLAIN_TEXT, MANUFACTURER = 0x7C, 0x7F
EXTENSION_TABLES = {0xFB: FB, 0xFD: FD, 0xEF: {}}
EXACT_ZERO = Decimal(0)


@dataclass(slots=True)
class ValueInformation:
    """The meaning of a value, with what the VIFEs made of it. ``modifiers`` are their words, in their order.

    ``error``: why there is no value. ``profile``: the data are a compact profile of this kind (13, 1E or 1F).
    """

    meaning: Meaning
    modifiers: tuple[str, ...] = ()
    addend: Decimal = EXACT_ZERO
    error: str = ""
    profile: int = 0


def value_information(vif: int, text: str | None, extensions: bytes, from_master: bool = False) -> ValueInformation:
    """The meaning of a whole block; ``text`` is that of a plain-text VIF."""
    code = vif & ~EXTENSION
    if text is not None:
        return _combine(Meaning(text), extensions, from_master)
    if code == MANUFACTURER:
        return ValueInformation(PRIMARY[MANUFACTURER])
    if vif in EXTENSION_TABLES and extensions:
        return _extended(vif, extensions, from_master)
    return _combine(PRIMARY.get(code, UNKNOWN), extensions, from_master)


def _extended(vif: int, extensions: bytes, from_master: bool) -> ValueInformation:
    """A block whose code stands in a table of its own, or one level deeper."""
    table, used = EXTENSION_TABLES[vif], 1
    if vif == 0xFD and extensions[0] == 0xFD and len(extensions) > 1:
        table, used = FD_SECOND_LEVEL, 2
    code = extensions[used - 1] & ~EXTENSION
    return _combine(table.get(code, UNKNOWN), extensions[used:], from_master)


def _combine(meaning: Meaning, extensions: bytes, from_master: bool) -> ValueInformation:
    """Let each VIFE do to ``meaning`` what it says."""
    information = ValueInformation(meaning)
    words = []
    rest = iter(extensions)
    for extension in rest:
        code = extension & ~EXTENSION
        if code == vife.SECOND_TABLE:
            words.append(_second_table(information, next(rest, 0) & ~EXTENSION))
            continue
        words.append(vife.words_for(code, from_master))
        if code == vife.MANUFACTURER:
            words += [f"{one:02X}" for one in rest]
        elif not from_master or code > max(vife.OBJECT_ACTIONS):
            _apply(information, code)
    information.modifiers = tuple(words)
    return information


def _second_table(information: ValueInformation, code: int) -> str:
    """A VIFE of the second table: its words, and how the data are read because of it."""
    if code in vife.SECOND_UNSIGNED:
        information.meaning = replace(information.meaning, coding=UNSIGNED)
    elif code in vife.SECOND_TIME:
        information.meaning = Meaning(information.meaning.quantity, coding=TIME)
    elif code in vife.SECOND_OTHER_UNITS:
        information.meaning = replace(information.meaning, unit=None)
    return vife.SECOND_WORDS.get(code, f"second extension {code:02X}")


def _apply(information: ValueInformation, code: int) -> None:
    """A VIFE that changes the number, what the data are, or that says that there is none."""
    meaning = information.meaning
    if code in vife.RECORD_ERRORS:
        information.error = vife.RECORD_ERRORS[code]
    elif code in vife.TIME_POINTS:
        information.meaning = Meaning(meaning.quantity, coding=TIME)
    elif code in vife.DURATIONS:
        information.meaning = Meaning(meaning.quantity, "s", multiplier=SECONDS[code & 3])
    elif code in vife.COUNTS:
        information.meaning = Meaning(meaning.quantity, coding=UNSIGNED)
    elif code == vife.OTHER_UNIT:
        information.meaning = replace(meaning, unit=None)
    elif code in (vife.INVERSE_PROFILE, vife.REGISTER_PROFILE, vife.PROFILE):
        information.profile = code
    elif (factor := vife.factor_exponent(code)) is not None and meaning.coding in (SIGNED, UNSIGNED):
        information.meaning = replace(meaning, exponent=meaning.exponent + factor)
        information.addend = information.addend.scaleb(factor)
    elif (exponent := vife.addend_exponent(code)) is not None:
        information.addend += Decimal(meaning.multiplier).scaleb(exponent + meaning.shift)
