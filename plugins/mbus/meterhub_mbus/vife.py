"""Combinable VIF extensions: what a VIFE behind the true VIF does to a record. EN 13757-3, tables 15, 17 and 18.

Most of them only add words, such as "averaged". Some change the number (70..7B, 7D), some say that the data are a
point in time, a duration or a count instead of the quantity, and some say why there is no value.
"""

from __future__ import annotations

from collections.abc import Mapping

RECORD_ERRORS: Mapping[int, str] = {
    0x01: "too many DIFEs",
    0x02: "storage number not implemented",
    0x03: "unit number not implemented",
    0x04: "tariff number not implemented",
    0x05: "function not implemented",
    0x06: "data class not implemented",
    0x07: "data size not implemented",
    0x0B: "too many VIFEs",
    0x0C: "illegal VIF group",
    0x0D: "illegal VIF exponent",
    0x0E: "VIF and DIF do not match",
    0x0F: "action not implemented",
    0x15: "no data available",
    0x16: "overflow",
    0x17: "underflow",
    0x18: "data error",
    0x1C: "premature end of record",
}
"""From a meter: why the record has no value."""

OBJECT_ACTIONS: Mapping[int, str] = {
    0x00: "write",
    0x01: "add",
    0x02: "subtract",
    0x03: "or",
    0x04: "and",
    0x05: "exclusive or",
    0x06: "and not",
    0x07: "clear",
    0x08: "add entry",
    0x09: "delete entry",
    0x0A: "delayed action",
    0x0B: "freeze",
    0x0C: "add to readout list",
    0x0D: "delete from readout list",
}
"""From a master: what it wants to be done with the data."""

INVERSE_PROFILE, REGISTER_PROFILE, PROFILE = 0x13, 0x1E, 0x1F
"""The data are a compact profile; see ``profile.py``."""

OTHER_UNIT = 0x3D
"""The value is in a unit of the United States, whichever the maker means: that of the VIF is wrong."""

SECOND_TABLE, FACTOR_THOUSAND, MANUFACTURER = 0x7C, 0x7D, 0x7F
"""The next VIFE is of the second table; the value is to be taken times 1000; whatever follows is the maker's."""

WORDS: dict[int, str] = {
    0x12: "averaged",
    INVERSE_PROFILE: "inverse compact profile",
    0x14: "relative deviation",
    0x1D: "standard conform",
    REGISTER_PROFILE: "compact profile with registers",
    PROFILE: "compact profile",
    0x20: "per s",
    0x21: "per min",
    0x22: "per h",
    0x23: "per d",
    0x24: "per week",
    0x25: "per month",
    0x26: "per year",
    0x27: "per revolution",
    0x28: "per input pulse 0",
    0x29: "per input pulse 1",
    0x2A: "per output pulse 0",
    0x2B: "per output pulse 1",
    0x2C: "per l",
    0x2D: "per m³",
    0x2E: "per kg",
    0x2F: "per K",
    0x30: "per kWh",
    0x31: "per GJ",
    0x32: "per kW",
    0x33: "per K·l",
    0x34: "per V",
    0x35: "per A",
    0x36: "times s",
    0x37: "times s/V",
    0x38: "times s/A",
    0x39: "start of",
    0x3A: "uncorrected unit",
    0x3B: "forward",
    0x3C: "backward",
    OTHER_UNIT: "non-metric unit",
    0x3E: "at base conditions",
    0x3F: "OBIS declaration",
    0x69: "leakage",
    0x6D: "overflow value",
    FACTOR_THOUSAND: "times 1000",
    0x7E: "future value",
    MANUFACTURER: "manufacturer",
}
"""What the codes say that are no error, no limit and no factor."""

SECOND_WORDS: Mapping[int, str] = {
    0x01: "phase L1",
    0x02: "phase L2",
    0x03: "phase L3",
    0x04: "neutral",
    0x05: "L1 to L2",
    0x06: "L2 to L3",
    0x07: "L3 to L1",
    0x08: "quadrant 1",
    0x09: "quadrant 2",
    0x0A: "quadrant 3",
    0x0B: "quadrant 4",
    0x0C: "import minus export",
    0x0D: "alternative non-metric unit",
    0x0E: "secondary sensor",
    0x0F: "higher resolution",
    0x10: "accumulated absolute value",
    0x11: "data type C",
    0x12: "data type D",
    0x13: "end of",
    0x14: "direction to meter",
    0x15: "direction from meter",
}
"""The second table of combinable extensions, behind the VIFE FC."""
SECOND_UNSIGNED, SECOND_TIME, SECOND_OTHER_UNITS = frozenset({0x11, 0x12}), frozenset({0x13}), frozenset({0x0D})
"""Codes of the second table that change how the data are read, or that the unit is another one than the code's."""


def _limit_words() -> dict[int, str]:
    """40..6F but 69 and 6D: limits, and what happened when a value was beyond them; bit by bit in the standard."""
    words = {}
    for code in range(0x40, 0x60):
        upper = "upper" if code & 0x08 else "lower"
        if code & 0x10:
            words[code] = f"duration of {'last' if code & 0x04 else 'first'} {upper} limit exceed"
        elif code & 0x07 < 2:
            words[code] = f"number of {upper} limit exceeds" if code & 1 else f"{upper} limit"
        elif code & 0x02:
            edge, turn = "end" if code & 0x01 else "begin", "last" if code & 0x04 else "first"
            words[code] = f"{edge} of {turn} {upper} limit exceed"
    for code in range(0x60, 0x68):
        words[code] = f"duration of {'last' if code & 0x04 else 'first'}"
    for code in (0x6A, 0x6B, 0x6E, 0x6F):
        words[code] = f"{'end' if code & 0x01 else 'begin'} of {'last' if code & 0x04 else 'first'}"
    return words | {0x68: "value during lower limit exceed", 0x6C: "value during upper limit exceed"}


WORDS |= _limit_words()

TIME_POINTS = frozenset({0x39, 0x6A, 0x6B, 0x6E, 0x6F} | {code for code in range(0x40, 0x50) if code & 0x02})
"""The data are a date or a date with time."""
DURATIONS = frozenset(range(0x50, 0x68))
"""The data are a duration; the last two bits say whether in s, min, h or d."""
COUNTS = frozenset({0x41, 0x49})
"""The data are a count without unit."""


def factor_exponent(code: int) -> int | None:
    """The power of ten that a VIFE multiplies the value with, or None."""
    if 0x70 <= code <= 0x77:
        return code - 0x76
    return 3 if code == FACTOR_THOUSAND else None


def addend_exponent(code: int) -> int | None:
    """The power of ten that a VIFE adds to the value, in the unit of the VIF, or None."""
    return code - 0x7B if 0x78 <= code <= 0x7B else None


def words_for(code: int, from_master: bool) -> str:
    """A combinable extension in words; a code without any in hex."""
    if from_master and code in OBJECT_ACTIONS:
        return OBJECT_ACTIONS[code]
    if not code or code in RECORD_ERRORS:
        return RECORD_ERRORS.get(code, "no error")
    factor, addend = factor_exponent(code), addend_exponent(code)
    if addend is not None:
        return f"plus 10^{addend}"
    if factor is not None and code != FACTOR_THOUSAND:
        return f"times 10^{factor}"
    return WORDS.get(code, f"extension {code:02X}")
