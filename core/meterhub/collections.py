"""Collections: records that people manage, described richly enough to derive everything else from it.

From a ``Collection`` come the list with server paging and filters in the URL, the form, CSV and Excel export of
exactly that filter, import with a dry run, the REST routes, the OpenAPI description and the audit rows. Devices,
collectors, users, login history and audit are all shown by the one renderer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meterhub.actions import Actor
from meterhub.errors import BadInput, NotFound

PAGE_SIZES = (50, 100, 200)
MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Field:
    """One column or form field.

    ``type``: text, number, boolean, choice, time (UTC epoch ms), money (fen), reference, status, secret, json,
    sentence (made by the program in English; a page translates it).
    ``filter``: offered as a facet; ``search``: found by the search box; ``edit``: in the form;
    ``column``: shown in the list at first.
    ``choice_tones``: ok, info, warn, bad or off for choices that are states; they get an icon and a colour.
    ``reference`` names the collection whose ids it holds.
    """

    name: str
    label: Mapping[str, str]
    type: str = "text"
    required: bool = False
    choices: Sequence[str] = ()
    choice_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    choice_tones: Mapping[str, str] = field(default_factory=dict)
    reference: str = ""
    unit: str = ""
    search: bool = False
    filter: bool = False
    sort: bool = True
    edit: bool = False
    column: bool = True
    help: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query:
    """What part of a collection is asked for. ``actor`` bounds it to what may be seen there.

    ``filters`` maps a field name to the accepted values; ``sort`` is a field name, with ``-`` for descending.
    ``cursor`` is opaque and comes from the page before; ``offset`` serves numbered pages.
    """

    actor: Actor
    search: str = ""
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sort: str = ""
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a query with the total of the whole filter. Each row is a dict with at least ``id``."""

    rows: list[dict[str, Any]]
    total: int
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Source(ABC):
    """Where the rows of a collection live. Only ``page`` and ``get`` are required; the rest says that it may not."""

    @abstractmethod
    async def page(self, query: Query) -> Page:
        """One page of rows."""

    @abstractmethod
    async def get(self, actor: Actor, row_id: str) -> dict[str, Any]:
        """One row; raises ``NotFound``."""

    async def create(self, actor: Actor, values: Mapping[str, Any]) -> dict[str, Any]:
        """Add a row and return it; raises ``BadInput`` or ``Conflict``."""
        raise BadInput("rows cannot be added here")

    async def update(self, actor: Actor, row_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Change a row and return it."""
        raise BadInput("rows cannot be changed here")

    async def delete(self, actor: Actor, row_id: str) -> None:
        """Take a row away."""
        raise BadInput("rows cannot be deleted here")

    async def rows(self, query: Query) -> AsyncIterator[dict[str, Any]]:
        """All rows of the filter, for exports; pages through by default."""
        offset = 0
        while True:
            page = await self.page(
                Query(query.actor, query.search, query.filters, query.sort, limit=MAX_LIMIT, offset=offset)
            )
            for row in page.rows:
                yield row
            offset += len(page.rows)
            if not page.rows or offset >= page.total:
                return


@dataclass(frozen=True, slots=True)
class Collection:
    """Records that people manage.

    ``permission`` is needed to see it, ``edit_permission`` to change it ("": nobody can).
    ``row_link(row)`` is the page of a row when it has one of its own. ``group`` and ``icon`` place it in the menu
    ("" group: not in the menu).
    """

    name: str
    title: Mapping[str, str]
    fields: Sequence[Field]
    source: Source
    permission: str
    edit_permission: str = ""
    group: str = ""
    icon: str = ""
    row_link: Callable[[Mapping[str, Any]], str] | None = None
    row_actions: Sequence[str] = ()
    bulk_actions: Sequence[str] = ()
    description: Mapping[str, str] = field(default_factory=dict)
    can_create: bool = False
    can_delete: bool = False

    def field(self, name: str) -> Field:
        """The field with this name; raises ``BadInput`` naming those there are."""
        for one in self.fields:
            if one.name == name:
                return one
        raise BadInput(f"{self.name} has no field {name}", hint="fields: " + ", ".join(one.name for one in self.fields))


class ListSource(Source):
    """Rows made afresh from objects in memory, such as devices; filtered, sorted and counted here.

    ``objects()`` gives all objects, ``row(object)`` makes the dict, ``scope(object)`` the place that ``permission`` is
    checked at.
    """

    def __init__(
        self,
        objects: Callable[[], Iterable[Any]],
        row: Callable[[Any], dict[str, Any]],
        fields: Sequence[Field],
        permission: str,
        scope: Callable[[Any], str],
    ) -> None:
        self._objects = objects
        self._row = row
        self._searched = [one.name for one in fields if one.search]
        self._faceted = [one.name for one in fields if one.filter]
        self._sortable = {one.name for one in fields if one.sort}
        self._permission = permission
        self._scope = scope

    async def page(self, query: Query) -> Page:
        """Filter, count the facets of what is left by the other filters, sort, cut."""
        seen = self._seen(query)
        rows = [row for row in seen if _passes(row, query.filters)] if query.filters else list(seen)
        if query.sort:
            self._sort(rows, query.sort)
        facets = {name: self._facet(name, seen, query.filters) for name in self._faceted}
        return Page(rows[query.offset : query.offset + query.limit], len(rows), facets)

    async def get(self, actor: Actor, row_id: str) -> dict[str, Any]:
        """One row by its id."""
        for one in self._objects():
            if one.id == row_id and actor.may(self._permission, self._scope(one)):
                return self._row(one)
        raise NotFound(f"there is no {row_id}")

    def _seen(self, query: Query) -> list[dict[str, Any]]:
        needle = query.search.casefold()
        rows = []
        for one in self._objects():
            if not query.actor.may(self._permission, self._scope(one)):
                continue
            row = self._row(one)
            if not needle or any(needle in str(row.get(name) or "").casefold() for name in self._searched):
                rows.append(row)
        return rows

    def _sort(self, rows: list[dict[str, Any]], sort: str) -> None:
        name = sort.removeprefix("-")
        if name not in self._sortable:
            raise BadInput(f"cannot sort by {name}", hint="sortable: " + ", ".join(sorted(self._sortable)))
        rows.sort(key=lambda row: (row.get(name) is None, row.get(name)), reverse=sort.startswith("-"))

    def _facet(self, name: str, rows: list[dict[str, Any]], filters: Mapping[str, Sequence[str]]) -> Mapping[str, int]:
        others = {key: wanted for key, wanted in filters.items() if key != name}
        left = [row for row in rows if _passes(row, others)] if others else rows
        counts: dict[str, int] = {}
        for value, count in Counter([row.get(name) for row in left]).items():
            text = str(value if value is not None else "")
            counts[text] = counts.get(text, 0) + count
        return counts


def _passes(row: Mapping[str, Any], filters: Mapping[str, Sequence[str]]) -> bool:
    return all(str(row.get(name) if row.get(name) is not None else "") in wanted for name, wanted in filters.items())
