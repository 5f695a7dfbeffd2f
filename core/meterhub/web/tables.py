"""Lists of any collection: what the URL asks for, the links that change it, and the rows as cached fragments.

The whole state of a list is its URL: ``q`` the search, one parameter per filtered field (repeated for several
values), ``sort`` (``-name`` for descending), ``page``, ``size``, ``col`` (repeated) and ``view``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from html import escape
from operator import itemgetter
from typing import Any
from urllib.parse import quote, urlencode

from meterhub.actions import Actor
from meterhub.collections import PAGE_SIZES, Collection, Field, Query
from meterhub.texts import Texts
from meterhub.web import values

MAX_CACHED_ROWS = 20_000
LONG_TEXT = 24
"""Texts with more characters may wrap in a table; shorter ones stay on their line."""
VIEWS = ("table", "tiles")


@dataclass(frozen=True, slots=True)
class ListState:
    """What a list's URL asks for. ``page`` counts from 1; empty ``columns`` mean the collection's own choice."""

    path: str
    search: str = ""
    filters: Mapping[str, tuple[str, ...]] = ()  # type: ignore[assignment]
    sort: str = ""
    page: int = 1
    size: int = PAGE_SIZES[0]
    columns: tuple[str, ...] = ()
    view: str = "table"

    def pairs(self, paged: bool = True) -> list[tuple[str, str]]:
        """The parameters of the URL, without what is as usual; ``paged`` False leaves page, columns and view out."""
        pairs = [("q", self.search)] if self.search else []
        pairs += [(name, value) for name, wanted in dict(self.filters).items() for value in wanted]
        if self.sort:
            pairs.append(("sort", self.sort))
        if not paged:
            return pairs
        pairs += [("col", name) for name in self.columns]
        if self.size != PAGE_SIZES[0]:
            pairs.append(("size", str(self.size)))
        if self.view != "table":
            pairs.append(("view", self.view))
        if self.page > 1:
            pairs.append(("page", str(self.page)))
        return pairs

    def url(self, **changes: Any) -> str:
        """The URL of this state with changes; any change but ``page`` itself goes back to the first page."""
        changed = replace(self, **{"page": 1, **changes})
        query = urlencode(changed.pairs())
        return f"{self.path}?{query}" if query else self.path

    def with_filter(self, name: str, wanted: Sequence[str]) -> str:
        """The URL with another filter on one field; an empty one takes the filter away."""
        kept = {key: value for key, value in dict(self.filters).items() if key != name}
        if wanted:
            kept[name] = tuple(wanted)
        return self.url(filters=kept)

    def without(self, name: str, value: str) -> str:
        """The URL with one filter value taken away."""
        return self.with_filter(name, [one for one in dict(self.filters)[name] if one != value])

    def query(self, actor: Actor, limit: int | None = None) -> Query:
        """The same, as a collection's source takes it."""
        size = limit or self.size
        return Query(actor, self.search, dict(self.filters), self.sort, size, 0 if limit else (self.page - 1) * size)


def parse(collection: Collection, path: str, given: Mapping[str, Any]) -> ListState:
    """The state that a URL's (or form's) parameters ask for; what is unknown or out of range is passed over."""
    every: Callable[[str], list[str]] = lambda name: list(given.getall(name, []))  # type: ignore[attr-defined]  # noqa: E731
    names = {one.name for one in collection.fields}
    filters = {
        one.name: tuple(dict.fromkeys(every(one.name)))[:50]
        for one in collection.fields
        if one.filter and any(one.name == name for name in given)
    }
    columns = tuple(name for name in dict.fromkeys(every("col")) if name in names)
    usual = {one.name for one in collection.fields if one.column}
    sort = str(given.get("sort", ""))
    size = _whole(given.get("size"), PAGE_SIZES[0])
    view = str(given.get("view", "table"))
    return ListState(
        path,
        search=str(given.get("q", "")).strip()[:200],
        filters=filters,
        sort=sort if any(one.sort and one.name == sort.removeprefix("-") for one in collection.fields) else "",
        page=max(1, min(_whole(given.get("page"), 1), 1_000_000)),
        size=size if size in PAGE_SIZES else PAGE_SIZES[0],
        columns=() if set(columns) == usual else columns,
        view=view if view in VIEWS else "table",
    )


def _whole(text: Any, default: int) -> int:
    try:
        return int(str(text))
    except ValueError:
        return default


def shown_columns(collection: Collection, state: ListState) -> list[Field]:
    """The fields that the list shows as columns, in the collection's order."""
    if state.columns:
        return [one for one in collection.fields if one.name in state.columns]
    return [one for one in collection.fields if one.column]


