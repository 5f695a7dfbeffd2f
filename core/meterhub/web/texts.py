"""Texts of pages: gettext catalogues in three languages, and the texts that plugins bring by language."""

from __future__ import annotations

import gettext
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

LANGUAGES: Mapping[str, str] = {"zh-CN": "简体中文", "en": "English", "ja": "日本語"}
"""The languages there are, each by its own name."""

LOCALE_DIR = Path(__file__).parent.parent / "locale"


def mark(text: str) -> str:
    """Mark a text for the catalogues where it is not translated yet."""
    return text


class Texts:
    """The texts of one language: ``texts("Online")`` translates, ``texts.pick(mapping)`` chooses."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.short = language.split("-")[0]
        names = [language.replace("-", "_"), self.short]
        self.catalogue = gettext.translation("meterhub", LOCALE_DIR, names, fallback=True)
        self._known: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self.catalogue.gettext(text) if text else ""
        return known

    def count(self, one: str, many: str, n: int) -> str:
        """The form for ``n`` things, with ``%(n)d`` filled in."""
        return self.catalogue.ngettext(one, many, n) % {"n": n}

    def pick(self, text: Mapping[str, str] | str | None) -> str:
        """A text by language in this one, else in English, else whatever there is."""
        if not text:
            return ""
        if isinstance(text, str):
            return self(text)
        return text.get(self.short) or text.get(self.language) or text.get("en") or next(iter(text.values()))


@lru_cache(maxsize=8)
def texts_for(language: str) -> Texts:
    """The texts of a language; English for an unknown one."""
    return Texts(language if language in LANGUAGES else "en")


def choose(wanted: Iterable[str], default: str = "en") -> str:
    """The first language of ``wanted`` that there is; ``zh`` and ``zh-Hans`` mean Simplified Chinese."""
    for one in wanted:
        for language in LANGUAGES:
            if one.lower() == language.lower() or one.lower().split("-")[0] == language.split("-")[0]:
                return language
    return default


def accepted(header: str) -> list[str]:
    """The languages of an ``Accept-Language`` header, most wanted first."""
    ranked = []
    for place, part in enumerate(header.split(",")[:10]):
        name, _, weight = part.partition(";q=")
        try:
            ranked.append((-float(weight or 1), place, name.strip()))
        except ValueError:
            continue
    return [name for _, _, name in sorted(ranked) if name]
