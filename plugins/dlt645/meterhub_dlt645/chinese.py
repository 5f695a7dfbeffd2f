"""Chinese names of items, put together from the phrases of ``tables/words-zh.txt``.

The tables of identifiers hold the Chinese name of each row; the items and bits within a row are named in English only,
and are made of few words.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=1)
def phrases() -> tuple[dict[str, str], re.Pattern[str]]:
    """The phrases in lower case, and what finds the longest one that fits."""
    text = (files("meterhub_dlt645") / "tables" / "words-zh.txt").read_text("utf-8")
    lines = (line.split(" | ") for line in text.splitlines() if line and not line.startswith("#"))
    known = {english.lower(): chinese for english, chinese in lines}
    longest_first = sorted(known, key=len, reverse=True)
    return known, re.compile(r"(?<![a-z])(?:" + "|".join(map(re.escape, longest_first)) + r")(?![a-z])", re.IGNORECASE)


@lru_cache(maxsize=2048)
def in_chinese(name: str) -> str:
    """A name in Chinese; words that are not known stay as they are. Numbers keep their places."""
    known, pattern = phrases()
    text = pattern.sub(lambda match: known[match[0].lower()], name)
    return re.sub(r"(?<![a-zA-Z]) | (?![a-zA-Z])", "", text).replace(",", "，")
