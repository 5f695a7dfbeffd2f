"""What a simulated meter answers to reads: every row of the catalogue, and the makers' items that its profile names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterhub_mbus.cjt188.catalogue import READS, Field, catalogue
from meterhub_mbus.cjt188.payload import FIRST, METERING
from meterhub_mbus.cjt188.units import CODES, USUAL, converted

if TYPE_CHECKING:
    from meterhub_mbus.cjt188.simulator import Twin


def answer_payload(twin: Twin, identifier: str) -> bytes | None:
    """The payload of an identifier; None for one that this meter does not know."""
    row = catalogue().find(identifier, twin.family)
    if any(one.identifier == identifier and one.form is not None for one in twin.points):
        return _makers_payload(twin, identifier)
    if row is None or row.control not in READS:
        return None
    if identifier == METERING and twin.dialect.unit:
        return _encoded(twin, row.answer[0], None)[:-1] + twin.status()  # a maker's short answer: total and status
    back = row.back(identifier)
    return b"".join(_encoded(twin, field, back) for field in row.answer)


def _encoded(twin: Twin, field: Field, back: int | None) -> bytes:
    if field.key == "status":
        return twin.status()
    form = field.format
    if form.text == "TIME" and twin.clock_filler is not None:
        return bytes((twin.clock_filler,)) * form.size
    value = twin.state.value(field.key, back)
    if not isinstance(value, tuple):
        return form.encode(value)
    amount, decimals, word = value
    if field.quantity == "volume":
        amount = int(amount / twin.dialect.volume_factor)
    target = twin.dialect.unit if field.quantity == "volume" and twin.dialect.unit else USUAL[field.quantity]
    digits = form.encode((converted(amount, decimals, word, target, form.decimals) or 0) % 10 ** (2 * form.size))
    code = bytes((CODES[target],))
    return code + digits if twin.dialect.position == FIRST else digits + code


def _makers_payload(twin: Twin, identifier: str) -> bytes:
    """Zeros, or the meter's clock, at the places that points of the profile name."""
    points = [one for one in twin.points if one.identifier == identifier and one.form is not None]
    data = bytearray(max(one.at + one.form.size for one in points))
    for one in points:
        if one.form.text == "TIME":
            data[one.at : one.at + one.form.size] = one.form.encode(twin.state.moment())
    return bytes(data)
