"""The members of a JSON object as the very text they were sent as, because a signature covers that text. Pure.

::

    {"alipay_trade_query_response":{"code":"10000", ... },"sign":"ERITJK..."}
     |---------- name ------------| |----- slice ------|
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn

BLANKS = " \t\n\r"
LARGEST = 1 << 20


def members(text: str) -> dict[str, str]:
    """Every member of the object in ``text`` with the text of its value. Raises ``ValueError``.

    A member that comes twice, at any depth, is refused, as are more than a million characters.
    """
    if len(text) > LARGEST:
        raise ValueError("it is too long")
    at = _after(text, 0, "{")
    found: dict[str, str] = {}
    while text[at : at + 1] != "}":
        if found:
            at = _after(text, at, ",")
        name, at = _name(text, at)
        at = _after(text, at, ":")
        _, end = _decoded(text, at)
        if name in found:
            raise ValueError("a member comes twice")
        found[name] = text[at:end]
        at = _skip(text, end)
    if _skip(text, at + 1) != len(text):
        raise ValueError("something follows the object")
    return found


def value(text: str) -> Any:
    """The value of one slice; fractions come as ``Decimal``. Raises ``ValueError``."""
    return _decoded(text, 0)[0]


def _name(text: str, at: int) -> tuple[str, int]:
    if text[at : at + 1] != '"':
        raise ValueError(f"a name is missing at {at}")
    name, end = _decoded(text, at)
    return name, _skip(text, end)


def _decoded(text: str, at: int) -> tuple[Any, int]:
    try:
        return DECODER.raw_decode(text, at)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _after(text: str, at: int, wanted: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != wanted:
        raise ValueError(f"{wanted} is missing at {at}")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in BLANKS:
        at += 1
    return at


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member comes twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_float=Decimal, parse_constant=_no_constant)
