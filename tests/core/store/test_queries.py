"""Named SQL: every shipped query has a name, a comment, and works on the schema there is."""

from __future__ import annotations

import re
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


OFTEN = """
outbox.heads outbox.finish outbox.hurry outbox.put_again
money.account money.account_of_meter money.accounts_like money.account_for_order money.order
money.expire money.not_expired
money.attempt money.note_attempt money.attempts_of_order money.payment_by_transaction money.payments_of_order
money.refunded money.refunds_of_order money.refund_asked money.refund_parts
money.delivery money.delivery_of_order money.highest_number money.balance_told
money.decisions_of money.paying_now money.cuts_since
cases.open cases.solve cases.of_order
outbox.of_order
ledger.line ledger.balance ledger.charge ledger.take ledger.of_order ledger.of_account ledger.of_account_between
"""
"""Questions that are asked for every order, or every page."""


@pytest.mark.parametrize("name", OFTEN.split())
async def test_no_question_of_money_takes_longer_the_more_was_done_before(
    store: SqliteStore, tmp_path: Path, name: str
) -> None:
    """None goes through a table, or through all that one operator, or one kind or state, ever had."""
    sql = Queries(FOLDER).sql(name)
    conn = sqlite3.connect(tmp_path / "data" / "hub.db")
    params = dict.fromkeys(re.findall(r":([a-z_]+)", re.sub("--.*", "", sql)), 1)
    plan = [row[3] for row in conn.execute("EXPLAIN QUERY PLAN " + sql, params)]
    conn.close()
    assert not [step for step in plan if step.startswith("SCAN") and "(subquery" not in step], plan
    wide = ("orders_key (account=?)", "_state (state=?)", "(operator=?)", "autoindex_outbox_1 (kind=?)")
    assert not [step for step in plan if step.endswith(wide) and "anomalies_open" not in step], plan
