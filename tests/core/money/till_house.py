"""A room of money on a real store and the movable clock, with a payment company and meters that can fail."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC

from bank import Company, Meters, Purse, merchant

from meterhub.money.accounts import Opening
from meterhub.money.evidence import Evidence, Outcome, Source
from meterhub.money.merchants import Merchants
from meterhub.money.orders import Wish
from meterhub.money.paying import Browser
from meterhub.money.policy import Policy
from meterhub.money.provider import Notice
from meterhub.money.room import Money, Outside
from meterhub.money.statements import PaymentState, PaymentStatement
from meterhub.money.states import Mode
from meterhub.store.sqlite import SqliteStore
from meterhub.tasks import Tasks


class Till:
    """Opens the room again and again on one database; the company and the meters live on."""

    def __init__(self, folder, clock, policy=None, trip=lambda name: None):
        self.folder, self.clock, self.policy = folder, clock, policy or Policy(no_cut_hours=(0, 0))
        self.company, self.meters = Company(trip), Meters(trip)
        self.merchants = Merchants([merchant(self.company)])
        self.errors = []
        self.notes = []
        self.audit = []
        self.answered = lambda meter: None

    async def open(self, wrap=lambda store: store, engine=SqliteStore):
        self.real = await engine.open(self.folder, self.clock)
        return self.begin(wrap)

    def begin(self, wrap=lambda store: store):
        """A new room on the open store, as after a restart."""
        self.store = wrap(self.real)
        self.tasks = Tasks(self.clock, lambda owner, error: self.errors.append((owner, error)))
        outside = Outside(
            self._ask(),
            self.tasks.spawn,
            self.merchants,
            self._note,
            self.folder / "proofs",
            "https://pay.example.org",
            UTC,
            lambda meter: self.answered(meter),
        )
        self.money = Money(self.store, self.clock, self.policy, outside)
        self.money.outbox.handle("message", self._message)
        self.tasks.spawn("money", self.money.run())
        return self

    def _ask(self):
        """The way to the meters."""
        return self.meters.ask

    async def _message(self, row):
        self.notes.append(("message", row["key"]))

    def _note(self, tx, action, target, by, after):
        self.notes.append((action, target))
        self.audit.append((action, target, by, dict(after)))

    async def close(self):
        await self.tasks.stop()
        await self.real.close()

    async def account(self, meter="a-101", mode=Mode.METER, counted=True):
        self.meters.purses[meter] = Purse(counted)
        opening = Opening(meter, "main", "main/main", mode, f"link-{meter}", "user:anna")
        return await self.money.counter.open_account(opening)

    async def order(self, account="a-101-1", fen=5000, key="k1", by="tenant"):
        return await self.money.order(Wish(account, fen, key, by))

    async def start(self, order, way="qr"):
        """Open a payment; returns the attempt's number."""
        await self.money.paying.open(order["no"], self.money.merchants.get("court"), way, "Meter", Browser())
        return f"{order['no']}00"

    async def notify(self, no, body=None):
        notice = Notice({}, (body or f"paid {no}").encode(), self.clock.now())
        return await self.money.notice("acme", "court", notice)

    async def paid_order(self, account="a-101-1", fen=5000, key="k1"):
        """An order that is paid and told of by a notice."""
        order = await self.order(account, fen, key)
        no = await self.start(order)
        self.company.pay(no, self.clock.now())
        answer = await self.notify(no)
        assert answer.body == b"success"
        return order["no"]

    async def know(self, order):
        """Make an order of a shown sample as the hub would have it by then."""
        no, fen, channel = order["out_trade_no"], order["amount_fen"], order["channel"]
        now_ms = self.clock.now()
        place = {"operator": "main", "amount_fen": fen, "created_ms": now_ms, "expires_ms": now_ms + 900_000}
        whose = {"scope": "main", "account": "a-101-1", "meter": "a-101", "client_key": no, "created_by": "tenant"}
        state = "expired" if order["state"] == "CLOSED" else "paying"
        payment = {"provider": channel, "merchant": "m", "payment_account": "court", "way": "qr"}

        def write(tx):
            tx.insert("orders", {**place, **whose, "no": f"O{no}", "state": state})
            tx.insert("attempts", {**place, **payment, "no": no, "order_no": f"O{no}", "state": "pending"})

        await self.real.transact(write)
        if order["state"] in ("PAID", "REFUNDED"):
            statement = PaymentStatement(no, PaymentState.PAID, fen, order["trade_no"], paid_ms=now_ms)
            outcome = await self.money.settle(Evidence(channel, "m", "court", Source.NOTICE, statement))
            assert outcome is Outcome.CREDITED

    async def rows(self, sql, *params):
        return await self.real.query(sql, list(params))

    async def books(self):
        return {row["book"]: row["fen"] for row in await self.rows("select book, fen from book_balances")}

    async def state(self, order_no):
        (row,) = await self.rows("select state from orders where no = ?", order_no)
        return row["state"]

    async def delivery(self, order_no):
        (row,) = await self.rows("select * from deliveries where order_no = ?", order_no)
        return row

    async def cases(self):
        rows = await self.rows("select kind from anomalies where solved_ms is null order by id")
        return [row["kind"] for row in rows]

    async def outbox(self, kind):
        rows = await self.rows("select * from outbox where kind = ?", kind)
        return [(row["key"], row["state"], json.loads(row["payload_json"])) for row in rows]

    async def until_quiet(self, seconds=60):
        await self.clock.advance(seconds)
        await asyncio.sleep(0)
