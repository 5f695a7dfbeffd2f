"""What stands in the proof of a night, word for word, and when it is made."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime

from test_paying_times import listen
from test_refunds import give_back, server_order

from meterhub.money import cases
from meterhub.money.evidence import Source
from meterhub.money.statements import Bill, BillRow, PaymentState, PaymentStatement, RefundState, RefundStatement
from meterhub.money.states import Mode

DAY_S = 86_400
READY_S = 10.5 * 3600


async def content(till, day="2025-12-31"):
    return json.loads((await till.money.one("proof.one", operator="main", day=day))["content_json"])


async def check(till, name, day="2025-12-31"):
    (found,) = [one for one in (await content(till, day))["checks"] if one["name"] == name]
    return found["compared"], found["differences"]


def bill(till, *rows):
    """Let the company's bill of each day have these rows."""

    async def told(day):
        return Bill(day, tuple(BillRow(*row) for row in rows))

    till.merchants.get("court").account.bill = told


async def test_a_proof_word_for_word(till):
    await till.account("a-101")
    await till.account("a-102", mode=Mode.SERVER)
    await till.account("a-103")
    await till.account("closed")
    await till.paid_order("closed-1", key="k0")
    await till.until_quiet()
    await till.money.counter.freeze("closed-1", "user:anna")
    await till.money.counter.close_account("closed-1", 5000, "user:anna")
    await till.paid_order("a-102-1", key="k2")
    await till.paid_order("a-101-1")
    await till.until_quiet()
    till.meters.fail["meter.balance"] = [None, "lost"]
    till.meters.purses["一号表"] = till.meters.purses["a-101"]
    await till.real.transact(lambda tx: tx.execute("update money_accounts set meter = '一号表' where id = 'a-101-1'"))
    asked = len(till.meters.asked)
    await till.until_quiet(DAY_S + READY_S)
    row = await till.money.one("proof.one", operator="main", day="2026-01-01")
    made_ms = round(datetime(2026, 1, 2, 10, 30, tzinfo=UTC).timestamp() * 1000)
    told = {
        "books_fen": {
            "clearing/acme/M1": -15000,
            "in_flight/a-101-1": 0,
            "in_flight/closed-1": 0,
            "meter/a-101-1": 5000,
            "meter/closed-1": 0,
            "prepaid/a-101-1": 0,
            "prepaid/a-102-1": 5000,
            "prepaid/closed-1": 0,
            "write_off": 5000,
        },
        "checks": [
            {"compared": 1, "differences": [], "name": "bills"},
            {"compared": 0, "differences": [], "name": "funds"},
            {"compared": 9, "differences": [], "name": "ledger"},
            {"compared": 1, "differences": [], "name": "clearing"},
            {"compared": 3, "differences": [], "name": "orders"},
            {"compared": 3, "differences": [], "name": "deliveries"},
            {"compared": 1, "differences": ["一号表: not asked, the meter did not answer"], "name": "meters"},
            {"compared": 0, "differences": [], "name": "waiting"},
        ],
        "corrections": [],
        "day": "2026-01-01",
        "made_ms": made_ms,
        "operator": "main",
    }
    assert row["content_json"] == json.dumps(told, ensure_ascii=False, indent=1)
    assert (row["made_ms"], row["differences"], row["operator"]) == (made_ms, 1, "main")
    assert [one[:2] for one in till.meters.asked[asked:]] == [("meter.balance", "一号表")] * 2


async def test_each_proof_is_made_at_half_past_ten_of_the_day_after(till):
    heard = listen(till, "bill")
    await till.until_quiet(1)
    assert [(key, state) for key, state, _ in await till.outbox("proof")] == [("2025-12-31", "waiting")]
    await till.until_quiet(3 * DAY_S)
    assert heard == [READY_S, READY_S + DAY_S, READY_S + 2 * DAY_S]
    assert [key for key, state, _ in await till.outbox("proof") if state == "waiting"] == ["2026-01-03"]


async def test_a_bill_is_waited_for_eight_hours(till):
    till.company.fail["bill"] = ["before"] * 9
    heard = listen(till, "bill")
    await till.until_quiet(READY_S + 7 * 3600 + 60)
    (row,) = await till.rows("select error from outbox where kind = 'proof'")
    assert row["error"] == "court: no answer"
    await till.until_quiet(3600)
    assert heard == [READY_S + 3600 * hour for hour in range(9)]
    assert await check(till, "bills") == (1, ["court: no answer"])


