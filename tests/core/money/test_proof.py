"""The nightly proof: invariants 2, 4, 5, 8 and 9 of the domain model, told as differences and signed."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial

import pytest

from meterhub import beijing
from meterhub.clock import utc
from meterhub.errors import NotFound, ProviderUnknown, StoreError
from meterhub.money.refunds import RefundWish
from meterhub.money.seal import Seal, verify
from meterhub.money.statements import Bill, Funds, Movement
from meterhub.money.states import Mode

DAY_S = 86_400


async def proof(till, day):
    row = await till.money.one("proof.one", operator="main", day=day)
    return row, {one["name"]: one["differences"] for one in json.loads(row["content_json"])["checks"]}


@pytest.mark.parametrize("fee", [3, -3])
async def test_a_day_without_a_fault_is_proved_signed_and_followed_by_the_next(till, fee):
    till.company.fee_fen = fee
    await till.account()
    await till.account("a-102", mode=Mode.SERVER)
    await till.paid_order()
    server = await till.paid_order("a-102-1", key="k2")
    (payment,) = await till.rows("select id from payments where order_no = ?", server)
    await till.until_quiet(60)
    await till.money.counter.refund(RefundWish(payment["id"], 1000, "moved out"), "user:anna")
    await till.until_quiet(2 * DAY_S)
    row, checks = await proof(till, "2026-01-01")
    assert {name: found for name, found in checks.items() if found} == {}
    assert set(checks) == {"bills", "funds", "ledger", "clearing", "orders", "deliveries", "meters", "waiting"}
    assert row["differences"] == 0
    folder = till.folder / "proofs"
    public = (folder / "proof.pub").read_text()
    content = (folder / "2026-01-01.json").read_bytes()
    assert content == row["content_json"].encode()
    assert verify(public, content, (folder / "2026-01-01.sig").read_text()) and verify(
        public, content, row["signature"]
    )
    assert not verify(public, content + b" ", row["signature"]) and not verify(public, content, "!")
    assert (folder / "proof.key").stat().st_mode & 0o077 == 0
    assert {key for key, _, _ in await till.outbox("proof")} >= {"2025-12-31", "2026-01-01", "2026-01-02"}
    assert (await till.books())["fees/acme"] == -2 * fee


async def test_a_count_that_was_adopted_is_a_correction_with_its_cause_and_no_difference(till):
    await till.account()
    await till.paid_order()
    await till.until_quiet(60)
    for fen in (300, 400):
        till.meters.purses["a-101"].foreign(fen)
    no = await till.paid_order(key="k2")
    await till.until_quiet(DAY_S)
    _, checks = await proof(till, "2025-12-31")
    assert any("the meter says 3, the books 1" in one for one in checks["meters"])
    await till.money.counter.resolve_delivery(no, "adopt_count", "two cards were used", "user:anna")
    await till.until_quiet(DAY_S)
    row, checks = await proof(till, "2026-01-01")
    assert {name: found for name, found in checks.items() if found} == {}
    (told,) = json.loads(row["content_json"])["corrections"]
    assert "count 3 was taken over in place of 1" in told and "user:anna" in told and "two cards were used" in told
    await till.real.transact(lambda tx: tx.execute("update count_adoptions set adopted = 2"))
    await till.until_quiet(DAY_S)
    _, checks = await proof(till, "2026-01-02")
    assert checks["deliveries"] == ["a-101: purchases 1 to 4, but 2 of them"]


async def test_what_a_company_booked_otherwise_than_its_bill_says_is_told(till):
    till.company.fee_fen = 30
    await till.account()
    await till.account("a-102", mode=Mode.SERVER)
    no, server = await till.paid_order(), await till.paid_order("a-102-1", key="k2")
    (payment,) = await till.rows("select id from payments where order_no = ?", server)
    await till.until_quiet(60)
    await till.money.counter.refund(RefundWish(payment["id"], 1000, "moved out"), "user:anna")
    account = till.money.merchants.get("court").account
    first, second = Movement(f"T{no}00", 5000, 30), Movement(f"T{server}00", 5000, 30)
    back = Movement(f"{server}00R00", -1000)
    for booked, told in (
        ((first, second, back), []),
        ((first, second), [f"court: {server}00R00 is in the bill and not in the account"]),
        ((first, second, back, Movement("T9", 1)), ["court: T9 is in the account and not in the bill"]),
        ((first, Movement(second.number, 4999, 31), back), [
            f"court: {second.number}: amount 50.00 in the bill, 49.99 in the account",
            f"court: {second.number}: fee 0.30 in the bill, 0.31 in the account",
        ]),
    ):  # fmt: skip
        account.funds = partial(told_funds, booked)
        day = utc(till.clock.now()).date()
        await till.until_quiet(DAY_S)
        _, checks = await proof(till, f"{day - timedelta(days=1)}")
        assert checks["funds"] == told and checks["bills"] == []


async def told_funds(booked, day):
    return Funds(day, booked)


async def test_a_proof_waits_for_a_statement_of_funds_as_for_a_bill(till):
    async def nothing_yet(day):
        raise ProviderUnknown("no bill of funds yet")

    till.money.merchants.get("court").account.funds = nothing_yet
    await till.until_quiet(2 * DAY_S)
    _, checks = await proof(till, "2026-01-01")
    assert checks["bills"] == ["court: no bill of funds yet"]


async def test_a_payment_is_looked_for_in_the_bill_of_the_companys_own_day(till):
    """Eight in the evening is four the next morning at the company: the bill of that day is not there yet."""
    await till.account()
    account = till.money.merchants.get("court").account
    account.zone = beijing.ZONE
    whole = account.bill

    async def bill(day):
        rows = (await whole(day)).rows
        return Bill(day, tuple(one for one in rows if beijing.day(one.statement.paid_ms) == f"{day:%Y%m%d}"))

    account.bill = bill
    await till.clock.advance(20 * 3600 - till.clock.now() // 1000 % DAY_S)
    assert utc(till.clock.now()).hour == 20
    await till.paid_order()
    for number in range(3):
        await till.until_quiet(DAY_S)
        _, checks = await proof(till, f"{utc(till.clock.now()).date() - timedelta(days=1)}")
        assert {name: found for name, found in checks.items() if found} == {}, number


async def test_a_payment_that_only_the_bill_knows_is_booked(till):
    await till.account()
    order = await till.order()
    no = await till.start(order)
    till.company.fail["query"] = ["before"] * 500
    till.company.pay(no, till.clock.now())
    await till.until_quiet(2 * DAY_S)
    assert await till.state(order["no"]) == "fulfilled"
    assert (await till.rows("select source from payments"))[0]["source"] == "bill"


async def test_every_planted_difference_is_told(till):
    await till.account()
    await till.account("a-102")
    first = await till.paid_order()
    await till.paid_order(key="k2")
    await till.until_quiet(60)

    def plant(tx):
        tx.execute("update book_balances set fen = fen - 7 where book = 'meter/a-101-1'")
        tx.execute("update orders set state = 'fulfilled' where no = 'X'")
        tx.execute("update deliveries set number = 5, amount_fen = 9000 where id = 1")
        row = {"operator": "main", "account": "a-102-1", "meter": "a-102", "amount_fen": 1, "state": "planned"}
        order = {"no": "Y", "operator": "main", "scope": "", "account": "a-102-1", "meter": "a-102", "amount_fen": 1}
        tx.insert(
            "orders",
            {**order, "state": "fulfilled", "client_key": "y", "created_by": "x", "created_ms": 1, "expires_ms": 1},
        )
        tx.insert("deliveries", {**row, "order_no": "Y", "created_ms": 1})

    await till.real.transact(plant)
    till.meters.purses["a-101"].count = 9
    till.company.trades[f"{first}00"].transaction_id = "T-other"
    await till.real.transact(lambda tx: tx.execute("update money_accounts set purchase_count = 1 where id = 'a-102-1'"))
    till.meters.fail["meter.balance"] = [None] + ["before"] * 9
    till.money.prover._bills._settling.settle = lambda *given: None
    await till.until_quiet(DAY_S)
    _, checks = await proof(till, "2025-12-31")
    await till.until_quiet(DAY_S)
    _, checks = await proof(till, "2026-01-01")
    assert any("meter/a-101-1" in one for one in checks["ledger"]) and any(
        "not 0.00" in one for one in checks["ledger"]
    )
    assert {"Y is fulfilled without a payment", "Y is done, its delivery planned"} <= set(checks["orders"])
    assert any("is not in the company's bill" in one for one in checks["orders"])
    assert any("purchases 2 to 5, but 2 of them" in one for one in checks["deliveries"])
    assert any("confirmed 140.00, booked 100.00" in one for one in checks["deliveries"])
    assert any("a-102: not asked" in one for one in checks["meters"])
    assert checks["waiting"] == []


async def test_a_bill_that_is_not_ready_is_waited_for_and_then_named(till):
    till.company.fail["bill"] = ["before"] * 60
    await till.until_quiet(DAY_S)
    with pytest.raises(NotFound):
        await till.money.one("proof.one", operator="main", day="2026-01-01")
    row, checks = await proof(till, "2025-12-31")
    assert checks["bills"] and "court" in checks["bills"][0] and row["differences"] == 1


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError):
        Seal(tmp_path / "file").write("2026-01-01", b"x")
