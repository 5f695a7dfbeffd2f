"""Texts that people see: gettext catalogues in three languages, and texts that plugins give by language.

Catalogues are gettext's own ``.mo`` files in ``locale/<language>/LC_MESSAGES``; the message ids are the English
texts. A plugin adds its own catalogues with ``add``; the core's words win where both translate a text.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from meterhub.sentences import Sentences

LANGUAGES: Mapping[str, str] = {"zh-CN": "简体中文", "en": "English", "ja": "日本語"}
"""The languages there are, each by its own name."""

DOMAIN = "meterhub"
LOCALE_DIR = Path(__file__).parent / "locale"

_folders: dict[Path, str] = {LOCALE_DIR: DOMAIN}


def mark(text: str) -> str:
    """Mark a text for the catalogues where it is not translated yet.

    An f-string stands in them with its values as ``{name}``, and is translated by ``Texts.said``.
    """
    return text


class Texts:
    """The texts of one language: ``texts("Online")`` translates, ``texts.pick(mapping)`` chooses."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.short = language.split("-")[0]
        self.catalogue: gettext.NullTranslations = gettext.NullTranslations()
        for folder, domain in reversed(_folders.items()):
            found = gettext.translation(domain, folder, [language.replace("-", "_"), self.short], fallback=True)
            found.add_fallback(self.catalogue)
            self.catalogue = found
        self.said = Sentences(_all(self.catalogue))
        """``texts.said(error.message)``: a whole sentence that was made in English, such as an error's."""
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
        """A text by language (``{en, zh, ja}``) in this one, else in English, else whatever there is."""
        if not text:
            return ""
        if isinstance(text, str):
            return self(text)
        return text.get(self.short) or text.get(self.language) or text.get("en") or next(iter(text.values()))


def _all(catalogue: gettext.NullTranslations | None) -> dict[str, str]:
    """The texts of a catalogue and of those behind it. gettext itself can only be asked for one at a time."""
    if catalogue is None:
        return {}
    inside = vars(catalogue)
    own = {key: text for key, text in inside.get("_catalog", {}).items() if isinstance(key, str) and key}
    return _all(inside.get("_fallback")) | own


@lru_cache(maxsize=8)
def texts_for(language: str) -> Texts:
    """The texts of a language; English for an unknown one."""
    return Texts(language if language in LANGUAGES else "en")


def add(locale_dir: Path, domain: str = DOMAIN) -> None:
    """Take in a plugin's catalogues: ``locale_dir/<language>/LC_MESSAGES/<domain>.mo``. Twice is once."""
    _folders.setdefault(locale_dir, domain)
    texts_for.cache_clear()


def negotiate(user: str = "", cookie: str = "", accept_language: str = "", default: str = "en") -> str:
    """The language of a page: what the user chose, else the cookie, else the browser's wish, else ``default``."""
    return choose([user, cookie, *accepted(accept_language)], default)


def choose(wanted: Iterable[str], default: str = "en") -> str:
    """The first language of ``wanted`` that there is; ``zh`` and ``zh-Hans`` mean Simplified Chinese."""
    for one in wanted:
        for language in LANGUAGES:
            if one.lower() == language.lower() or one.lower().split("-")[0] == language.split("-")[0]:
                return language
    return default


def accepted(header: str) -> list[str]:
    """The languages of an ``Accept-Language`` header, most wanted first; those with weight 0 are left out."""
    ranked = []
    for place, part in enumerate(header.split(",")[:10]):
        name, _, weight = part.partition(";q=")
        try:
            wish = float(weight or 1)
        except ValueError:
            continue
        if wish > 0:
            ranked.append((-wish, place, name.strip()))
    return [name for _, _, name in sorted(ranked) if name]
