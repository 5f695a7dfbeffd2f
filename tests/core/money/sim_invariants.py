"""What must hold in the world of recharges. The numbers are those of the list of invariants in ``docs/money.md``.

``look()`` runs at every power cut, before the hub is back, and after every 200 recharges, on what is committed at that
moment; ``final()`` at the end, after three calm days, against what companies and meters themselves have on record.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from itertools import groupby
from operator import itemgetter

from sim_companies import fee_fen, less_fen

from meterhub.money.ledger import GUARDED
from meterhub.money.statements import PaymentState
from meterhub.money.states import Mode

TABLES = ("orders", "attempts", "payments", "refunds", "deliveries", "ledger", "book_balances", "outbox", "anomalies")
METERS_AT_ONCE = 10
"""Meters whose count is compared at one look."""


class Inspector:
    """Follows the ledger line by line, with sums of its own."""

    def __init__(self, world):
        self.world = world
        self.looks = self.last_line = 0
        self.books = defaultdict(int)
        self.chain = hashlib.sha256()
        """Over all lines in their order: a line that changes later is noticed at the end."""

    def rows(self, sql, *params):
        return self.world.till.real.snapshot(sql, params)

    def each(self, sql, *params):
        """Row by row, where all of them would fill the memory."""
        return self.world.till.real.each(sql, params)

    def look(self):
        """All that must hold at every moment."""
        self.looks += 1
        assert self.world.broken == [], self.world.broken  # what companies, meters and customers noticed: 3, 7, 10
        self.follow_ledger()
        kept = {row["book"]: row["fen"] for row in self.rows("select book, fen from book_balances")}
        if kept != self.books:
            names = kept.keys() | self.books.keys()
            wrong = {one: (kept.get(one), self.books[one]) for one in names if kept.get(one, 0) != self.books[one]}
            assert wrong == {}, wrong  # 2
        assert sum(kept.values()) == 0  # 1, 5
        assert self.rows(IN_FLIGHT) == []  # 10
        assert self.rows(REFUND_IN_DOUBT) == []  # 11
        self.counts()

    def follow_ledger(self):
        """Every line moves a whole positive amount between two books (1); no guarded book is ever below zero (6)."""
        for row in self.rows("select * from ledger where id > ? order by id", self.last_line):
            fen, source, target = row["fen"], row["source"], row["target"]
            assert type(fen) is int and fen > 0 and source != target, row
            self.books[source] -= fen
            self.books[target] += fen
            assert self.books[source] >= 0 or not source.startswith(GUARDED), row
            self.chain.update(repr(tuple(row.values())).encode())
            self.last_line = row["id"]

    def counts(self):
        """Some meters: what they counted is what is confirmed, and one more at most, which is under way (8, 9)."""
        world = self.world
        for name in world.random.sample(sorted(world.meters.purses), min(METERS_AT_ONCE, world.meter_count)):
            if not world.meters.purses[name].counted:
                continue
            (row,) = self.rows(COUNTED, f"{name}-1", name)
            ahead = world.meters.count(name) - len(world.meters.purses[name].foreigners) - row["confirmed"]
            assert 0 <= ahead <= row["in_flight"] <= 1, (name, ahead, row)

    async def fingerprint(self):
        """A hash of every step and of every row of money: equal for two runs of one seed."""
        told = hashlib.sha256(self.world.cuts.told().encode())
        for table in TABLES:
            for row in self.each(f"select * from {table} order by 1, 2, 3"):
                told.update(repr(tuple(row.values())).encode())
        return told.hexdigest()

    async def final(self):
        """All that must hold when everything is over."""
        self.look()
        self.append_only()
        self.keys()
        self.companies()
        self.orders()
        self.meters()
        self.accounts()
        self.refunds()
        self.quiet()

    def append_only(self):
        """2: every line is as it was when it was first seen; 3: no event has two."""
        chain = hashlib.sha256()
        for row in self.each("select * from ledger order by id"):
            chain.update(repr(tuple(row.values())).encode())
        assert chain.digest() == self.chain.digest()
        assert self.rows("select kind, ref from ledger group by operator, kind, ref having count(*) > 1") == []

    def keys(self):
        """3: as many orders as keys, and one message at most for what happened to an order."""
        customers = self.world.customers
        (row,) = self.rows("select count(*) as n, count(distinct account || '/' || client_key) as keys from orders")
        assert row["n"] == row["keys"] == customers.keys
        told = [key for _, key in self.world.till.notes if _ == "message"]
        wanted = {row["key"] for row in self.each("select key from outbox where kind = 'message'")}
        assert set(told) == wanted

    def companies(self):
        """4: what each company holds, less fees and coupons, is its clearing book; each payment is booked once."""
        for name, (company, account) in self.world.accounts.items():
            paid = {
                trade.transaction_id: trade for trade in company.trades.values() if trade.state is PaymentState.PAID
            }
            key = (account.type_name, account.merchant)
            rows = self.each("select transaction_id as id, amount_fen as fen from payments where provider = ?", key[0])
            assert sorted((row["id"], row["fen"]) for row in rows) == sorted(
                (one.transaction_id, one.amount_fen) for one in paid.values()
            ), name
            fees = sum(fee_fen(trade) for trade in paid.values())
            assert self.books[f"fees/{key[0]}"] == -fees, name
            less = sum(
                less_fen(trade) - sum(less_fen(trade, back["fen"]) for back in trade.refunds.values())
                for trade in paid.values()
            )
            assert self.books[f"discounts/{key[0]}"] == -less, name
            assert -self.books[f"clearing/{key[0]}/{key[1]}"] == company.money() - fees - less, name
        (cash,) = self.rows("select count(*) as n from payments where provider = 'cash'")
        assert cash["n"] == self.world.customers.sold

    def orders(self):
        """5: what companies and the till hold for an order is in its account, to the fen, and nowhere else."""
        paid = self.held()
        for row, books in self.books_of_orders():
            kinds = Counter()
            for book, fen in books.items():
                kinds[book.partition("/")[0]] += fen
            mode = mode_of(self.world, row["account"])
            home = {"clearing", "meter"} if mode is Mode.METER else {"clearing", "prepaid", "receivable"}
            assert set(kinds) <= home, (row, books)
            assert -kinds["clearing"] == paid[row["no"]], (row, books, paid[row["no"]])
            assert row["state"] in ("fulfilled", "expired", "refunded"), row
            assert row["state"] != "fulfilled" or kinds["clearing"], (row, books)
            assert row["state"] == "fulfilled" or not kinds["clearing"], (row, books)

    def books_of_orders(self):
        """Each order, and what its lines leave in which books."""
        for _, lines in groupby(self.each(LINES_OF_ORDERS), itemgetter("no")):
            left = Counter()
            for row in lines:
                left[row["source"]] -= row["fen"] or 0
                left[row["target"]] += row["fen"] or 0
            yield row, {book: fen for book, fen in left.items() if fen}

    def held(self):
        """Per order what companies hold for it now; for cash what was taken and not given back."""
        held = Counter()
        for company, _ in self.world.accounts.values():
            for trade in company.trades.values():
                if trade.state is PaymentState.PAID:
                    held[trade.no[:-2]] += trade.amount_fen - sum(one["fen"] for one in trade.refunds.values())
        for row in self.each("select order_no, amount_fen from payments where provider = 'cash'"):
            held[row["order_no"]] += row["amount_fen"]
        for row in self.each(CASH_BACK):
            held[row["order_no"]] -= row["amount_fen"]
        return held

    def meters(self):
        """8, 9: each meter has on record what is confirmed, under 1 to n, and holds what was not used of it."""
        confirmed = defaultdict(list)
        for row in self.each("select meter, number, amount_fen, takes_back from deliveries where state = 'confirmed'"):
            fen = -row["amount_fen"] if row["takes_back"] else row["amount_fen"]
            confirmed[row["meter"]].append((row["number"], fen))
        for name, purse in self.world.meters.purses.items():
            confirmed[name].sort()
            known = sorted(confirmed[name] + purse.foreigners)
            assert sorted(self.world.meters.ledger(name)) == known, name
            numbers = [number for number, _ in known]
            assert len(set(numbers)) == len(numbers), name
            assert not purse.counted or numbers == list(range(1, len(known) + 1)), name
            credited = sum(fen for _, fen in confirmed[name])
            assert self.books[f"meter/{name}-1"] == credited, name
            if name not in self.world.meters.twins:
                assert purse.balance_fen + purse.used_fen == credited + sum(fen for _, fen in purse.foreigners), name

    def accounts(self):
        """5, 6: nothing is between two places; 22: the supply is as the credit wants, by a decision."""
        between = ("in_flight/", "suspense", "refunds_payable")
        assert [book for book, fen in self.books.items() if fen and book.startswith(between)] == []
        for row in self.rows("select * from money_accounts"):
            prepaid, owed = self.books[f"prepaid/{row['id']}"], -self.books[f"receivable/{row['id']}"]
            assert row["mode"] != "meter" or prepaid == owed == 0, row
            if row["mode"] == "server":
                wanted = "on" if prepaid - owed > 0 else "off"
                assert (row["supply"] or "on") == wanted == self.world.meters.relays.get(row["meter"], "on"), row
        allowed = {f"decision:{row['id']}" for row in self.rows("select id from policy_decisions where allow = 1")}
        assert all(cause in allowed for _, _, cause in self.world.switched)

    def refunds(self):
        """7: no more than was paid, and back the way it came."""
        assert self.rows(OVER_REFUNDED) == []
        assert self.rows(OTHER_ROUTE) == []

    def strangers(self):
        """What the proof has to find: purchases that somebody else made after the last one of ours."""
        return [
            f"{row['meter']}: the meter says {count}, the books {row['purchase_count']}"
            for row in self.rows("select meter, purchase_count from money_accounts where mode = 'meter' order by id")
            if row["purchase_count"] is not None
            and (count := self.world.meters.count(row["meter"])) != row["purchase_count"]
        ]

    def quiet(self):
        """Nothing waits, for a person or for the hub, and the latest nightly proof found no difference."""
        assert self.rows("select kind, order_no, detail from anomalies where solved_ms is null") == []
        assert self.rows("select kind, key, error from outbox where state = 'waiting' and kind <> 'proof'") == []
        proof = json.loads(self.rows("select content_json from proofs order by day")[-1]["content_json"])
        found = [words for one in proof["checks"] for words in one["differences"]]
        assert found == self.strangers(), (found, self.strangers())
        states = Counter(row["state"] for row in self.each("select state from orders"))
        assert states["fulfilled"] > self.world.ended // 2 and self.world.cuts.count > 0
        stopped = [error for _, error in self.world.till.errors if type(error).__name__ != "Stopped"]
        assert stopped == []


def mode_of(world, account):
    """How an account pays."""
    from recharge_world import mode_of as of

    return of(int(account[1:-2]))


LINES_OF_ORDERS = """
select o.no, o.account, o.state, l.source, l.target, l.fen
from orders o left join ledger l on l.order_no = o.no order by o.no
"""
IN_FLIGHT = "select meter from deliveries where state in ('sending', 'unknown') group by meter having count(*) > 1"
REFUND_IN_DOUBT = """
select r.no from deliveries d join refunds r on r.order_no = d.order_no and r.state <> 'closed'
join payments p on p.id = r.payment
where d.state in ('sending', 'unknown') and d.takes_back = 0 and (p.kind = 'first'
    or exists (select 1 from ledger l where l.operator = 'main' and l.kind = 'applied' and l.ref = cast(p.id as text)))
"""
COUNTED = """
select (select count(*) from deliveries indexed by deliveries_number where account = ? and state = 'confirmed')
    as confirmed, (select count(*) from deliveries where meter = ? and state in ('sending', 'unknown')) as in_flight
"""
CASH_BACK = """
select r.order_no, r.amount_fen from refunds r join payments p on p.id = r.payment
where p.provider = 'cash' and r.state = 'done'
"""
OVER_REFUNDED = """
select p.id from payments p join refunds r on r.payment = p.id and r.state <> 'closed'
group by p.id having sum(r.amount_fen) > p.amount_fen
"""
OTHER_ROUTE = """
select r.no from refunds r join payments p on p.id = r.payment
join ledger l on l.operator = 'main' and l.kind = 'refund_done' and l.ref = r.no
where l.target <> 'clearing/' || p.provider || '/' || p.merchant
"""