async def test_a_payment_is_looked_for_in_the_bill_of_its_day(till):
    await till.account(mode=Mode.SERVER)
    times = ["2026-01-01T23:59:59.999", "2026-01-02T00:00:00.000", "2026-01-02T23:59:59.999", "2026-01-03T00:00:00.000"]
    for number, when in enumerate(times):
        order = await till.order(key=f"k{number}")
        no = await till.start(order)
        paid_ms = round(datetime.fromisoformat(f"{when}+00:00").timestamp() * 1000)
        till.company.pay(no, paid_ms, f"T{number}")
        await till.notify(no)
    bill(till)
    await till.until_quiet(4 * DAY_S)
    found = {day: await check(till, "orders", f"2026-01-0{day}") for day in (1, 2, 3)}
    assert [(compared, [one.split()[0] for one in wrong]) for compared, wrong in found.values()] == [
        (1, ["T0"]),
        (2, ["T1", "T2"]),
        (1, ["T3"]),
    ]


async def test_what_waits_for_more_than_a_day_or_for_a_person_is_told(till):
    outbox = till.money.outbox

    async def never(row):
        from meterhub.money.outbox import Again

        return Again(600, "no way there")

    outbox.handle("odd", never)
    await till.until_quiet(READY_S - DAY_S / 4)
    await till.real.transact(lambda tx: outbox.put(tx, "odd", "young", "young", {}, operator="main", after_s=1))
    at_ms = till.clock.now()

    def old(tx):
        outbox.put(tx, "odd", "old", "old", {}, operator="main", after_s=1)
        tx.execute(f"update outbox set created_ms = {at_ms - DAY_S * 1000} where key = 'old'")
        for number in range(120):
            cases.flag(tx, cases.LATE, f"{number}", "", operator="main", at_ms=at_ms, order_no=f"E{number}")

    await till.real.transact(old)
    outbox.wake()
    await till.until_quiet(DAY_S / 4 + 60)
    compared, words = await check(till, "waiting")
    assert compared == len(words) == 101
    assert words[:2] == ["odd old waits: no way there", "a person is needed: late_payment E0"]


async def test_what_a_bill_said_is_kept_row_by_row_and_taken_once(till):
    no = await server_order(till)
    first, second = await give_back(till, no, 1000), await give_back(till, no, 500)
    await till.until_quiet()
    paid = till.company.statement(f"{no}00")
    bill(
        till,
        (paid, 30),
        (PaymentStatement("E404", PaymentState.CLOSED), 0),
        (RefundStatement(f"{no}00", first["no"], RefundState.DONE, 1000, refund_id="R1"), -6),
        (RefundStatement(f"{no}00", second["no"], RefundState.DONE, 500, refund_id="R2"), -3),
        (RefundStatement(f"{no}00", "", RefundState.PROCESSING, None, 1500, refund_id="R3"), 0),
    )
    await till.until_quiet(2 * DAY_S)
    rows = await till.rows("select * from bill_rows order by rowid")
    assert [(row["kind"], row["ref"], row["amount_fen"], row["fee_fen"]) for row in rows] == [
        ("payment", paid.transaction_id, 5000, 30),
        ("other", "E404", 0, 0),
        ("refund", first["no"], 1000, -6),
        ("refund", second["no"], 500, -3),
        ("other", "R3", 0, 0),
    ]
    assert {row["payment_account"] for row in rows} == {"court"} and {row["day"] for row in rows} == {"2025-12-31"}
    assert (await till.books())["fees/acme"] == -21
    bills = await till.rows("select day, payment_account, operator, rows, imported_ms from bills order by day")
    start_ms = round(datetime(2026, 1, 1, 10, 30, tzinfo=UTC).timestamp() * 1000)
    assert bills == [
        {"day": f"{day}", "payment_account": "court", "operator": "main", "rows": 5, "imported_ms": ms}
        for day, ms in ((date(2025, 12, 31), start_ms), (date(2026, 1, 1), start_ms + DAY_S * 1000))
    ]


