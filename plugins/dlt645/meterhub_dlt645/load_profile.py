"""Load records (class 06): six classes of values, each ended by AA; appendix B of DL/T 645-2007.

::

    A0 A0  length  mm hh DD MM YY  class 1 AA  class 2 AA  ...  class 6 AA  CS  E5
    (E0 E0: the meter marks the record as damaged)

A class that is not recorded is empty, only its AA stays. A read of one class may answer with that class alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from meterhub_dlt645.catalogue import Field, slug
from meterhub_dlt645.chinese import in_chinese
from meterhub_dlt645.formats import parse

END_OF_CLASS, END_OF_RECORD = 0xAA, 0xE5
HEAD, DAMAGED_HEAD = b"\xa0\xa0", b"\xe0\xe0"
HEAD_BYTES = 8

_PHASES = ("A", "B", "C")
CLASSES: tuple[tuple[tuple[str, str, str], ...], ...] = (
    (
        *((f"Phase {one} voltage", "XXX.X", "V") for one in _PHASES),
        *((f"Phase {one} current", "-XXX.XXX", "A") for one in _PHASES),
        ("Grid frequency", "XX.XX", "Hz"),
    ),
    tuple(
        (f"{which} {what} power", "-XX.XXXX", unit)
        for what, unit in (("active", "kW"), ("reactive", "kvar"))
        for which in ("Total", "Phase A", "Phase B", "Phase C")
    ),
    tuple((f"{which} power factor", "-X.XXX", "") for which in ("Total", "Phase A", "Phase B", "Phase C")),
    (
        ("Forward active energy", "XXXXXX.XX", "kWh"),
        ("Reverse active energy", "XXXXXX.XX", "kWh"),
        ("Combined reactive 1 energy", "-XXXXXX.XX", "kvarh"),
        ("Combined reactive 2 energy", "-XXXXXX.XX", "kvarh"),
    ),
    tuple((f"Quadrant {one} reactive energy", "XXXXXX.XX", "kvarh") for one in ("I", "II", "III", "IV")),
    (("Present active demand", "-XX.XXXX", "kW"), ("Present reactive demand", "-XX.XXXX", "kvar")),
)


@lru_cache(maxsize=1)
def class_fields() -> tuple[tuple[Field, ...], ...]:
    """The items of the six classes."""
    return tuple(tuple(_field(*one) for one in fields) for fields in CLASSES)


def _field(name: str, form: str, unit: str) -> Field:
    return Field(slug(name), name, unit, parse(form), name_zh=in_chinese(name))


def records(data: bytes, only: int = 0) -> Iterator[tuple[bool, list[tuple[Field, bytes]]]]:
    """The records in ``data`` as (whole, items); stops where it no longer looks like one.

    ``only`` is the class that was asked for (0: all). A damaged record, or one with a wrong checksum, is not whole.
    """
    time = _field("Time", "YYMMDDhhmm", "")
    at = 0
    while data[at : at + 2] in (HEAD, DAMAGED_HEAD) and at + HEAD_BYTES <= len(data):
        items = [(time, data[at + 3 : at + HEAD_BYTES])]
        found = _classes(data, at + HEAD_BYTES, range(6)) or (
            _classes(data, at + HEAD_BYTES, [only - 1]) if only else None
        )
        if found is None:
            return
        more, end = found
        whole = data[at] == HEAD[0] and sum(data[at:end]) & 0xFF == data[end]
        yield whole, items + more
        at = end + 2


def _classes(data: bytes, at: int, numbers: range | list[int]) -> tuple[list[tuple[Field, bytes]], int] | None:
    """The items of these classes from ``at`` on and where the checksum stands; None when they do not fit."""
    items = []
    for number in numbers:
        if data[at : at + 1] != bytes((END_OF_CLASS,)):
            for field in class_fields()[number]:
                items.append((field, data[at : at + field.format.size]))
                at += field.format.size
        if data[at : at + 1] != bytes((END_OF_CLASS,)):
            return None
        at += 1
    return (items, at) if data[at + 1 : at + 2] == bytes((END_OF_RECORD,)) else None
