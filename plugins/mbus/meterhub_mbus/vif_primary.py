"""Primary VIF codes, EN 13757-3, table 10; the key is the VIF without its extension bit.

Energy comes in kWh, whatever power of ten of Wh the meter sends; all durations come in seconds.
"""

from __future__ import annotations

from meterhub_mbus.meaning import TIME, UNSIGNED, Meaning, Table, durations, ladder, plain

PRIMARY: Table = {
    **ladder(0x00, 8, "energy", "kWh", -3, shift=-3),
    **ladder(0x08, 8, "energy", "J", 0),
    **ladder(0x10, 8, "volume", "m³", -6),
    **ladder(0x18, 8, "mass", "kg", -3),
    **durations(0x20, "on_time"),
    **durations(0x24, "operating_time"),
    **ladder(0x28, 8, "power", "W", -3),
    **ladder(0x30, 8, "power", "J/h", 0),
    **ladder(0x38, 8, "volume_flow", "m³/h", -6),
    **ladder(0x40, 8, "volume_flow", "m³/min", -7),
    **ladder(0x48, 8, "volume_flow", "m³/s", -9),
    **ladder(0x50, 8, "mass_flow", "kg/h", -3),
    **ladder(0x58, 4, "flow_temperature", "°C", -3),
    **ladder(0x5C, 4, "return_temperature", "°C", -3),
    **ladder(0x60, 4, "temperature_difference", "K", -3),
    **ladder(0x64, 4, "external_temperature", "°C", -3),
    **ladder(0x68, 4, "pressure", "bar", -3),
    0x6C: Meaning("date", coding=TIME),
    0x6D: Meaning("datetime", coding=TIME),
    0x6E: Meaning("hca", "hca"),
    **durations(0x70, "averaging_duration"),
    **durations(0x74, "actuality_duration"),
    **plain(UNSIGNED, {0x78: "fabrication_number", 0x79: "identification", 0x7A: "bus_address"}),
    0x7E: Meaning("any_vif"),
    0x7F: Meaning("manufacturer_specific"),
}
