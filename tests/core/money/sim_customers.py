"""What people do in the world of recharges: customers, whoever sells for cash, managers; and what meters use up."""

from __future__ import annotations

import contextlib

from meterhub.errors import Conflict, MeterHubError, NoticeRejected, ProviderError
from meterhub.money.orders import Wish
from meterhub.money.paying import Browser
from meterhub.money.refunds import RefundWish

PAYS_AFTER_S = (1, 3, 5, 10, 20, 40, 60, 120, 300, 600, 890, 899, 901, 950, 1500)
"""Most pay at once; an order is over after 900 s."""
CHANNELS = ("court",) * 18 + ("ali", "we")
SECOND_CHANNELS = ("court",) * 4 + ("ali", "we")
"""Some 13 % of the payments are told of by signed notices, whose signatures cost more than the rest of them."""
CASH, TWICE, PAYS, REFUNDED, REPEATED, OTHER_AMOUNT, FOREIGN = 0.05, 0.1, 0.92, 0.08, 0.1, 0.05, 0.003
FORGED = 0.04


class Customers:
    """Everybody who asks something of the hub."""

    def __init__(self, world):
        self.world, self.random, self.clock = world, world.random, world.clock
        self.keys = self.sold = 0
        """Keys that were used for an order; of these, sales for cash."""

    @property
    def money(self):
        return self.world.till.money

    async def customer(self, number):
        """Somebody buys credit, in a hurry, twice, too late, or not at all."""
        random, name = self.random, f"m{number % self.world.meter_count}"
        await self.clock.sleep(random.random() * 3600)
        if random.random() < FOREIGN:
            self.foreign(name)
        fen = random.randint(100, 50_000)
        if random.random() < CASH:
            await self.sell(f"{name}-1", fen, f"cash{number}")
            return
        wish = Wish(f"{name}-1", fen, f"key{number}", "tenant")
        order = await self.order(wish, self.money_order)
        if order is None:
            return
        ways = [(random.choice(CHANNELS), "qr")]
        if random.random() < TWICE:  # a second one, often at another company
            ways.append((random.choice(SECOND_CHANNELS), "h5"))
        for channel, way in ways:
            await self.start(order["no"], channel, way)
        await self.clock.sleep(random.choice(PAYS_AFTER_S))
        for channel in sorted({channel for channel, _ in ways}):
            await self.pay(order["no"], channel)
        if random.random() < REFUNDED:
            await self.clock.sleep(random.choice((0, 1, 5, 60, 600)))
            await self.refund(order["no"], "moved out")

    async def money_order(self, wish):
        return await self.money.order(wish)

    async def sell_order(self, wish):
        return await self.money.counter.sell_for_cash(wish)

    async def order(self, wish, ask):
        """Order, often more than once; the same key is the same order, and nothing else (3)."""
        try:
            order = await self.world.hub(lambda: ask(wish))
        except MeterHubError:  # too many wait to be paid
            return None
        self.keys += 1
        if self.random.random() < REPEATED:
            again = await self.world.hub(lambda: ask(wish))
            if again["no"] != order["no"]:
                self.world.broken.append(f"3: {wish.key} became two orders")
        if self.random.random() < OTHER_AMOUNT:
            other = Wish(wish.account, wish.amount_fen + 1, wish.key, wish.by)
            try:
                await self.world.hub(lambda: ask(other))
                self.world.broken.append(f"3: {wish.key} was taken with another amount")
            except Conflict:
                pass
        return order

    async def sell(self, account, fen, key):
        """Somebody pays cash over the counter, and now and then wants it back."""
        order = await self.order(Wish(account, fen, key, "user:bo"), self.sell_order)
        self.sold += order is not None
        if order is not None and self.random.random() < REFUNDED:
            await self.clock.sleep(self.random.choice((0, 5, 600)))
            await self.refund(order["no"], "wrong meter")

    async def start(self, order_no, channel, way):
        """The payer's page: it is opened once more when the company did not answer."""
        for _ in range(2):
            try:
                merchant = self.money.merchants.get(channel)
                await self.world.hub(lambda m=merchant: self.money.paying.open(order_no, m, way, "Meter", Browser()))
                return
            except ProviderError:
                await self.clock.sleep(5)
            except MeterHubError:  # its time is over, or it is paid
                return

    async def pay(self, order_no, channel):
        """Pay what is open at a company, be it closed in this very moment; the company tells of it, or does not."""
        company, _ = self.world.accounts[channel]
        for index in range(20):
            trade = company.trades.get(f"{order_no}{index:02d}")
            if trade is None or self.random.random() > PAYS:
                continue
            if company.pay(trade.no, late=self.random.random() < 0.7):
                await self.tell(channel, trade)

    async def tell(self, channel, trade):
        """Notices: forged, lost, repeated until one is taken, and repeated after that."""
        for wait_s in (0, 5, 30, 300):
            await self.clock.sleep(wait_s * self.random.random())
            if self.random.random() < FORGED and channel != "court":
                await self.forge(channel, trade)
            if self.random.random() < 0.15:
                continue  # lost
            try:
                if await self.world.notify(channel, trade) and self.random.random() < 0.7:
                    return
            except NoticeRejected:  # the hub's clock is wrong by too much for a signature of today
                continue

    async def forge(self, channel, trade):
        with contextlib.suppress(NoticeRejected):
            await self.world.notify(channel, trade, forge=True)

    async def refund(self, order_no, why):
        """Give an order's money back, or a part of it, be it on its way, used up, or given back already."""
        rows = await self.world.hub(lambda: self.money.all("money.payments_of_order", order_no=order_no))
        for payment in rows:
            for _ in range(self.random.choice((1, 1, 2, 3))):  # more than there is, all in all
                fen = self.random.choice([payment["amount_fen"], max(payment["amount_fen"] * 2 // 3, 1)])
                await self.give_back(payment["id"], fen, why)
                await self.clock.sleep(self.random.choice((0, 30, 300)))

    async def give_rest_back(self, payment, why):
        """All of a payment that did not go back yet."""
        (row,) = self.world.till.real.snapshot(REST, [payment])
        await self.give_back(payment, row["fen"], why)

    async def give_back(self, payment, fen, why):
        try:
            wish = RefundWish(payment, fen, why, meter_gives_back=True)
            await self.world.hub(lambda: self.money.counter.refund(wish, "user:anna"))
        except MeterHubError:
            pass

    def foreign(self, name):
        """Somebody charges a meter with a card; not while one of ours is in doubt, which no count could settle."""
        purse = self.world.meters.purses[name]
        sql = "select 1 from deliveries where meter = ? and state in ('sending', 'unknown')"
        if name not in self.world.meters.twins and purse.counted and not self.world.till.real.snapshot(sql, [name]):
            purse.foreign(self.random.randint(1, 99))

    async def use(self):
        """Meters use their credit up, so that not all of it can be taken back."""
        while True:
            await self.clock.sleep(600)
            for name in self.world.meters.purses:
                if self.random.random() < 0.3:
                    self.world.meters.use(name, self.random.random())

    async def manage(self):
        """A manager looks at what needs a person, and decides by what the meter says."""
        while True:
            await self.clock.sleep(1200)
            for case in await self.world.hub(lambda: self.money.all("cases.open", operator="main", most=1_000_000)):
                try:
                    await self.decide(case)
                except MeterHubError:  # somebody, or the hub itself, was faster
                    continue

    async def decide(self, case):
        kind, no = case["kind"], case["order_no"]
        if kind == "count_gap":
            await self.resolve(no, "adopt_count")
        elif kind == "refused_delivery":  # a late answer of before a power cut told the meter's dialogue an older count
            await self.resolve(no, "send_again")
        elif kind in ("uncertain_delivery", "books_differ"):
            await self.look_at_meter(no)
        elif kind == "late_payment":
            payment = int(case["ref"])
            if self.random.random() < 0.6 and not self.world.till.real.snapshot(PARTS, [payment]):
                await self.world.hub(lambda: self.money.counter.apply_late(payment, "user:anna"))
            else:
                await self.give_rest_back(payment, "too late")

    async def look_at_meter(self, order_no):
        """The meter has the purchase, or it has not; then it is sent once more, or given back.

        The first may have been decided already, when a power cut came before what follows from it.
        """
        delivery = await self.world.hub(lambda: self.money.one("money.delivery_to_decide", order_no=order_no))
        fen = -delivery["amount_fen"] if delivery["takes_back"] else delivery["amount_fen"]
        if delivery["state"] != "not_delivered":
            if (delivery["number"], fen) in self.world.meters.ledger(delivery["meter"]):
                await self.resolve(order_no, "arrived")
                return
            await self.resolve(order_no, "not_arrived")
        if delivery["takes_back"]:
            return
        if self.random.random() < 0.7:
            await self.resolve(order_no, "send_again")
            return
        for payment in await self.world.hub(lambda: self.money.all("money.payments_of_order", order_no=order_no)):
            await self.give_rest_back(payment["id"], "not delivered")

    async def resolve(self, order_no, what):
        await self.world.hub(lambda: self.money.counter.resolve_delivery(order_no, what, "looked", "user:anna"))


PARTS = "select no from refunds where payment = ? and state <> 'closed'"
REST = """
select p.amount_fen - coalesce(sum(r.amount_fen), 0) as fen from payments p
left join refunds r on r.payment = p.id and r.state <> 'closed' where p.id = ?
"""
