"""What the simulated meter says to identifiers that have no source of their own: every one of the catalogue answers.

Values follow from the same load curve: energies of a quantity are a share of the forward energy at that moment, demands
the greatest hour, variables what is measured now; records lie on the days before.
"""

from __future__ import annotations

from functools import lru_cache

from meterhub.clock import utc
from meterhub_dlt645.catalogue import Field, Layout, catalogue
from meterhub_dlt645.formats import Ascii, Binary, Bits, Digits, Moment, Number
from meterhub_dlt645.load_curve import TARIFFS
from meterhub_dlt645.twin_state import PHASE_SHARES, PRICE_FEN_PER_KWH, TwinState
from meterhub_dlt645.values import END_OF_BLOCK, joined_blocks

SHARES = {0: 100, 1: 100, 3: 20, 5: 20, 9: 102}
"""Per cent of the forward energy by quantity: combined, forward, reactive, apparent; the others are nothing."""
PHASES_AT = (0x15, 0x29, 0x3D)
"""Where the quantities of the three phases begin."""
RAW_BYTES = {"EF01": 127, "EF03": 149, "B220": 36, "C213": 12, "B6FF": 62}
"""Sizes of items whose layout nobody has told."""
PARAMETERS = {"2007": "04", "1997": "C"}
LIMIT_CENTI_KWH = 1000
"""What the meter is set to warn at."""
SETTLEMENTS = 13
EVENTS = {"2007": ("0330", "1D00", "1E00"), "1997": ("B21",)}
"""Identifiers of what was done to the meter."""
MOST_OF_A_RECORD = 3
MAKERS_OWN = ("001D0000",)
"""Identifiers that a maker uses in another way than the standard."""


def data_of(edition: str, identifier: str, state: TwinState) -> bytes | None:
    """The data of an identifier, made up in a way that fits; None for one that is not in the catalogue."""
    layout = catalogue(edition).find(identifier)
    if layout is None or layout.access in ("w", "cmd"):
        return None
    if layout.kind == "none":
        return b""
    if layout.kind == "raw":
        return bytes(RAW_BYTES.get(identifier, 4))
    if layout.kind == "joined":
        _, blocks = joined_blocks(identifier)
        parts = (data_of(edition, one, state) for one in blocks)
        return b"".join(part + END_OF_BLOCK for part in parts if part is not None)
    at_ms = moment_of(edition, identifier, state)
    return b"".join(field_data(state, edition, one, field, at_ms) for one, field in _parts(edition, identifier))


def makers_data(identifier: str, state: TwinState) -> bytes:
    """An identifier as one maker uses it."""
    fields = catalogue("2007").makers_own(identifier).fields
    return b"".join(field_data(state, "2007", "00010000", field, None) for field in fields)


@lru_cache(maxsize=4096)
def _parts(edition: str, identifier: str) -> tuple[tuple[str, Field], ...]:
    """The items of an identifier, each with the identifier that stands for it alone."""
    layout = catalogue(edition).find(identifier)
    assert layout is not None
    if layout.members:
        return tuple((one, field) for one in members_of(layout) for field in _fields(edition, one))
    times = range((TARIFFS + 1 if layout.word == "tariff" else MOST_OF_A_RECORD) if layout.repeats else 1)
    return tuple((identifier, field) for _ in times for field in layout.fields)


def members_of(layout: Layout) -> tuple[str, ...]:
    """The identifiers of a block, as many as the meter has tariffs and settlements; none for a single item."""
    if not layout.repeats:
        return layout.members
    counts = {"tariff": TARIFFS + (layout.first == 0), "settlement": SETTLEMENTS}
    return layout.members[: counts.get(layout.word, len(layout.members))]


def _fields(edition: str, identifier: str) -> tuple[Field, ...]:
    layout = catalogue(edition).find(identifier)
    return layout.fields if layout is not None else ()


def moment_of(edition: str, identifier: str, state: TwinState) -> int | None:
    """When an item was: the settlement, freeze or event it belongs to; None for what is now."""
    event = state.events.last(identifier) if identifier.startswith(EVENTS[edition]) else None
    if event is not None:
        return event.at_ms
    if edition == "1997":
        back = {"4": 1, "5": 1, "8": 2, "9": 2}.get(identifier[1]) if identifier[0] in "9AB" else None
        return state.month_start_ms(back) if back and identifier[:2] not in ("B6", "B2", "B3") else None
    group, last = int(identifier[:2], 16), int(identifier[6:], 16)
    if group in (0, 1) and 0 < last <= 12:
        return state.month_start_ms(last)
    if group == 5:
        return state.freeze_ms(int(identifier[2:4], 16), max(1, last))
    if group == 3 or 0x10 <= group <= 0x1F:
        return max(state.day_start_ms(max(1, last)), state.events_cleared_ms)
    return None


