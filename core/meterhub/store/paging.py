"""One page of a named query: filters, search, order and facets around the query as it stands."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from meterhub.errors import BadInput
from meterhub.store.engine import Paging, Rows
from meterhub.store.transaction import quoted

MAX_LIMIT = 1_000
MAX_FACET = 100
"""Values that a facet counts at most, the most frequent first."""


def page(conn: sqlite3.Connection, sql: str, paging: Paging, params: Mapping[str, Any]) -> Rows:
    """Run the query for one page; call it inside one read transaction. Raises ``BadInput`` for an unknown column."""
    columns = [one[0] for one in conn.execute(f"SELECT * FROM ({sql}) LIMIT 0", params).description]
    asked = [*paging.search_in, *paging.filters, *paging.facets, *([paging.sort.removeprefix("-")] * bool(paging.sort))]
    for name in asked:
        if name not in columns:
            raise BadInput(f"there is no column {name}", hint="columns: " + ", ".join(columns))
    where, values = _where(paging, paging.filters, params)
    total = conn.execute(f"SELECT count(*) FROM ({sql}) WHERE {where}", values).fetchone()[0]
    bounds = {"page_limit": max(0, min(paging.limit, MAX_LIMIT)), "page_offset": max(0, paging.offset)}
    cursor = conn.execute(
        f"SELECT * FROM ({sql}) WHERE {where}{_order(paging.sort)} LIMIT :page_limit OFFSET :page_offset",
        values | bounds,
    )
    rows = [dict(zip(columns, row, strict=True)) for row in cursor]
    return Rows(rows, total, {name: _facet(conn, sql, name, paging, params) for name in paging.facets})


def _facet(conn: sqlite3.Connection, sql: str, name: str, paging: Paging, params: Mapping[str, Any]) -> dict[str, int]:
    """How often each value occurs among the rows that all other filters let through."""
    others = {column: wanted for column, wanted in paging.filters.items() if column != name}
    where, values = _where(paging, others, params)
    column = quoted(name)
    counted = conn.execute(
        f"SELECT coalesce({column}, ''), count(*) FROM ({sql}) WHERE {where} GROUP BY 1 ORDER BY 2 DESC, 1 "
        f"LIMIT {MAX_FACET}",
        values,
    )
    return {str(value): count for value, count in counted}


def _where(
    paging: Paging, filters: Mapping[str, Sequence[str]], params: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    values = dict(params)
    terms = ["true"]
    for number, (column, wanted) in enumerate(filters.items()):
        names = {f"filter_{number}_{index}": value for index, value in enumerate(wanted)}
        accepted = f"{quoted(column)} IN ({', '.join(':' + name for name in names)})"
        terms.append(f"({accepted} OR {quoted(column)} IS NULL)" if "" in wanted else accepted)
        values |= names
    if paging.search and paging.search_in:
        literal = paging.search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values["search"] = f"%{literal}%"
        terms.append("(" + " OR ".join(f"{quoted(one)} LIKE :search ESCAPE '\\'" for one in paging.search_in) + ")")
    return " AND ".join(terms), values


def _order(sort: str) -> str:
    if not sort:
        return ""
    return f" ORDER BY {quoted(sort.removeprefix('-'))} {'DESC' if sort.startswith('-') else 'ASC'} NULLS LAST"
