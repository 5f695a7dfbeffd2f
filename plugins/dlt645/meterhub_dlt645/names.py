"""Finds identifiers by name, so that people need not know them by heart.

Understood are the identifier itself in hex, the English name (``Forward active energy, tariff 2, settlement 3``), its
key (``forward_active_energy_tariff_2``), the Chinese name (``正向有功电能``, ``正向有功电能 费率2 上3结算日``),
and the word ``block`` (``块``) behind a name for total and all tariffs at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache

from meterhub.errors import BadInput
from meterhub_dlt645.catalogue import Layout, catalogue, slug
from meterhub_dlt645.table import Row

SUFFIXES = {
    "tariff": (r"_tariff_(?P<{0}>\d+)", r"费率(?P<{0}>\d+)"),
    "settlement": (r"_settlement_(?P<{0}>\d+)", r"上(?P<{0}>\d+)结算日"),
}
LONGEST_NAME = 200


def layout_of(edition: str, text: str) -> Layout:
    """The layout that a person means; raises ``BadInput`` with the nearest names for an unknown one."""
    known = catalogue(edition)
    wanted = text.strip()
    digits = wanted.upper().removeprefix("0X")
    if len(digits) == known.width and not set(digits) - set("0123456789ABCDEF"):
        layout = known.find(digits)
        if layout is None:
            raise BadInput(f"the catalogue of DL/T 645-{edition} has no identifier {digits}")
        return layout
    identifier = _identifier(edition, wanted[:LONGEST_NAME])
    layout = known.find(identifier) if identifier else None
    if layout is None:
        near = get_close_matches(slug(wanted), [slug(row.name) for row in known.rows], 3, 0.5)
        raise BadInput(
            f"the catalogue of DL/T 645-{edition} has no item called {wanted[:60]!r}",
            hint="near: " + ", ".join(near) if near else f"an identifier has {known.width} hex digits",
        )
    return layout


def _identifier(edition: str, text: str) -> str | None:
    english, chinese = slug(text), re.sub(r"[\s,，]", "", text)
    for row, by_key, by_name in patterns(edition):
        match = by_key.fullmatch(english) or by_name.fullmatch(chinese)
        if match is not None:
            return _filled(row, match.groupdict(), catalogue(edition).width)
    return None


def _filled(row: Row, found: dict[str, str | None], width: int) -> str:
    """The identifier of a row with the numbers that a name gave; what it did not give is the least."""
    identifier = row.pattern
    blocks = [one for one in row.variables if one.word] if found.get("block") else []
    for one in row.variables:
        number = one.mask if blocks and one is blocks[0] else int(found.get(one.name) or one.least)
        identifier = identifier.replace(one.name, f"{number:0{len(one.name)}X}"[-len(one.name) :], 1)
    return identifier.upper()


@lru_cache(maxsize=2)
def patterns(edition: str) -> list[tuple[Row, re.Pattern[str], re.Pattern[str]]]:
    """Each row with what its key and its Chinese name look like; plain names before those with numbers in them."""
    rows = [(row, re.compile(_key(row)), re.compile(_chinese(row))) for row in catalogue(edition).rows]
    return sorted(rows, key=lambda one: "{" in one[0].name)


def _key(row: Row) -> str:
    parts = [
        f"(?P<{part}>\\d+)" if place % 2 else re.escape(slug(part))
        for place, part in enumerate(re.split(r"\{(\w+)\}", row.name))
    ]
    return "_".join(filter(None, parts)) + "".join(_suffixes(row, row.name, 0)) + "(?P<block>_block)?"


def _chinese(row: Row) -> str:
    name = re.sub(r"[\s,，]", "", row.name_zh)
    parts = [
        f"(?P<{part}>\\d+)" if place % 2 else re.escape(part) for place, part in enumerate(re.split(r"\{(\w+)\}", name))
    ]
    return "".join(parts) + "".join(_suffixes(row, row.name_zh, 1)) + "(?P<block>块)?"


def _suffixes(row: Row, name: str, language: int) -> Iterator[str]:
    for one in row.variables:
        if one.word in SUFFIXES and "{" + one.name + "}" not in name:
            yield f"(?:{SUFFIXES[one.word][language].format(one.name)})?"
