"""Names of what headers and frames hold as numbers: device types, CI fields, errors. EN 13757-7, EN 13757-3."""

from __future__ import annotations

from collections.abc import Mapping

from meterhub.texts import mark

MEDIA: Mapping[int, str] = {
    0x00: "other",
    0x01: "oil",
    0x02: "electricity",
    0x03: "gas",
    0x04: "heat (outlet)",
    0x05: "steam",
    0x06: "warm water",
    0x07: "water",
    0x08: "heat cost allocator",
    0x09: "compressed air",
    0x0A: "cooling (outlet)",
    0x0B: "cooling (inlet)",
    0x0C: "heat (inlet)",
    0x0D: "heat and cooling",
    0x0E: "bus or system component",
    0x0F: "unknown",
    0x10: "irrigation water",
    0x11: "water data logger",
    0x12: "gas data logger",
    0x13: "gas converter",
    0x14: "calorific value",
    0x15: "hot water",
    0x16: "cold water",
    0x17: "hot and cold water",
    0x18: "pressure",
    0x19: "A/D converter",
    0x1A: "smoke detector",
    0x1B: "room sensor",
    0x1C: "gas detector",
    0x1D: "carbon monoxide detector",
    0x1E: "leak detector",
    0x1F: "motion sensor",
    0x20: "breaker",
    0x21: "valve",
    0x25: "customer unit",
    0x28: "waste water",
    0x29: "garbage",
    0x2A: "carbon dioxide",
    0x30: "service unit",
    0x31: "communication controller",
    0x32: "unidirectional repeater",
    0x33: "bidirectional repeater",
    0x36: "radio converter (system side)",
    0x37: "radio converter (meter side)",
    0x38: "wired adapter",
    0xFF: "any",
}

FIXED_MEDIA = (
    "other",
    "oil",
    "electricity",
    "gas",
    "heat",
    "steam",
    "hot water",
    "water",
    "heat cost allocator",
    "reserved",
    "gas (mode 2)",
    "heat (mode 2)",
    "hot water (mode 2)",
    "water (mode 2)",
    "heat cost allocator (mode 2)",
    "reserved",
)
"""The sixteen media of the fixed data structure."""

APPLICATION_ERRORS: Mapping[int, str] = {
    0x00: mark("unspecified error"),
    0x01: mark("unimplemented CI field"),
    0x02: mark("buffer too long, truncated"),
    0x03: mark("too many records"),
    0x04: mark("premature end of record"),
    0x05: mark("more than ten DIFEs"),
    0x06: mark("more than ten VIFEs"),
    0x08: mark("application too busy"),
    0x09: mark("too many readouts"),
    0x11: mark("access denied"),
    0x12: mark("application unknown"),
    0x13: mark("parameter wrong"),
    0x14: mark("receiver unknown"),
    0x15: mark("decryption failed"),
    0x16: mark("encryption method unknown"),
    0x17: mark("signature method unknown"),
}

RESETS: Mapping[int, str] = {
    0x00: "all",
    0x01: "user data",
    0x02: "simple billing",
    0x03: "enhanced billing",
    0x04: "multi-tariff billing",
    0x05: "instantaneous values",
    0x06: "load management values",
    0x07: "reserved",
    0x08: "installation and startup",
    0x09: "testing",
    0x0A: "calibration",
    0x0B: "manufacturing",
    0x0C: "development",
    0x0D: "self test",
}
"""What the high nibble behind an application reset (CI 50) selects; the low one is the number of the telegram."""

BAUD_RATES: Mapping[int, int] = {
    0xB8: 300,
    0xB9: 600,
    0xBA: 1200,
    0xBB: 2400,
    0xBC: 4800,
    0xBD: 9600,
    0xBE: 19200,
    0xBF: 38400,
}

CI_NAMES: Mapping[int, str] = {
    0x50: "application reset",
    0x51: "data to the meter",
    0x52: "selection of a meter",
    0x53: "application select",
    0x54: "synchronise",
    0x55: "data to the meter, mode 2",
    0x56: "selection of a meter, mode 2",
    0x5A: "data to the meter, short header",
    0x5B: "data to the meter, long header",
    0x5C: "synchronise, mode 2",
    0x5F: "security information, long header",
    0x60: "DLMS to the meter, long header",
    0x61: "DLMS to the meter, short header",
    0x64: "OBIS data to the meter, long header",
    0x65: "OBIS data to the meter, short header",
    0x66: "select response, no header",
    0x67: "select response, short header",
    0x68: "select response, long header",
    0x69: "format frame, no header",
    0x6A: "format frame, short header",
    0x6B: "format frame, long header",
    0x6C: "clock set, long header",
    0x6D: "clock adjustment, long header",
    0x6E: "application error, short header",
    0x6F: "application error, long header",
    0x70: "application error",
    0x71: "alarm",
    0x72: "variable data, long header",
    0x73: "fixed data",
    0x74: "alarm, short header",
    0x75: "alarm, long header",
    0x76: "variable data, mode 2",
    0x77: "fixed data, mode 2",
    0x78: "variable data, no header",
    0x79: "compact data, no header",
    0x7A: "variable data, short header",
    0x7B: "compact data, short header",
    0x7C: "DLMS from the meter, long header",
    0x7D: "DLMS from the meter, short header",
    0x7E: "OBIS data from the meter, long header",
    0x7F: "OBIS data from the meter, short header",
    0x80: "transport to the meter, long header",
    0x81: "network layer",
    0x82: "for future use",
    0x83: "network management",
    0x84: "transport to the meter, compact frame expected",
    0x85: "transport to the meter, format frame expected",
    0x88: "network management from the meter",
    0x89: "network management, no header",
    0x8A: "transport from the meter, short header",
    0x8B: "transport from the meter, long header",
    0x8C: "extended link layer, short",
    0x8D: "extended link layer, encrypted",
    0x8E: "extended link layer, long",
    0x8F: "extended link layer, long and encrypted",
    0x90: "authentication and fragmentation layer",
    **dict.fromkeys(range(160, 184), "maker's own"),
    **{code: f"change to {rate} baud" for code, rate in BAUD_RATES.items()},
}
"""What a CI field says of the data behind it; the direction is part of it."""

SPECIAL_STATUS = ("no error", "application busy", "application error", "abnormal condition")
STATUS_BITS: Mapping[int, str] = {0x04: "power low", 0x08: "permanent error", 0x10: "temporary error"}


def status_words(status: int, fixed: bool = False) -> list[str]:
    """What is wrong with a meter by its status byte; nothing for a healthy one.

    In the fixed data structure (``fixed``) the two lowest bits say how the counters are coded. The three highest are
    the maker's own.
    """
    words = [] if fixed or not status & 0x03 else [SPECIAL_STATUS[status & 0x03]]
    words += [word for bit, word in STATUS_BITS.items() if status & bit]
    return words + [f"maker's bit {place}" for place in (5, 6, 7) if status >> place & 1]