class Rows:
    """Rows of a collection as HTML; a row whose shown values did not change is not made again."""

    def __init__(self) -> None:
        self._looks: dict[tuple[str, ...], dict[Any, str]] = {}
        self._count = 0

    def html(
        self,
        collection: Collection,
        columns: Sequence[Field],
        rows: Iterable[dict[str, Any]],
        texts: Texts,
        zone: tzinfo,
    ) -> str:
        """The ``<tr>`` elements of these rows, joined."""
        names = ("id", *[one.name for one in columns])
        if self._count > MAX_CACHED_ROWS:
            self._looks, self._count = {}, 0
        known = self._looks.setdefault((collection.name, texts.language, str(zone), *names), {})
        named = [one.name for one in collection.fields if one.name == "name"]
        values_of = itemgetter(*names, *named)
        out = []
        for row in rows:
            key = _key(row, values_of)
            html = known.get(key)
            if html is None:
                self._count += 1
                html = known[key] = _row(collection, columns, row, texts, zone)
            out.append(html)
        return "".join(out)


def _key(row: Mapping[str, Any], values_of: Callable[[Any], Any]) -> Any:
    """What a row shows, as a key; a row that lacks a field, or holds a list, has a slower one."""
    try:
        key = values_of(row)
        hash(key)
    except (KeyError, TypeError):
        return repr(row)
    return key


_CLASSES = {"status": "state", "number": "num", "money": "num"}


def _row(collection: Collection, columns: Sequence[Field], row: Mapping[str, Any], texts: Texts, zone: tzinfo) -> str:
    link = collection.row_link(row) if collection.row_link else ""
    cells = []
    if collection.bulk_actions:
        label = escape(str(row.get("name") or row["id"]))
        cells.append(
            f'<td class="pick"><label><input type="checkbox" name="id" value="{escape(str(row["id"]))}">'
            f'<span class="sr">{label}</span></label></td>'
        )
    for place, one in enumerate(columns):
        text = cell(one, row.get(one.name), texts, zone, str(row["id"]))
        if place == 0:
            inner = f'<a class="main" href="{escape(link)}">{text}</a>' if link else text
            cells.append(f'<td class="first">{inner}</td>')
            continue
        usual = "long" if len(str(row.get(one.name) or "")) > LONG_TEXT else ""
        classes = "state" if one.choice_tones else _CLASSES.get(one.type, usual)
        blank = " blank" if row.get(one.name) in (None, "", [], ()) else ""
        cells.append(f'<td class="{classes}{blank}" data-label="{escape(texts.pick(one.label))}">{text}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def cell(one: Field, value: Any, texts: Texts, zone: tzinfo, row_id: str = "") -> str:
    """One value as HTML, after its field's type; an unknown type is shown as text."""
    if value is None or value == "":
        return '<span class="dim">–</span>'
    maker = _CELLS.get(one.type)
    if maker is not None:
        return maker(one, value, texts, zone, row_id)
    if isinstance(value, list | tuple):
        return escape(" / ".join(str(part) for part in value))
    return escape(str(value))


def choice_label(one: Field, value: Any, texts: Texts) -> str:
    """What a value of a filtered or chosen field is called."""
    if one.type == "status" and value in values.STATUSES:
        return texts(values.STATUSES[value][2])
    if one.type == "boolean":
        return texts("Yes") if str(value) in ("True", "true", "1") else texts("No")
    if one.type == "sentence" and value:
        return texts.said(str(value))
    label = one.choice_labels.get(str(value))
    return texts.pick(label) if label else str(value) or texts("(none)")


def _status(one: Field, value: Any, texts: Texts, zone: tzinfo, row_id: str) -> str:
    return values.status(str(value), texts, watch=row_id)


def _time(one: Field, value: Any, texts: Texts, zone: tzinfo, row_id: str) -> str:
    return values.age(int(value), zone, texts)


def _number(one: Field, value: Any, texts: Texts, zone: tzinfo, row_id: str) -> str:
    unit = f' <span class="dim">{escape(one.unit)}</span>' if one.unit else ""
    return escape(values.grouped(str(value))) + unit


def _choice(one: Field, value: Any, texts: Texts, zone: tzinfo, row_id: str) -> str:
    label, tone = choice_label(one, value, texts), one.choice_tones.get(str(value))
    return values.toned(tone, label) if tone else escape(label)


def _reference(one: Field, value: Any, texts: Texts, zone: tzinfo, row_id: str) -> str:
    return f'<a href="/{quote(one.reference)}/{quote(str(value))}">{escape(str(value))}</a>'


def _json(one: Field, value: Any, texts: Texts, zone: tzinfo, row_id: str) -> str:
    return f"<code>{escape(json.dumps(value, ensure_ascii=False, default=str)[:300])}</code>"


_CELLS: Mapping[str, Callable[[Field, Any, Texts, tzinfo, str], str]] = {
    "status": _status,
    "time": _time,
    "number": _number,
    "money": lambda one, value, texts, zone, row_id: values.fen(int(value)),
    "boolean": _choice,
    "choice": _choice,
    "reference": _reference,
    "sentence": lambda one, value, texts, zone, row_id: escape(texts.said(str(value))),
    "secret": lambda one, value, texts, zone, row_id: "••••••",
    "json": _json,
}
