"""The load profile of the simulated meter: a record every quarter of an hour for the last seven days."""

from __future__ import annotations

from datetime import UTC, datetime

from meterhub_dlt645.catalogue import Field
from meterhub_dlt645.formats import Number, parse
from meterhub_dlt645.load_curve import DAY_MS
from meterhub_dlt645.load_profile import END_OF_CLASS, END_OF_RECORD, HEAD, class_fields
from meterhub_dlt645.twin_state import TwinState

EVERY_MS = 900_000
DAYS_KEPT = 7
OLDEST, FROM, NEWEST = "00", "01", "02"


def load_data(identifier: str, request: bytes, state: TwinState) -> bytes:
    """The records that a request wants; nothing when there are none from that time on.

    ``request`` is what follows the identifier: the number of blocks, and a time for those from there on.
    """
    newest = state.now_ms // EVERY_MS * EVERY_MS
    at = oldest = newest - DAYS_KEPT * DAY_MS
    count = request[0] if request else 1
    if identifier[6:] == NEWEST:
        at = newest
    elif identifier[6:] == FROM and len(request) == 6:
        wanted = parse("YYMMDDhhmm").decode(request[1:])
        at = max(oldest, -(-_ms(str(wanted)) // EVERY_MS) * EVERY_MS)
    only = int(identifier[2:4], 16)
    times = range(at, newest + 1, EVERY_MS)[:count]
    return b"".join(_record(state, only, one) for one in times)


def _ms(iso: str) -> int:
    return int(datetime.fromisoformat(iso).replace(tzinfo=UTC).timestamp()) * 1000


def _record(state: TwinState, only: int, at_ms: int) -> bytes:
    body = parse("YYMMDDhhmm").encode(state.moment(at_ms)[:16])
    for number, fields in enumerate(class_fields(), 1):
        if only in (0, number):
            body += b"".join(_value(state, field, at_ms) for field in fields)
        body += bytes((END_OF_CLASS,))
    record = HEAD + bytes((len(body),)) + body
    return record + bytes((sum(record) & 0xFF, END_OF_RECORD))


def _value(state: TwinState, field: Field, at_ms: int) -> bytes:
    form = field.format
    assert isinstance(form, Number)
    watts = state.power_at_w(at_ms)
    known = {
        "V": 2200,
        "A": watts * 1000 // 216,
        "Hz": 5000,
        "kW": watts * 10,
        "kvar": watts * 2,
        "kWh": state.energy(0, at_ms) if "Forward" in field.name else 0,
        "kvarh": state.energy(0, at_ms) // 5 if "1" in field.name or field.name.startswith("Quadrant I ") else 0,
    }
    if field.name.startswith(("Phase B", "Phase C")) and state.phases == 1:
        return b"\xff" * form.size
    return form.encode(known.get(field.unit, 980))
