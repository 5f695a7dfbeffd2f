"""The ledger: invariants 1, 2, 3 and 6 of the domain model."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterhub.errors import BadInput, Conflict, MeterHubError
from meterhub.money import ledger
from meterhub.money.ledger import Line, post
from meterhub.store.files import HUB, connect
from meterhub.store.queries import FOLDER, Queries

BOOKS = ("clearing/acme/M1", "prepaid/a", "in_flight/a", "meter/a", "revenue/energy", "suspense")


async def put(till, line):
    return await till.real.transact(lambda tx: post(tx, line, operator="main", at_ms=1, cause="test"))


async def unequal(till):
    rows = await till.real.query("ledger.unequal", {"operator": "main"})
    return ledger.wrong_balances(rows)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(BOOKS), st.sampled_from(BOOKS), st.integers(1, 10**9)), max_size=12))
async def test_1_and_2_and_6_all_books_sum_to_zero_and_equal_their_lines(till, moves):
    before = len(await till.rows("select 1 from ledger"))
    for number, (source, target, fen) in enumerate(moves, before):
        try:
            await put(till, Line("test", f"{number}", source, target, fen))
        except MeterHubError:
            continue
    books = await till.books()
    assert sum(books.values()) == 0
    assert await unequal(till) == []
    assert all(fen >= 0 for book, fen in books.items() if ledger.guarded(book))


async def test_2_lines_cannot_be_changed_or_deleted(till):
    await put(till, Line("test", "1", "clearing/acme/M1", "prepaid/a", 100))
    for statement in ("update ledger set fen = 1", "delete from ledger"):
        with pytest.raises(MeterHubError):
            await till.real.transact(lambda tx, sql=statement: tx.execute(sql))
    assert len(await till.rows("select * from ledger where fen = 100")) == 1


async def test_3_the_same_event_has_one_line_and_other_content_is_an_error(till):
    line = Line("payment", "7", "clearing/acme/M1", "prepaid/a", 100)
    assert await put(till, line) and not await put(till, line)
    with pytest.raises(Conflict, match="other content"):
        await put(till, Line("payment", "7", "clearing/acme/M1", "prepaid/a", 101))
    assert (await till.books())["prepaid/a"] == 100


async def test_6_a_guarded_book_never_goes_below_zero(till):
    await put(till, Line("payment", "7", "clearing/acme/M1", "prepaid/a", 100))
    with pytest.raises(Conflict, match="less than"):
        await put(till, Line("sent", "1", "prepaid/a", "in_flight/a", 101))
    assert await till.rows("select * from ledger where kind = 'sent'") == []


async def test_a_line_moves_a_positive_amount(till):
    for fen in (0, -5):
        with pytest.raises(BadInput):
            await put(till, Line("test", f"{fen}", "clearing/acme/M1", "prepaid/a", fen))


async def test_2_a_balance_that_was_tampered_with_is_found(till):
    await put(till, Line("payment", "7", "clearing/acme/M1", "prepaid/a", 100))
    await till.real.transact(lambda tx: tx.execute("update book_balances set fen = 90 where book = 'prepaid/a'"))
    assert await unequal(till) == ["prepaid/a: kept 0.90, lines 1.00"]


async def test_2_a_book_whose_balance_is_gone_and_one_that_has_no_lines_are_found(till):
    await put(till, Line("payment", "7", "clearing/acme/M1", "prepaid/a", 100))

    def tamper(tx):
        tx.execute("delete from book_balances where book = 'prepaid/a'")
        tx.execute("insert into book_balances values ('main', 'prepaid/b', 5, 1)")

    await till.real.transact(tamper)
    assert await unequal(till) == ["prepaid/a: kept 0.00, lines 1.00", "prepaid/b: kept 0.05, lines 0.00"]


async def test_2_four_times_as_many_books_take_four_times_the_work_and_not_sixteen_times(till):
    conn = connect(till.folder / HUB, query_only=True)
    work, books = [], 0
    for most in (200, 800):
        for number in range(books, most):
            await put(till, Line("payment", f"{number}", "clearing/acme/M1", f"prepaid/{number}", 1))
        books, steps = most, []
        conn.set_progress_handler(lambda steps=steps: steps.append(1) and 0, 10)
        assert conn.execute(Queries(FOLDER).sql("ledger.unequal"), {"operator": "main"}).fetchall() == []
        work.append(len(steps))
    conn.close()
    assert work[1] < 6 * work[0]
