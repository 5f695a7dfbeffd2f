"""The SQLite side of a transaction: named queries on the writer's connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from meterhub.errors import StoreError
from meterhub.store.engine import Params, Row
from meterhub.store.faults import translate
from meterhub.store.queries import Queries


class SqliteTransaction:
    """See ``engine.Transaction``. SQLite's errors come out as those of the house, where ``fn`` can catch them."""

    def __init__(self, conn: sqlite3.Connection, queries: Queries, after: list[Callable[[], object]]) -> None:
        self._conn = conn
        self._queries = queries
        self._after = after

    def execute(self, query: str, params: Params = ()) -> int:
        """Run one statement; returns how many rows it changed."""
        return max(self._run(query, params).rowcount, 0)

    def many(self, query: str, rows: Iterable[Params]) -> int:
        """Run one statement for each of the rows; returns how many rows were changed."""
        try:
            return max(self._conn.executemany(self._queries.sql(query), rows).rowcount, 0)
        except (sqlite3.Error, OverflowError) as error:
            raise translate(error) from error

    def one(self, query: str, params: Params = ()) -> Row | None:
        """The first row, or None."""
        cursor = self._run(query, params)
        row = cursor.fetchone()
        return None if row is None else _named(cursor, row)

    def all(self, query: str, params: Params = ()) -> list[Row]:
        """All rows."""
        cursor = self._run(query, params)
        return [_named(cursor, row) for row in cursor.fetchall()]

    def insert(self, table: str, row: Mapping[str, Any]) -> int:
        """Add a row and return its number; raises ``Conflict`` when its key is taken."""
        return self._run(_insert_sql(table, tuple(row)), row).lastrowid or 0

    def update(self, table: str, key: Mapping[str, Any], changes: Mapping[str, Any]) -> int:
        """Change the rows whose columns equal ``key``; returns how many there were."""
        return self.execute(_update_sql(table, tuple(key), tuple(changes)), [*changes.values(), *key.values()])

    def after(self, callback: Callable[[], object]) -> None:
        """Call this in the loop after the commit."""
        self._after.append(callback)

    def _run(self, query: str, params: Params) -> sqlite3.Cursor:
        if not self._conn.in_transaction:
            # SQLite undid it on an error that fn swallowed; the next statement would commit on its own.
            raise StoreError("the transaction was undone", hint="the disk may be full")
        try:
            return self._conn.execute(self._queries.sql(query), params)
        except (sqlite3.Error, OverflowError) as error:
            raise translate(error) from error


def _named(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


def quoted(name: str) -> str:
    """A column or table name as SQL takes it literally."""
    return '"' + name.replace('"', '""') + '"'


@lru_cache(maxsize=500)
def _insert_sql(table: str, columns: tuple[str, ...]) -> str:
    names = ", ".join(quoted(one) for one in columns)
    return f"INSERT INTO {quoted(table)} ({names}) VALUES ({', '.join(':' + one for one in columns)})"


@lru_cache(maxsize=500)
def _update_sql(table: str, key: tuple[str, ...], changes: tuple[str, ...]) -> str:
    assignments = ", ".join(f"{quoted(one)} = ?" for one in changes)
    return f"UPDATE {quoted(table)} SET {assignments} WHERE {' AND '.join(f'{quoted(one)} = ?' for one in key)}"
