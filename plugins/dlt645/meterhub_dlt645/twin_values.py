"""The identifiers that the simulated meter answers, and where their values come from.

Numbers are in the decimals of the identifier's own format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from meterhub_dlt645.load_curve import TARIFFS
from meterhub_dlt645.twin_state import POWER_FACTOR, PRICE_FEN_PER_KWH, TwinState

Value = int | str
Source = Callable[[TwinState], Value]
ALL_TARIFFS = range(TARIFFS + 1)
PHASES = (1, 2, 3)


def constant(value: Value) -> Source:
    """Always the same."""
    return lambda twin: value


def settled(tariff: int, back: int) -> Source:
    """An energy as it was at the beginning of a month."""
    return lambda twin: twin.energy(tariff, twin.month_start_ms(back))


def frozen(tariff: int, back: int) -> Source:
    """An energy as it was at a midnight."""
    return lambda twin: twin.energy(tariff, twin.day_start_ms(back))


def frozen_at(back: int) -> Source:
    """When a daily freeze happened."""
    return lambda twin: twin.moment(twin.day_start_ms(back))[:16]


def power(phase: int) -> Source:
    """Active power in 0.1 W."""
    return lambda twin: twin.power_w(phase) * 10


def reactive(phase: int) -> Source:
    """Reactive power in 0.1 var."""
    return lambda twin: twin.reactive_var(phase) * 10


def reactive_of_1997(phase: int) -> Source:
    """The same with the two decimals of 1997."""
    return lambda twin: twin.reactive_var(phase) // 10


def apparent(phase: int) -> Source:
    """Apparent power in 0.1 VA."""
    return lambda twin: twin.apparent_va(phase) * 10


def power_factor(twin: TwinState) -> int:
    """Thousandths; 1 without load."""
    return 1000 if twin.relay_open else POWER_FACTOR


def day(twin: TwinState) -> str:
    """The date of the meter's clock."""
    return twin.moment()[:10]


def time(twin: TwinState) -> str:
    """The time of the meter's clock."""
    return twin.moment()[11:]


def own_address(twin: TwinState) -> str:
    """The meter's address."""
    return twin.address


def whole_volts(phase: int) -> Source:
    """Voltages of 1997 have no decimals."""
    return lambda twin: twin.voltage_dv(phase) // 10


def current_ca(phase: int) -> Source:
    """Currents of 1997 have two decimals."""
    return lambda twin: twin.current_ma(phase) // 10


def _energies() -> dict[str, Source]:
    sources: dict[str, Source] = {}
    for tariff in ALL_TARIFFS:
        for quantity in ("0000", "0001"):
            sources[f"{quantity}{tariff:02X}00"] = partial(TwinState.energy, tariff=tariff)
            for back in range(1, 13):
                sources[f"{quantity}{tariff:02X}{back:02X}"] = settled(tariff, back)
        for number in (2, 4, 6, 7, 8):
            sources[f"{number:04X}{tariff:02X}00"] = constant(0)
    return sources


def _phases() -> dict[str, Source]:
    sources: dict[str, Source] = {}
    for phase in PHASES:
        sources[f"0201{phase:02X}00"] = partial(TwinState.voltage_dv, phase=phase)
        sources[f"0202{phase:02X}00"] = partial(TwinState.current_ma, phase=phase)
        sources[f"0207{phase:02X}00"] = constant(115)
    for phase in (0, *PHASES):
        sources[f"0203{phase:02X}00"] = power(phase)
        sources[f"0204{phase:02X}00"] = reactive(phase)
        sources[f"0205{phase:02X}00"] = apparent(phase)
        sources[f"0206{phase:02X}00"] = power_factor
    return sources


SOURCES_2007: Mapping[str, Source] = {
    **_energies(),
    **_phases(),
    "02800002": TwinState.frequency_chz,
    "02800004": power(0),
    "02800007": constant(253),
    "02800008": constant(360),
    "0280000A": constant(86_400),
    "00900100": TwinState.remaining_centi_kwh,
    "00900101": constant(0),
    "00900200": TwinState.remaining_fen,
    "00900201": constant(0),
    "04000101": day,
    "04000102": time,
    "0400010C": TwinState.moment,
    "04000401": own_address,
    "04000402": own_address,
    "04000409": constant(1200),
    "04000503": TwinState.status_word_3,
    **{f"0400050{word}": constant(0) for word in (1, 2, 4, 5, 6, 7)},
    **{f"040501{tariff:02X}": constant(PRICE_FEN_PER_KWH * 100) for tariff in ALL_TARIFFS if tariff},
    "04001001": constant(2000),
    "04001002": constant(1000),
    **{f"050600{back:02X}": frozen_at(back) for back in range(1, 63)},
}

SOURCES_1997: Mapping[str, Source] = {
    **{f"901{tariff:X}": partial(TwinState.energy, tariff=tariff) for tariff in ALL_TARIFFS},
    **{f"902{tariff:X}": constant(0) for tariff in ALL_TARIFFS},
    **{f"941{tariff:X}": settled(tariff, 1) for tariff in ALL_TARIFFS},
    **{f"981{tariff:X}": settled(tariff, 2) for tariff in ALL_TARIFFS},
    **{f"B61{phase}": whole_volts(phase) for phase in PHASES},
    **{f"B62{phase}": current_ca(phase) for phase in PHASES},
    **{f"B63{phase}": power(phase) for phase in (0, *PHASES)},
    **{f"B64{phase}": reactive_of_1997(phase) for phase in (0, *PHASES)},
    **{f"B65{phase}": power_factor for phase in (0, *PHASES)},
    "C010": day,
    "C011": time,
    "C020": constant(0),
    "C021": constant(0),
    "C022": constant(0),
    "C030": constant(1600),
    "C032": own_address,
}
