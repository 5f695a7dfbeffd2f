"""Named SQL: every shipped query has a name, a comment, and works on the schema there is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from meterhub.errors import Misuse
from meterhub.store.queries import FOLDER, Queries
from meterhub.store.sqlite import SqliteStore


async def test_every_shipped_query_compiles_on_the_schema(store: SqliteStore, tmp_path: Path) -> None:
    queries = Queries(FOLDER)
    files = [sqlite3.connect(tmp_path / "data" / name) for name in ("hub.db", "readings.db")]
    for name in queries.names():
        errors = []
        for conn in files:
            try:
                conn.execute("EXPLAIN " + queries.sql(name))
            except sqlite3.ProgrammingError:
                break  # It compiled, and only its values are missing.
            except sqlite3.OperationalError as error:
                errors.append(str(error))
            else:
                break
        else:
            pytest.fail(f"{name}: {errors}")
    for conn in files:
        conn.close()


def test_a_query_needs_a_comment_and_a_name_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: one\n-- What it gives.\nSELECT 1;\n")
    queries = Queries(tmp_path)
    assert queries.sql("one").endswith("SELECT 1")
    (tmp_path / "b.sql").write_text("-- name: one\n-- Again.\nSELECT 2;\n")
    with pytest.raises(Misuse, match="taken"):
        Queries(tmp_path)
    (tmp_path / "b.sql").write_text("-- name: two\nSELECT 2;\n")
    with pytest.raises(Misuse, match="comment"):
        Queries(tmp_path)
