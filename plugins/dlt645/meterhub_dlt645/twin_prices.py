"""The prices of the simulated meter: from the switch time on the standby set is the one in use."""

from __future__ import annotations

from collections.abc import Mapping

from meterhub_dlt645.formats import parse
from meterhub_dlt645.load_curve import DAY_MS, HOUR_MS, TARIFF_BY_HOUR
from meterhub_dlt645.twin_state import TwinState

STANDBY = {"040501": ("040502", "04000108"), "040600": ("040602", "04000109"), "040601": ("040603", "04000109")}
"""For each set in use: its standby set and the time of the change."""
NOW = ("02800020", "02800021")
"""The price that is asked at this hour, and that of its tariff."""


def in_use(identifier: str, written: Mapping[str, bytes], state: TwinState) -> str:
    """Where the value of an identifier is kept now: itself, or in the standby set once that is in force."""
    if identifier in NOW:
        identifier = f"040501{TARIFF_BY_HOUR[state.clock_ms % DAY_MS // HOUR_MS]:02X}"
    standby, time = STANDBY.get(identifier[:6], ("", ""))
    when = parse("YYMMDDhhmm").decode(written[time]) if time in written else None
    return standby + identifier[6:] if when is not None and str(when) <= state.moment()[:16] else identifier
