"""Layouts of the security and prepayment commands (control 03), by identifier and length.

Supplements of 2009 on; the vendor forms carry an order number in place of count and MAC. Amounts are binary in cents.
"""

from __future__ import annotations

from meterhub_dlt645.catalogue import Field, slug
from meterhub_dlt645.chinese import in_chinese
from meterhub_dlt645.formats import parse

_PURCHASE = "UINT32.2 amount yuan, UINT32 purchase count, HEX4 MAC 1, DIGITS6 customer number, HEX4 MAC 2"
_ORDER = "UINT32.2 amount yuan, HEX8 order number, HEX4 MAC 1, DIGITS6 meter address, HEX4 MAC 2"
_COUNTED = "XXXXXX.XX amount yuan, XXXXXXXX purchase count, XX direction, HEX13 zeros"
_STATUS = "UINT32.2 remaining credit yuan, UINT32 purchase count, DIGITS6 customer number, HEX4 key information"
_STATUS_WITH_MACS = (
    "UINT32.2 remaining credit yuan, HEX4 MAC 1, UINT32 purchase count, HEX4 MAC 2, "
    "DIGITS6 customer number, HEX4 key information"
)
_COUNTED_STATUS = "XX sign, XXXXXX.XX remaining credit yuan, XXXXXX.XX total credit yuan, XXXX purchase count"
_CANCELLED = "DIGITS6 customer number, UINT32.2 remaining credit yuan, UINT32 purchase count"
_KEY = "HEX4 key information, HEX4 MAC, HEX32 key"
_FILE = "HEX2 length, HEX2 start, HEX2 file, HEX2 directory"

PLAIN_OPERATOR = "00000001"
"""A maker without security module uses this operator; its amounts are BCD (recharge as long as the national one)."""

REQUESTS: dict[str, tuple[str, ...]] = {
    "070000FF": ("HEX8 ciphertext 1, HEX8 random number 1, HEX8 diversifier",),
    "070001FF": ("XXXX validity min, HEX4 MAC",),
    "070003FF": ("HEX8 ciphertext of random number 2",),
    "070101FF": (_PURCHASE,),
    "070102FF": (_PURCHASE, _ORDER),
    "070103FF": ("UINT32.2 amount yuan, HEX4 MAC 1, UINT32 purchase count, HEX4 MAC 2",),
    "070108FF": (_ORDER,),
    **{f"07020{number}FF": (_KEY,) for number in (1, 2, 3, 4)},
    "078001FF": (_FILE,),
    "078003FF": ("HEX8 random number 1",),
}
"""What follows the operator code."""

ANSWERS: dict[str, tuple[str, ...]] = {
    "070000FF": ("HEX4 random number 2, HEX8 ESAM serial number",),
    **dict.fromkeys(("070002FF", "07000201"), (_CANCELLED, _CANCELLED + ", HEX4 key information")),
    **dict.fromkeys(("078102FF", "07810201"), (_STATUS, _STATUS + ", HEX4 MAC", _STATUS_WITH_MACS, _COUNTED_STATUS)),
    "078003FF": ("DIGITS6 meter number, HEX8 ESAM serial number, HEX8 ciphertext 1, HEX8 random number 2",),
}
"""What follows the identifier; the last form of a status is that of the maker without security module."""

UNITS = ("yuan", "min")


def security_fields(identifier: str, answer: bool, length: int, operator: str = "") -> list[Field] | None:
    """The items of a security command with ``length`` bytes, or None where no layout is known for it."""
    texts = (ANSWERS if answer else REQUESTS).get(identifier, ())
    if identifier == "070102FF" and operator == PLAIN_OPERATOR:
        texts = (_COUNTED, *texts)
    for text in texts:
        fields = [_field(one) for one in text.split(", ")]
        if sum(field.format.size for field in fields) == length:
            return fields
    return None


def _field(text: str) -> Field:
    form, *words = text.split()
    unit = words.pop() if words[-1] in UNITS else ""
    name = " ".join(words)
    return Field(slug(name), name[0].upper() + name[1:], unit, parse(form), name_zh=in_chinese(name))