async def test_a_payment_that_only_the_bill_knows_is_booked_in_the_first_night(till):
    await till.account(mode=Mode.SERVER)
    order = await till.order()
    no = await till.start(order)
    till.company.fail["query"] = ["before"] * 500
    till.company.pay(no, till.clock.now())
    await till.until_quiet(READY_S + 60)
    assert await till.state(order["no"]) == "fulfilled"
    (payment,) = await till.rows("select source, payment_account from payments")
    assert payment == {"source": Source.BILL, "payment_account": "court"}


async def test_a_correction_is_told_by_the_newest_hundred(till):
    await till.account()
    row = {"operator": "main", "account": "a-101-1", "order_no": "E1", "known": 1, "reason": "r", "at_ms": 1}

    def adopt(tx):
        for number in range(120):
            tx.insert("count_adoptions", {**row, "adopted": 1000 + number, "decided_by": "user:anna"})

    await till.real.transact(adopt)
    await till.until_quiet(READY_S + 60)
    told = (await content(till))["corrections"]
    assert len(told) == 100
    assert told[0] == "a-101: the meter's count 1020 was taken over in place of 1, by user:anna for E1: r"


async def test_counts_are_compared_with_what_the_meters_say(till):
    await till.account()
    await till.paid_order()
    await till.until_quiet()
    await till.until_quiet(READY_S + 60)
    assert await check(till, "meters") == (1, [])
    till.meters.purses["a-101"] = replace(till.meters.purses["a-101"], count=4)
    await till.until_quiet(DAY_S)
    assert await check(till, "meters", "2026-01-01") == (1, ["a-101: the meter says 4, the books 1"])


async def test_a_hub_that_was_away_in_the_morning_makes_the_proof_when_it_is_back(till):
    await till.until_quiet(1)
    await till.close()
    await till.clock.advance(DAY_S / 2)
    await till.open()
    await till.until_quiet(0.5)
    assert (await content(till))["made_ms"] <= till.clock.now()


async def adopted(till, **more):
    """An account with purchases 1 and 4, and the count taken over in between."""
    await till.account()
    await till.paid_order()
    await till.until_quiet()
    till.meters.purses["a-101"].count = 3
    no = await till.paid_order(key="k2")
    await till.until_quiet()
    await till.money.counter.resolve_delivery(no, "adopt_count", "cards", "user:anna")


async def test_a_count_that_was_taken_over_and_not_used_since_explains_nothing_yet(till):
    till.meters.fail["meter.credit"] = [None, "before", "before", *["lost"] * 99]
    await adopted(till)
    till.meters.purses["a-101"].limit_fen = 100
    await till.until_quiet(READY_S)
    assert (await content(till))["corrections"] != []
    assert await check(till, "deliveries") == (1, [])


async def test_a_count_taken_over_before_any_was_known_explains_nothing(till):
    await adopted(till)
    row = {"operator": "main", "account": "a-101-1", "order_no": "E1", "reason": "r", "at_ms": 1, "decided_by": "x"}
    await till.real.transact(lambda tx: tx.insert("count_adoptions", {**row, "known": None, "adopted": 9}))
    await till.until_quiet(READY_S)
    assert await check(till, "deliveries") == (1, [])


async def test_a_coupon_at_our_own_cost_leaves_the_customer_whole_and_the_clearing_book_right(till):
    no = await server_order(till)
    part = await give_back(till, no, 2000)
    await till.until_quiet()
    paid = till.company.statement(f"{no}00")
    back = RefundStatement(f"{no}00", part["no"], RefundState.DONE, 2000, refund_id="R1")
    strange = RefundStatement(f"{no}00", "theirs", RefundState.DONE, 100, refund_id="R2")
    unknown = PaymentStatement("E40400", PaymentState.PAID, 900, "T9", paid_ms=1)
    bill(till, (paid, 30, 4500), (back, -6, 1800), (strange, 0, 90), (unknown, 0, 850))
    await till.until_quiet(2 * DAY_S)
    books = await till.books()
    assert books["prepaid/a-101-1"] == 5000 - 2000
    assert books["discounts/acme"] == -(500 - 200 + 50) and books["fees/acme"] == -24
    assert -books["clearing/acme/M1"] == 4500 - 1800 + 850 - 24
    compared, words = await check(till, "clearing")
    assert compared >= 1 and words == []
