"""TableSource: the rows of a collection straight from a named query, paged, filtered and sorted by the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from meterhub.actions import Actor
from meterhub.collections import Field, Page, Query, Source
from meterhub.errors import BadInput, NotFound
from meterhub.people.user import operator_of
from meterhub.store.engine import Paging, Row, Store


class TableSource(Source):
    """The rows of ``query``, whose columns are named as the fields and one of which is ``id``.

    The query filters by ``:operator``, which is always that of the actor. ``permission`` is needed for the whole
    operator to see anything ("": for what is one's own). ``sort`` is the order when none is asked for.
    """

    def __init__(self, store: Store, query: str, fields: Sequence[Field], permission: str, sort: str) -> None:
        self._store = store
        self._query = query
        self._permission = permission
        self._sort = sort
        self._searched = [one.name for one in fields if one.search]
        self._faceted = [one.name for one in fields if one.filter]
        self._sortable = [one.name for one in fields if one.sort and one.type != "secret"]

    def params(self, actor: Actor) -> dict[str, Any]:
        """What the query is given; narrower sources add theirs."""
        return {"operator": operator_of(actor)}

    def looked_for(self, words: str) -> dict[str, Any]:
        """What the query is given of the words in the search box; most look into their columns alone."""
        return {}

    def row(self, row: Row) -> dict[str, Any]:
        """The row as it is shown; ``id`` is a text."""
        return {**row, "id": str(row["id"])}

    async def page(self, query: Query) -> Page:
        """One page; raises ``BadInput`` for a field that cannot be filtered or sorted by."""
        if not self._may_see(query.actor):
            return Page([], 0)
        _must_be_one_of("filter", query.filters, self._faceted)
        sort = query.sort or self._sort
        _must_be_one_of("sort", [sort.removeprefix("-")], self._sortable)
        paging = Paging(
            query.search, self._searched, query.filters, sort, query.limit, query.offset, facets=self._faceted
        )
        params = {**self.params(query.actor), **self.looked_for(query.search)}
        found = await self._store.query_page(self._query, paging, params)
        return Page([self.row(one) for one in found.rows], found.total, found.facets)

    async def get(self, actor: Actor, row_id: str) -> dict[str, Any]:
        """One row; raises ``NotFound``, also for what the actor may not see."""
        if self._may_see(actor):
            paging = Paging(filters={"id": [row_id]}, limit=1)
            found = await self._store.query_page(self._query, paging, {**self.params(actor), **self.looked_for("")})
            if row_id and found.rows:
                return self.row(found.rows[0])
        raise NotFound(f"there is no {row_id!r}"[:200])

    def _may_see(self, actor: Actor) -> bool:
        return not self._permission or actor.may(self._permission, operator_of(actor))


def _must_be_one_of(what: str, names: Iterable[str] | Mapping[str, Any], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise BadInput(f"cannot {what} by {name!r}"[:200], where=what, hint=f"{what} by: " + ", ".join(known))
