"""Pages: one Jinja2 environment per language, and what every page needs around its own content."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import cache, partial
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web
from jinja2.bccache import Bucket
from markupsafe import Markup

from meterhub.actions import Actor
from meterhub.texts import LANGUAGES, Texts, mark, texts_for
from meterhub.web import values
from meterhub.web.assets import asset, icon

LIVE_PATH = "/api/v1/live"
THEMES = ("system", "light", "dark")
MAX_PIECES = 2_000
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page, and how they want to see it. ``csrf`` goes into every form; ``actor`` None is nobody yet."""

    actor: Actor | None
    name: str
    csrf: str
    language: str
    theme: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the menu. Entries with the same ``group`` stand together; ``main`` ones fit the phone's bar."""

    href: str
    icon: str
    label: str
    group: str = ""
    main: bool = False


class CompiledTemplates(jinja2.BytecodeCache):
    """Compiles each template once, for all languages and all of its users in this process."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what was compiled from the same source."""
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        self._codes[bucket.key, bucket.checksum] = bucket.code


COMPILED = CompiledTemplates()


def compile_templates() -> None:
    """Compile all templates, so that no first visitor of a page stops the loop for the 0.1 s it takes. For a thread."""
    environment = Look("", UTC)._environment("en")
    for name in environment.list_templates():
        environment.get_template(name)


class Look:
    """Draws templates. ``hub_name`` stands in the corner, ``zone`` is the site's time zone."""

    def __init__(self, hub_name: str, zone: tzinfo) -> None:
        self.hub_name = hub_name
        self.zone = zone
        self._environments: dict[str, jinja2.Environment] = {}
        self._pieces: dict[tuple[Any, ...], Markup] = {}

    def piece(self, template: str, visitor: Visitor, key: tuple[Any, ...], **content: Any) -> Markup:
        """A part of pages that depends on nothing but the language, the visitor's name and ``key``; drawn once."""
        full = (template, visitor.language, visitor.name, *key)
        known = self._pieces.get(full)
        if known is None:
            if len(self._pieces) >= MAX_PIECES:
                self._pieces.clear()
            drawn = self._environment(visitor.language).get_template(template).render(visitor=visitor, **content)
            known = self._pieces[full] = Markup(drawn)
        return known

    def frame(self, visitor: Visitor, menu: Sequence[Entry], path: str) -> dict[str, Markup]:
        """What stands around the content of a page: styles and scripts; with a menu also the head, the rail, and the
        bar with what scripts copy from.
        """
        assets = self.piece("_assets.html", visitor, ())
        if not menu:
            return {"assets": assets}
        section = max(
            (one.href for one in menu if path == one.href or path.startswith(f"{one.href.rstrip('/')}/")),
            key=len,
            default="",
        )
        section = path if path == "/account" else section if section != "/" or path == "/" else ""
        key = (tuple(menu), section)
        return {
            "assets": assets,
            "top": self.piece("_top.html", visitor, ()),
            "rail": self.piece("_rail.html", visitor, key, menu=menu, section=section),
            "foot": self.piece("_foot.html", visitor, key, menu=menu, section=section),
        }

    def draw(self, template: str, visitor: Visitor, now_ms: int, **content: Any) -> str:
        """The page or fragment as HTML."""
        environment = self._environment(visitor.language)
        return environment.get_template(template).render(
            visitor=visitor, now_ms=now_ms, now_is=partial(_age, self, environment, now_ms), **content
        )

    def page(
        self,
        request: web.Request,
        template: str,
        visitor: Visitor,
        now_ms: int,
        menu: Sequence[Entry] = (),
        status: int = 200,
        **content: Any,
    ) -> web.Response:
        """A whole page as the answer to ``request``."""
        texts = texts_for(visitor.language)
        html = self.draw(
            template,
            visitor,
            now_ms,
            frame=self.frame(visitor, menu, request.path),
            here=request.path,
            facts=facts_for_scripts(texts, now_ms, LIVE_PATH if menu else ""),
            **content,
        )
        answer = web.Response(text=html, content_type="text/html", status=status)
        answer.headers["Vary"] = "Cookie, Accept-Language, HX-Request"
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _environment(self, language: str) -> jinja2.Environment:
        known = self._environments.get(language)
        if known is not None:
            return known
        texts = texts_for(language)
        made = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            bytecode_cache=COMPILED,
            auto_reload=False,
        )
        made.install_gettext_translations(texts.catalogue, newstyle=True)  # type: ignore[attr-defined]
        made.globals.update(self._globals(texts))
        self._environments[language] = made
        return made

    def _globals(self, texts: Texts) -> dict[str, Any]:
        return {
            "texts": texts,
            "pick": texts.pick,
            "said": texts.said,
            "asset": asset,
            "icon": _icon,
            "status": lambda word, watch="", classes="": Markup(values.status(word, texts, watch, classes)),
            "moment": lambda ms, now_ms=None: values.clock_time(ms, self.zone, now_ms),
            "statuses": values.ORDER,
            "languages": LANGUAGES,
            "themes": THEMES,
            "hub_name": self.hub_name,
            "grouped": values.grouped,
        }


@cache
def _icon(name: str, classes: str = "") -> Markup:
    return Markup(icon(name, classes))


def _age(look: Look, environment: jinja2.Environment, now_ms: int, ms: int | None) -> Markup:
    return Markup(values.age(ms, look.zone, environment.globals["texts"], now_ms))  # type: ignore[arg-type]


def facts_for_scripts(texts: Texts, now_ms: int, live_path: str) -> str:
    """What the scripts of a page know of the server, as JSON for a meta element."""
    ages: Mapping[str, str] = {
        "s": texts(mark("%(n)d s ago")),
        "min": texts(mark("%(n)d min ago")),
        "h": texts(mark("%(n)d h ago")),
        "d": texts(mark("%(n)d d ago")),
    }
    return json.dumps({"now": now_ms, "live": live_path, "ages": ages}, ensure_ascii=False)
