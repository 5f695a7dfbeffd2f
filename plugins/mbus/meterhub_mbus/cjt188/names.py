"""Finds identifiers by name, so that people need not know them by heart.

Understood are the identifier itself in hex, and a row's English or Chinese name; a history takes a number behind it
(``Total of a month before 3``, ``历史计量数据 3``).
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from meterhub.errors import BadInput
from meterhub_mbus.cjt188.catalogue import Row, catalogue

LONGEST_NAME = 80


def identifier_of(text: str, family: str) -> tuple[str, Row | None]:
    """The identifier that a person means and its row; identifiers that the catalogue lacks are taken in hex.

    Raises ``BadInput`` with the nearest names for an unknown one.
    """
    wanted = text.strip()[:LONGEST_NAME]
    digits = wanted.upper().removeprefix("0X")
    if re.fullmatch("[0-9A-F]{4}", digits):
        return digits, catalogue().find(digits, family)
    rows = [row for row in catalogue().rows if row.family in (family, "any")]
    name, number = _apart(wanted)
    for row in rows:
        if name in (_plain(row.name), _plain(row.name_zh)) and row.first + number - 1 <= row.last:
            return f"{row.first + number - 1:04X}", row
    near = get_close_matches(name, [_plain(row.name) for row in rows], 3, 0.5)
    raise BadInput(
        f"the catalogue of CJ/T 188 has no item called {wanted!r}",
        hint="near: " + ", ".join(near) if near else "an identifier has 4 hex digits",
    )


def _apart(text: str) -> tuple[str, int]:
    """A name and the number behind it, 1 where there is none."""
    match = re.fullmatch(r"(.*?\D)\s*(\d{1,3})", text)
    return (_plain(match[1]), max(1, int(match[2]))) if match else (_plain(text), 1)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.lower()).strip()