def field_data(state: TwinState, edition: str, identifier: str, field: Field, at_ms: int | None) -> bytes:
    """The bytes of one item."""
    form = field.format
    if identifier.startswith(EVENTS[edition]):
        told = _of_event(state, identifier, field)
        if told is not None:
            return told
    if isinstance(form, Moment):
        return _moment(form, state.demand_w(at_ms)[1] if _is_demand(edition, identifier) else at_ms or state.clock_ms)
    if isinstance(form, Number | Binary):
        return form.encode(_fit(form, _number(state, edition, identifier, field, at_ms)))
    if isinstance(form, Ascii):
        return form.encode("TWIN"[: form.size])
    if isinstance(form, Digits):
        return form.encode(state.address[-2 * form.size :])
    if field.name.endswith("switch, 1 open"):
        return form.encode(state.relay_open)
    if "relay open" in field.name:
        return form.encode(state.relay_open << 8 | state.keep_power << 15)
    return bytes(form.size) if isinstance(form, Bits) else bytes((1,)) * form.size


def _of_event(state: TwinState, identifier: str, field: Field) -> bytes | None:
    """How often something was done, by whom, and what was written; None for other items."""
    if field.unit == "times":
        return field.format.encode(state.events.count(identifier))
    event = state.events.last(identifier)
    if event is not None and "operator code" in field.name:
        return field.format.encode(event.operator)
    if event is not None and "identifier" in field.name:
        return field.format.encode(event.identifier if field.name.endswith((" 1", "event")) else "F" * 8)
    return None


def _is_demand(edition: str, identifier: str) -> bool:
    if edition == "1997":
        return identifier[0] in "AB" and identifier[1] in "014589"
    return identifier.startswith("01") or (identifier.startswith("05") and identifier[4:6] in ("09", "0A"))


def _moment(form: Moment, ms: int) -> bytes:
    """A time in the parts of a format, beyond what its text form can say (weekday, number)."""
    when = utc(ms)
    part = {
        **{name: when.strftime(code) for name, code in zip(_NAMES, ("%y", "%m", "%d", "%H", "%M", "%S"), strict=True)},
        "WW": f"{when.isoweekday() % 7:02d}",
        "NN": "01",
    }
    return bytes.fromhex("".join(part[name] for name in form.parts))[::-1]


_NAMES = ("YY", "MM", "DD", "hh", "mm", "ss")


def _fit(form: Number | Binary, value: int) -> int:
    if isinstance(form, Binary):
        return value % ((1 << 8 * form.size) - 1)
    limit: int = 10**form.digits
    return value % (limit * 8 // 10 if form.signed else limit)


def _number(state: TwinState, edition: str, identifier: str, field: Field, at_ms: int | None) -> int:
    """A number in the decimals of the format."""
    unit, decimals = field.unit, field.format.decimals
    if unit in ("kWh", "kvarh", "kVAh"):
        energy = _energy(state, edition, identifier, at_ms)
        of_record = identifier.startswith("03") or identifier[0] == "1"
        return _scaled(energy * _share_in_record(field.name) // 100 if of_record else energy, 2, decimals)
    if unit in ("kW", "kvar", "kVA"):
        watts = state.demand_w(at_ms)[0] if _is_demand(edition, identifier) else state.power_w()
        return _scaled(watts * {"kW": 100, "kvar": 20, "kVA": 102}[unit], 5, decimals)
    if unit == "yuan" and "remaining credit" in field.name.lower():
        return _scaled(state.remaining_fen(), 2, decimals)
    if unit == "yuan" and "overdra" in field.name.lower():
        return 0
    known = {
        "V": (state.voltage_dv(), 1),
        "A": (state.current_ma(), 3),
        "Hz": (state.frequency_chz(), 2),
        "°C": (253, 1),
        "%": (150, 2),
        "min": (15, 0),
        "yuan": (PRICE_FEN_PER_KWH, 2),
        "yuan/kWh": (PRICE_FEN_PER_KWH, 2),
    }
    value, places = known.get(unit, (1, 0))
    return _scaled(value, places, decimals)


def _share_in_record(name: str) -> int:
    """Per cent of the forward energy that an item of an event's record has, by its name."""
    if "quadrant I reactive" in name or "combined reactive 1" in name:
        return SHARES[5]
    return 0 if "reverse" in name or "reactive" in name else 100


def _scaled(value: int, places: int, decimals: int) -> int:
    shifted: int = value * 10**decimals
    return shifted // int(10**places)


def _energy(state: TwinState, edition: str, identifier: str, at_ms: int | None) -> int:
    """0.01 kWh of the quantity and tariff that an identifier names; settings are limits, not readings."""
    if identifier.startswith(PARAMETERS[edition]):
        return LIMIT_CENTI_KWH
    if edition == "1997":
        tariff = int(identifier[3], 16)
        share = {"1": 100, "3": 100}.get(identifier[2], 0) * (20 if identifier[1] in "159" else 100) // 100
        return state.energy(tariff if tariff <= TARIFFS else 0, at_ms) * share // 100
    if identifier.startswith("05"):
        quantity, tariff = int(identifier[4:6], 16), 0
    else:
        quantity, tariff = int(identifier[2:4], 16) if identifier[:2] in ("00", "01") else 1, int(identifier[4:6], 16)
    of_phase = 100
    share, tariff = SHARES.get(quantity, 0), tariff if tariff <= TARIFFS else 0
    for begin in PHASES_AT:
        if begin <= quantity < begin + 10:
            share, tariff = SHARES.get(quantity - begin + 1, 0), 0
            of_phase = PHASE_SHARES[PHASES_AT.index(begin)]
    return state.energy(tariff, at_ms) * share * of_phase // 10_000
