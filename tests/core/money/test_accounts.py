"""Accounts from their opening to their end, charges, supply, merchant accounts, and the outbox on a bad day."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bank import Company, merchant

from meterhub.clock import utc
from meterhub.errors import BadInput, ConfigError, Conflict, NotFound, ProviderRefused, TooMany
from meterhub.money import ledger
from meterhub.money.merchants import Merchants
from meterhub.money.outbox import Again
from meterhub.money.paying import Paying
from meterhub.money.policy import Policy
from meterhub.money.refunds import RefundWish
from meterhub.money.states import DELIVERIES, ORDERS, DeliveryState, Mode, OrderState, move_delivery, move_order


async def test_a_meter_has_one_account_at_a_time_and_a_new_one_after_the_end(till):
    counter = till.money.counter
    await till.account(mode=Mode.SERVER)
    with pytest.raises(Conflict, match="already"):
        await till.account(mode=Mode.SERVER)
    with pytest.raises(Conflict, match="freeze"):
        await counter.close_account("a-101-1", 0, "user:anna")
    await counter.freeze("a-101-1", "user:anna")
    await counter.close_account("a-101-1", 0, "user:anna")
    with pytest.raises(Conflict, match="closed"):
        await counter.freeze("a-101-1", "user:anna")
    till.meters.purses.clear()
    await till.real.transact(lambda tx: tx.execute("update money_accounts set link = 'old'"))
    assert (await till.account(mode=Mode.SERVER))["id"] == "a-101-2"
    with pytest.raises(NotFound):
        await counter.freeze("nobody", "user:anna")


async def test_the_address_of_a_tenants_page_can_be_renewed_until_the_account_is_closed(till):
    counter = till.money.counter
    await till.account(mode=Mode.SERVER)
    assert (await counter.renew_link("a-101-1", "new", "user:anna"))["link"] == "new"
    assert [row["link"] for row in await till.rows("select link from money_accounts")] == ["new"]
    assert ("money.renew_link", "a-101-1", "user:anna", {}) in till.audit
    await counter.freeze("a-101-1", "user:anna")
    assert (await counter.renew_link("a-101-1", "newer", "user:anna"))["link"] == "newer"
    await counter.close_account("a-101-1", 0, "user:anna")
    with pytest.raises(Conflict, match="closed"):
        await counter.renew_link("a-101-1", "newest", "user:anna")
    assert till.money.new_link() != till.money.new_link()


async def test_what_is_still_open_stands_in_the_way_of_the_end(till):
    counter = till.money.counter
    await till.account(mode=Mode.SERVER)
    order = await till.order(key="k0")
    await till.start(order)
    await counter.freeze("a-101-1", "user:anna")
    with pytest.raises(Conflict, match="order"):
        await counter.close_account("a-101-1", 0, "user:anna")
    till.company.pay(f"{order['no']}00")
    await till.notify(f"{order['no']}00")
    with pytest.raises(Conflict, match="prepaid"):
        await counter.close_account("a-101-1", 0, "user:anna")
    await counter.charge("a-101-1", "day/1", 6000)
    with pytest.raises(Conflict, match="receivable"):
        await counter.close_account("a-101-1", 0, "user:anna")


async def test_a_payment_for_an_account_that_is_closed_by_then_waits_for_a_person(till):
    await till.account(mode=Mode.SERVER)
    order = await till.order()
    no = await till.start(order)
    await till.money.counter.freeze("a-101-1", "user:anna")
    await till.real.transact(lambda tx: tx.execute("update money_accounts set state = 'closed'"))
    till.company.pay(no)
    await till.notify(no)
    assert await till.cases() == ["late_payment"]
    (payment,) = await till.rows("select id from payments")
    with pytest.raises(Conflict, match="takes no more credit"):
        await till.money.counter.apply_late(payment["id"], "user:anna")


async def test_credit_left_in_a_meter_is_agreed_on_and_written_off(till):
    counter = till.money.counter
    await till.account()
    await till.paid_order()
    await till.until_quiet()
    await counter.freeze("a-101-1", "user:anna")
    with pytest.raises(Conflict, match=r"50\.00"):
        await counter.close_account("a-101-1", 0, "user:anna")
    assert (await counter.close_account("a-101-1", 5000, "user:anna"))["state"] == "closed"
    assert (await till.books())["write_off"] == 5000


async def test_a_charge_has_one_effect_and_a_meter_is_not_charged_here(till):
    await till.account(mode=Mode.SERVER)
    await till.account("a-102")
    await till.paid_order()
    for _ in range(2):
        await till.money.counter.charge("a-101-1", "day/1", 6000)
    assert (await till.books())["revenue/energy"] == 6000
    with pytest.raises(Conflict, match="another amount"):
        await till.money.counter.charge("a-101-1", "day/1", 6001)
    with pytest.raises(Conflict, match="itself"):
        await till.money.counter.charge("a-102-1", "day/1", 100)


async def test_two_accounts_are_charged_under_the_same_name(till):
    for meter in ("a-101", "a-102"):
        await till.account(meter, mode=Mode.POSTPAID)
        await till.money.counter.charge(f"{meter}-1", "november", 6000)
    books = await till.books()
    assert (books["receivable/a-101-1"], books["receivable/a-102-1"]) == (-6000, -6000)
    assert books["revenue/energy"] == 12000
    assert len(await till.outbox("supply")) == 2


async def test_a_charge_booked_under_its_bare_name_by_an_older_hub_is_not_booked_again(till):
    await till.account(mode=Mode.POSTPAID)
    line = ledger.Line("charge_owed", "november", "receivable/a-101-1", "revenue/energy", 6000)
    await till.real.transact(lambda tx: ledger.post(tx, line, operator="main", at_ms=0, cause=""))
    await till.money.counter.charge("a-101-1", "november", 6000)
    assert (await till.books())["revenue/energy"] == 6000


async def test_a_charge_that_a_person_made_is_noted_with_the_reason(till):
    await till.account(mode=Mode.SERVER)
    await till.money.counter.charge("a-101-1", "day/1", 100)
    assert [entry[0] for entry in till.audit] == ["money.open_account"]
    await till.money.counter.charge("a-101-1", "hand/1", 250, "user:anna", "read by hand")
    told = {"amount_fen": 250, "ref": "hand/1", "reason": "read by hand"}
    assert till.audit[-1] == ("money.charge", "a-101-1", "user:anna", told)


async def test_debt_is_paid_first(till):
    await till.account(mode=Mode.SERVER)
    await till.money.counter.charge("a-101-1", "day/1", 1500)
    await till.paid_order()
    books = await till.books()
    assert (books["prepaid/a-101-1"], books["receivable/a-101-1"]) == (3500, 0)


def rules(till, answered=lambda meter: None, **wanted):
    policy = Policy(**{"no_cut_hours": (0, 0), **wanted})
    till.money.supply._switching = replace(till.money.supply._switching, policy=policy, answered=answered)


async def used_up(till, meter="a-101"):
    """An account of server mode that owes one yuan; returns the decisions on it after a minute."""
    account = await till.account(meter, mode=Mode.SERVER)
    await till.money.counter.charge(account["id"], f"{meter}/1", 100)
    await till.until_quiet(60)
    return [(row["allow"], row["reason"]) for row in await till.rows("select * from policy_decisions order by id")]


@pytest.mark.parametrize("form", ["%m-%d", "%Y-%m-%d", "%a"])
async def test_nobody_is_cut_off_on_a_holiday(till, form):
    rules(till, no_cut_days=(f"{utc(till.clock.now()):{form}}".lower(),))
    assert await used_up(till) == [(0, "nobody is cut off on this day")]
    await till.until_quiet(24 * 3600)
    assert till.meters.relays == {"a-101": "off"}


async def test_nobody_is_cut_off_whose_meter_was_silent_for_long(till):
    heard = {"a-101": till.clock.now() - 8_000_000}
    rules(till, heard.get)
    assert await used_up(till) == [(0, "the meter has not answered for too long")]
    heard["a-101"] = till.clock.now()
    await till.until_quiet(700)
    assert till.meters.relays == {"a-101": "off"}


async def test_a_payment_under_way_keeps_the_supply_on_but_not_for_ever(till):
    rules(till)
    await till.account(mode=Mode.SERVER)
    till.money.policy = replace(till.policy, expiry_s=86_400)
    await till.start(await till.order())
    await till.money.counter.charge("a-101-1", "day/1", 100)
    await till.until_quiet(60)
    (decision,) = await till.rows("select * from policy_decisions")
    assert (decision["allow"], decision["reason"]) == (0, "a payment is under way")
    await till.until_quiet(3600 + 700)
    assert till.meters.relays == {"a-101": "off"}


async def test_only_so_many_are_cut_off_within_an_hour(till):
    rules(till, most_cuts=1)
    await used_up(till)
    decisions = await used_up(till, "a-102")
    assert decisions[-1] == (0, "1 were cut off within the last hour, and no more may be")
    assert till.meters.relays == {"a-101": "off"}
    await till.until_quiet(3600 + 700)
    assert till.meters.relays == {"a-101": "off", "a-102": "off"}


async def test_nobody_is_cut_off_in_the_quiet_hours_nor_without_a_stored_decision(till):
    rules(till, no_cut_hours=(22, 8))
    await till.account(mode=Mode.SERVER)
    await till.money.counter.charge("a-101-1", "day/1", 100)
    await till.until_quiet(3600)
    assert till.meters.relays == {}
    assert [row["allow"] for row in await till.rows("select allow from policy_decisions")] == [0]
    till.meters.fail["meter.open_circuit"] = ["lost"]
    await till.until_quiet(8 * 3600)
    assert till.meters.relays == {"a-101": "off"}
    (allowed, *_) = await till.rows("select * from policy_decisions where allow = 1")
    assert '"owed_fen": 100' in allowed["inputs_json"] and allowed["reason"] == "the credit is used up"
    rules(till, no_cut_hours=(1, 23))
    await till.account("a-102", mode=Mode.SERVER)
    await till.money.counter.charge("a-102-1", "day/1", 100)
    await till.until_quiet(60)
    assert "a-102" not in till.meters.relays
    await till.real.transact(lambda tx: tx.execute("update money_accounts set state = 'closed' where id = 'a-102-1'"))
    await till.until_quiet(3600)
    assert "a-102" not in till.meters.relays


async def test_a_receipt_counts_its_copies(till):
    await till.account()
    no = await till.paid_order()
    assert [await till.money.counter.printed(no, "user:anna") for _ in range(3)] == [0, 1, 2]


async def test_cash_is_one_sale_however_often_the_button_is_pressed(till):
    from meterhub.money.orders import Wish

    await till.account(mode=Mode.SERVER)
    sales = [await till.money.counter.sell_for_cash(Wish("a-101-1", 3000, "r1", "user:anna")) for _ in range(2)]
    assert sales[0]["no"] == sales[1]["no"]
    (payment,) = await till.rows("select * from payments")
    await till.money.counter.refund(RefundWish(payment["id"], 3000, "wrong meter"), "user:anna")
    await till.until_quiet()
    assert await till.state(sales[0]["no"]) == "refunded"
    assert [fen for fen in (await till.books()).values() if fen] == []


def test_the_nearest_merchant_account_comes_first():
    company = Company()
    all_of_it = merchant(company, "all", "main")
    north = merchant(company, "north", "main/north")
    merchants = Merchants([all_of_it, north, merchant(company, "other", "elsewhere"), merchant(company, "any")])
    assert [one.id for one in merchants.serving("main/north/Block A")] == ["north", "all", "any"]
    assert [one.id for one in merchants.serving("main/northwest")] == ["all", "any"]
    with pytest.raises(NotFound):
        merchants.get("all", "another")


async def test_without_a_public_address_no_payment_is_opened(till):
    paying = till.money.paying
    offline = Paying(till.store, till.clock, till.merchants, till.money._settling, till.money.outbox, "")
    till.money.outbox.handle("watch", paying.watch)
    with pytest.raises(ConfigError, match="public"):
        offline.notify_url(till.merchants.get("court"))
    assert offline.page_url("/pay/x") == "" and paying.page_url("/pay/x") == "https://pay.example.org/pay/x"


@pytest.mark.parametrize(
    ("table", "move", "states"), [(ORDERS, move_order, OrderState), (DELIVERIES, move_delivery, DeliveryState)]
)
async def test_no_state_follows_that_may_not(till, table, move, states):
    assert {str(one) for one in states} == set(table)
    row = {"no": "nobody", "id": 9, "state": next(name for name, after in table.items() if not after)}
    for state in states:
        with pytest.raises(Conflict, match="cannot become"):
            await till.real.transact(lambda tx, state=state: move(tx, row, state))
    first = next(name for name, after in table.items() if after)
    with pytest.raises(Conflict, match="any more"):
        await till.real.transact(lambda tx: move(tx, {**row, "state": first}, states(min(table[first]))))


async def test_the_outbox_outlives_handlers_that_fail_and_those_that_are_gone(till):
    outbox = till.money.outbox
    seen = []

    async def handler(row):
        seen.append(row["failures"])
        if len(seen) == 1:
            raise ValueError("a mistake of ours")
        if len(seen) == 2:
            raise BadInput("what was asked is wrong")
        if len(seen) == 3:
            return Again(10)
        return None

    outbox.handle("odd", handler)
    await till.real.transact(lambda tx: outbox.put(tx, "odd", "1", "x", {}, operator="main"))
    outbox.wake()
    await till.until_quiet(3600)
    assert seen == [0, 1, 2, 0]
    await till.real.transact(lambda tx: outbox.put(tx, "nobody", "1", "x", {}, operator="main"))
    assert [state for _, state, _ in await till.outbox("nobody")] == ["no_way"]
    await till.real.transact(lambda tx: outbox.put(tx, "odd", "2", "x", {}, operator="main"))
    del outbox._handlers["odd"]
    outbox.wake()
    await till.until_quiet(60)
    (row,) = await till.rows("select error from outbox where key = '2' and kind = 'odd'")
    assert "plugin" in row["error"]


async def test_what_is_done_while_the_table_is_read_is_not_done_again(till):
    """A message would be sent twice: the table was read before its row was marked, and its lane is free after."""

    class SlowReading:
        def __init__(self, store):
            self.transact = store.transact
            self._read = store.query

        async def query(self, name, params=()):
            rows = await self._read(name, params)
            if name == "outbox.heads":
                await till.clock.sleep(2)
            return rows

    await till.close()
    await till.open(wrap=SlowReading)
    outbox = till.money.outbox
    sent = []

    async def handler(row):
        sent.append(row["key"])
        outbox.wake()
        await till.clock.sleep(1)

    outbox.handle("odd", handler)
    await till.real.transact(lambda tx: outbox.put(tx, "odd", "1", "x", {}, operator="main"))
    outbox.wake()
    await till.until_quiet(60)
    assert sent == ["1"]


async def test_rows_of_one_lane_follow_each_other_and_no_row_waits_for_a_place_that_is_free(till, monkeypatch):
    monkeypatch.setattr("meterhub.money.places.PLACES", 2)
    outbox, running, order = till.money.outbox, set(), []

    async def handler(row):
        assert row["lane"] not in running and len(running) < 2
        running.add(row["lane"])
        order.append(row["key"])
        if row["key"] == "a1":  # comes while its lane is busy
            await till.real.transact(lambda tx: outbox.put(tx, "odd", "a2", "a", {}, operator="main"))
        await till.clock.sleep(1)
        running.discard(row["lane"])

    outbox.handle("odd", handler)
    for key in ("a1", "b1", "b2", "c1", "d1"):
        await till.real.transact(lambda tx, key=key: outbox.put(tx, "odd", key, key[0], {}, operator="main"))
    await till.until_quiet(10)
    assert sorted(order) == ["a1", "a2", "b1", "b2", "c1", "d1"]
    assert order.index("a1") < order.index("a2") and order.index("b1") < order.index("b2")


async def test_rows_that_wait_share_whole_seconds(till):
    outbox = till.money.outbox
    outbox.handle("odd", lambda row: None)
    await till.clock.advance(0.25)
    await till.real.transact(lambda tx: outbox.put(tx, "odd", "1", "x", {}, operator="main", after_s=5))
    (row,) = await till.rows("select next_ms, created_ms from outbox where kind = 'odd'")
    assert row["next_ms"] % 1000 == 0 and 5000 <= row["next_ms"] - row["created_ms"] < 6000


async def test_a_wish_of_a_parked_row_to_be_looked_at_is_not_lost(till):
    outbox = till.money.outbox
    looks = []

    async def handler(row):
        looks.append(row["tries"])
        if len(looks) == 1:
            await till.real.transact(lambda tx: outbox.wake_row(tx, "odd", "1"))
            return Again(None)
        return None

    outbox.handle("odd", handler)
    await till.real.transact(lambda tx: outbox.put(tx, "odd", "1", "x", {}, operator="main"))
    outbox.wake()
    await till.until_quiet(5)
    assert len(looks) == 2


async def test_an_order_over_its_time_is_not_opened_even_before_it_is_ended(till):
    await till.account()
    order = await till.order()
    await till.real.transact(lambda tx: tx.execute("update orders set expires_ms = created_ms"))
    with pytest.raises(Conflict, match="time to pay"):
        await till.start(order)


async def test_a_company_that_needs_no_id_of_the_payer_asks_for_none():
    account = merchant(Company()).account
    assert account.identify_url("qr", "https://pay.example.org") == ""
    with pytest.raises(ProviderRefused):
        await account.identify({})


async def test_nobody_fills_the_books_with_orders_that_are_never_paid(till):
    await till.account()
    for number in range(20):
        await till.order(key=f"k{number}")
    with pytest.raises(TooMany):
        await till.order(key="one more")
    assert (await till.order(key="k3"))["state"] == "created"
    await till.until_quiet(1000)
    assert (await till.order(key="one more"))["state"] == "created"
