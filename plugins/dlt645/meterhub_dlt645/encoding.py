"""Values as people write them, to the data of an identifier."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from meterhub.errors import BadInput
from meterhub_dlt645.catalogue import Field, Layout, slug
from meterhub_dlt645.formats import Binary, Format, Number
from meterhub_dlt645.points import scaled

LONGEST_WRITE = 200


def encode_values(layout: Layout, text: str) -> bytes:
    """The data of a write; the values of several items stand behind each other, with commas. Raises ``BadInput``."""
    if layout.kind != "fields":
        return _raw(text)
    parts = [one.strip() for one in text.split(",")]
    fields = _fields_for(layout, len(parts))
    if len(fields) != len(parts):
        names = ", ".join(field.name for field in fields[:8])
        raise BadInput(
            f"{layout.name} has {len(fields)} items and {len(parts)} are given",
            hint=f"in order: {names}; or single ones as name=value",
        )
    data = b"".join(field.format.encode(stored(field.format, part)) for field, part in zip(fields, parts, strict=True))
    if len(data) > LONGEST_WRITE:
        raise BadInput(f"{len(data)} bytes are more than one write holds")
    return data


def names_items(layout: Layout, text: str) -> bool:
    """Whether a text changes single items of a record (``overdraft limit=50.00``) in place of giving all of them."""
    return "=" in text and layout.kind == "fields" and len(layout.fields) > 1


def changed_items(layout: Layout, present: bytes, text: str) -> bytes:
    """``present`` with the items that ``text`` names in their new values. Raises ``BadInput``."""
    places = {slug(field.name.rpartition(": ")[2]): (field, at) for field, at in layout.items(len(present))}
    data = bytearray(present)
    for part in text.split(","):
        name, _, shown = part.partition("=")
        if slug(name) not in places:
            near = get_close_matches(slug(name), places, 3)
            raise BadInput(f"{layout.name} has no item {name.strip()!r}", hint="near: " + ", ".join(near or places))
        field, at = places[slug(name)]
        data[at : at + field.format.size] = field.format.encode(stored(field.format, shown.strip()))
    return bytes(data)


def stored(form: Format, shown: str) -> int | str:
    """A value as people write it in the units of its format; raises ``BadInput``."""
    return scaled(shown, form.decimals) if isinstance(form, Number | Binary) else shown


def _fields_for(layout: Layout, count: int) -> Sequence[Field]:
    """The items that ``count`` values are for: of a block that repeats, as often as they fill it."""
    times, rest = divmod(count, len(layout.fields))
    return layout.fields * times if layout.repeats and not rest else layout.fields


def _raw(text: str) -> bytes:
    digits = re.sub(r"\s", "", text)
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise BadInput("the layout of this item is not known: write its bytes in hex, as on the wire") from None
