"""What people do with money, each told so that it can be begun anew after a stop at any moment.

Whoever presses a button presses it again until the page says that it is done; a company repeats its notice until it is
taken.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial

from meterhub.errors import Conflict, ProviderRefused, ProviderUnknown
from meterhub.money.accounts import Opening
from meterhub.money.approvals import Deed
from meterhub.money.evidence import Evidence, Source
from meterhub.money.orders import Wish
from meterhub.money.provider import BankCard, Notice
from meterhub.money.refunds import RefundWish
from meterhub.money.statements import PaymentState, PaymentStatement
from meterhub.money.states import Mode
from meterhub.office.redirects import NAME, Redirects

SILENT = ["before"] * 9999
ANNA, BO = "user:anna", "user:bo"
CARD = BankCard("ICBC_DEBIT", "6222020000001234567", "Li Lei")


@dataclass(frozen=True)
class Scene:
    """``play(till)`` returns the order's number. ``ends``: the states in which the order may end; ``whole``: with
    stored actions and messages; ``at_s``: how long after the epoch of the tests it is played."""

    play: object
    mode: Mode = Mode.METER
    counted: bool = True
    ends: tuple = ("fulfilled",)
    whole: bool = False
    at_s: float = 0


async def opened(till, way="qr"):
    """The order, and its attempt by that way, opened at the company."""
    order = await till.order()
    no = f"{order['no']}{'00' if way == 'qr' else '01'}"
    if no not in till.company.trades and await till.state(order["no"]) in ("created", "paying"):
        await till.start(order, way)
    return order["no"], no


def pays(till, no):
    """The payer pays, once; also what was closed, as companies let him now and then."""
    trade = till.company.trades[no]
    if trade.state is not PaymentState.PAID:
        trade.state = PaymentState.PENDING
        till.company.pay(no, till.clock.now())


async def told(till, no):
    """The company repeats its notice until it is taken, and no more after that."""
    taken = till.__dict__.setdefault("taken", set())
    if no not in taken and (await till.notify(no)).body == b"success":
        taken.add(no)


async def recharge(till):
    order_no, no = await opened(till)
    pays(till, no)
    await told(till, no)
    await till.until_quiet(20)
    return order_no


async def only_told(till):
    """The company answers no question: only its notices tell."""
    till.company.fail["query"] = list(SILENT)
    return await recharge(till)


async def recharge_with_lost_answers(till):
    """An answer of the meter is lost, and so is one of the company."""
    if not till.meters.asked:
        till.meters.fail["meter.credit"] = ["after"]
        till.company.fail["query"] = ["after", None]
    return await recharge(till)


async def recharge_with_a_lost_command(till):
    """A command does not arrive at the meter, and one is not sent at all."""
    if not till.meters.asked:
        till.meters.fail["meter.credit"] = ["before", "lost"]
        till.meters.fail["meter.balance"] = ["before", None, None, "after"]
    return await recharge(till)


async def unnoticed(till):
    """The company's notices never come: asking must find the payment."""
    order_no, no = await opened(till)
    pays(till, no)
    await till.money.paying.look_now(order_no)
    await till.until_quiet(20)
    return order_no


async def unanswered(till):
    """Nobody knows whether the payment was opened, then it is refused, and opened by another way in the end."""
    order = await till.order()
    if not till.company.calls:
        till.company.fail["create"] = ["before", "refused", "refused", None]
        till.company.fail["query"] = ["before", None]
    for way in ("qr", "qr", "qr", "h5"):
        if not any(trade.state is PaymentState.PAID for trade in till.company.trades.values()):
            with contextlib.suppress(ProviderRefused, ProviderUnknown):
                await till.start(order, way)
    (no, *_) = till.company.trades
    pays(till, no)
    await told(till, no)
    await till.until_quiet(20)
    return order["no"]


async def expires(till):
    """Nobody pays."""
    order_no, _ = await opened(till)
    await till.until_quiet(1100)
    return order_no


async def never_opened(till):
    """The company never heard of the payment."""
    till.company.fail["create"] = list(SILENT)
    order = await till.order()
    if await till.state(order["no"]) in ("created", "paying"):
        with contextlib.suppress(ProviderUnknown, Conflict):  # its time may be over
            await till.start(order)
    await till.until_quiet(1100)
    return order["no"]


async def at_the_last_moment(till):
    """The payer pays in the moment in which the payment is about to be closed."""
    till.company.before_close = lambda no: till.company.pay(no, till.clock.now())
    return await expires(till)


async def asked_in_vain(till):
    """The company has given no clear answer for days, and a person was called, when its notice comes."""
    till.company.fail["query"] = list(SILENT)
    order_no, no = await opened(till)
    await till.real.transact(lambda tx: tx.execute("update outbox set failures = 9 where kind = 'watch'"))
    await till.until_quiet(20)
    pays(till, no)
    await told(till, no)
    await till.until_quiet(20)
    return order_no


async def clock_set_back(till):
    """A command is put off, and the clock is set back by a day meanwhile."""
    if not till.meters.asked:
        till.meters.fail["meter.credit"] = ["before", "before"]
    order_no = await recharge(till)
    if not till.__dict__.get("set_back"):
        till.set_back = True
        till.clock.jump(-86_400)
    await till.until_quiet(400)
    return order_no


async def message_goes_wrong(till, fault):
    """The company for messages takes none, or takes it and gives no answer, or is busy; it tells by a receipt."""
    if fault != "busy" or not till.meters.asked:
        till.carrier.fault = fault
    order_no = await recharge(till)
    for no in till.carrier.sent:
        await till.desk.take_receipts("carrier", "s3cret", Notice({}, no.encode(), till.clock.now()))
    return order_no


async def comes_late(till):
    """The payer pays when the order is over, and a manager credits it."""
    order_no = await expires(till)
    if f"{order_no}00" not in till.company.trades:
        return order_no
    pays(till, f"{order_no}00")
    await told(till, f"{order_no}00")
    if await till.cases() == ["late_payment"]:
        (payment,) = await till.rows("select id from payments")
        await till.money.counter.apply_late(payment["id"], ANNA, "the payer wants it")
    await till.until_quiet(20)
    return order_no


async def paid_twice(till):
    """By two ways at once: the second payment goes back by itself."""
    order_no, first = await opened(till)
    _, second = await opened(till, "h5")
    for no in (first, second):
        if no in till.company.trades:
            pays(till, no)
            await told(till, no)
    await till.until_quiet(20)
    return order_no


async def in_the_bill(till):
    """No notice comes and no question is answered: the bill of the night tells."""
    till.company.fail["query"] = list(SILENT)
    order_no, no = await opened(till)
    pays(till, no)
    await till.until_quiet(600)
    return order_no


async def given_back(till, fen=5000, meter_gives_back=False):
    """A manager gives back what the order paid."""
    order_no = await recharge(till)
    asked = await till.rows("select 1 from refunds union all select 1 from deliveries where takes_back = 1")
    if not asked and await till.state(order_no) == "fulfilled":
        if meter_gives_back:
            till.meters.fail["meter.refund"] = ["after"]
        (payment,) = await till.rows("select id from payments")
        await till.money.counter.refund(RefundWish(payment["id"], fen, "moved out", meter_gives_back), ANNA)
    await till.until_quiet(20)
    return order_no


async def refused_by_the_company(till):
    """It has not enough money of ours at first, then gives no answer, then does it in parts."""
    if "refund" not in till.company.calls:
        till.company.fail["refund"] = ["refused", "before", None]
        till.money.merchants.get("court").account.refund_gap_s = 60
    no = await given_back(till, 2000)
    await till.until_quiet(300)
    return no


async def refused_by_the_meter(till):
    """The meter takes no more, and a manager gives the money back."""
    till.meters.purses["a-101"].limit_fen = 100
    order_no = await recharge(till)
    await till.until_quiet(600)
    if await till.cases() == ["refused_delivery"]:
        (payment,) = await till.rows("select id from payments")
        await till.money.counter.refund(RefundWish(payment["id"], 5000, "the meter is full"), ANNA)
    await till.until_quiet(20)
    return order_no


async def refused_and_silent(till):
    """The meter says no, and cannot be asked at once whether that is all."""
    if not till.meters.asked:
        till.meters.fail["meter.balance"] = [None, "before"]
    return await refused_by_the_meter(till)


async def refused_in_doubt(till):
    """A meter without a count says no: nobody can be sure, until a person has looked."""
    till.meters.purses["a-101"].limit_fen = 100
    order_no = await recharge(till)
    if await till.rows("select 1 from deliveries where state = 'unknown' and needs_person = 1"):
        await till.money.counter.resolve_delivery(order_no, "not_arrived", "I stood before it", ANNA)
    (delivery,) = await till.rows("select state from deliveries")
    if delivery["state"] == "not_delivered" and not await till.rows("select 1 from refunds"):
        (payment,) = await till.rows("select id from payments")
        await till.money.counter.refund(RefundWish(payment["id"], 5000, "the meter is full"), ANNA)
    await till.until_quiet(20)
    return order_no


async def wrong_amount(till):
    """A notice tells too little: nothing is credited, a person sees to it, and the right one comes after all."""
    _, no = await opened(till)
    wrong = PaymentStatement(no, PaymentState.PAID, 4999, "T-wrong", paid_ms=1)
    await till.money.settle(Evidence(*till.money.merchants.get("court").key, Source.NOTICE, wrong))
    for case in await till.rows("select id from anomalies where solved_ms is null"):
        await till.money.counter.settle_case(case["id"], "it was a mistake of theirs", ANNA)
    return await recharge(till)


async def in_doubt(till, fault):
    """A meter without a count falls silent: a person looks at it, and decides; what did not arrive is sent again."""
    purse = till.meters.purses["a-101"]
    if not till.meters.asked:
        till.meters.fail["meter.credit"] = [fault]
    order_no = await recharge(till)
    for _ in range(4):
        await till.until_quiet(60)
        (delivery,) = await till.rows("select state from deliveries")
        decide = partial(till.money.counter.resolve_delivery, order_no, reason="I stood before it", by=ANNA)
        if await till.cases() == ["uncertain_delivery"] and delivery["state"] == "unknown":
            await decide("arrived" if purse.ledger else "not_arrived")
        elif delivery["state"] == "not_delivered":
            await decide("send_again")
    return order_no


async def credited_by_others(till):
    """Somebody else credits the meter first: a manager lets the books take over its count."""
    purse = till.meters.purses["a-101"]
    if not purse.ledger:
        purse.foreign(700)
        await till.real.transact(lambda tx: tx.execute("update money_accounts set purchase_count = 0"))
    order_no = await recharge(till)
    await till.until_quiet(60)
    if await till.cases() == ["count_gap"]:
        await till.money.counter.resolve_delivery(order_no, "adopt_count", "the shop did it", ANNA)
    await till.until_quiet(20)
    return order_no


async def cash(till):
    """A manager sells for cash."""
    order = await till.money.counter.sell_for_cash(Wish("a-101-1", 5000, "k1", ANNA))
    await till.until_quiet(20)
    await till.money.counter.printed(order["no"], ANNA)
    return order["no"]


async def used_up(till):
    """Credit on the server is used up, and the supply goes; a new payment brings it back."""
    await till.money.counter.charge("a-101-1", "day/1", 100)
    await till.until_quiet(20)
    return await recharge(till)


async def used_up_unheard(till):
    """As before, but nobody has heard of the meter for long: it is asked before it is cut off."""
    till.answered = lambda meter: till.clock.now() if ("meter.read", meter, {}) in till.meters.asked else 0
    return await used_up(till)


async def closed(till):
    """A tenant moves out: what was used is booked, the rest given back, and the account closed."""
    order_no = await recharge(till)
    (account,) = await till.rows("select * from money_accounts where id = 'a-101-1'")
    if account["state"] == "closed":
        return order_no
    counter = till.money.counter
    await counter.charge("a-101-1", "final reading", 2000, ANNA, "moved out")
    await counter.renew_link("a-101-1", "r123", ANNA)
    await counter.freeze("a-101-1", ANNA)
    if not await till.rows("select 1 from refunds"):
        (payment,) = await till.rows("select id from payments")
        await counter.refund(RefundWish(payment["id"], 3000, "moved out"), ANNA)
    await till.until_quiet(100)
    await counter.close_account("a-101-1", 0, ANNA)
    await counter.open_account(Opening("a-101", "main", "main/main", Mode.SERVER, "link-next", ANNA))
    return order_no


def deed(till, number=1):
    """A refund that a second person has to approve."""
    params = {"payment": 1, "fen": 5000}
    return Deed("money.refund", "a-101-1", "main/main", params, 5000, "moved out", f"wish {number}", ANNA)


async def waiting(till):
    return await till.money.all("approvals.waiting", operator="main", most=9)


async def approved(till):
    """A refund is refused by a second person, asked for again, and approved."""
    order_no = await recharge(till)
    for number in (1, 2):
        approval = await till.money.ask_second(deed(till, number))
        if approval["id"] not in [one["id"] for one in await waiting(till)]:
            continue
        if number == 1:
            await till.money.refuse(approval["id"], BO)
        else:
            await till.money.approved(approval["id"], BO).refund(RefundWish(1, 5000, "moved out"), ANNA)
    await till.until_quiet(20)
    return order_no


async def sent_elsewhere(till):
    """A refund cannot reach the payer: two people send it to a card, which nobody knows any more after a stop."""
    till.company.strands = True
    order_no = await given_back(till)
    redirects = Redirects(till.money)
    (refund,) = await till.rows("select * from refunds")
    for approval in await waiting(till):
        await till.money.refuse(approval["id"], ANNA)
        redirects.forget(approval["id"])
    if refund["state"] == "abnormal":
        key = f"card {till.clock.now()}"
        wish = Deed(NAME, order_no, "main/main", {"refund": refund["no"], "to": "**** 4567"}, 5000, "", key, ANNA)
        approval = await redirects.ask(refund, CARD, wish)
        with contextlib.suppress(Conflict):  # the company has told meanwhile that it is done
            await redirects.approved(await till.money.one("approvals.one", id=approval["approval"]), BO)
    await till.until_quiet(20)
    return order_no


SCENES = {
    "recharge": Scene(recharge, whole=True),
    "lost answers": Scene(recharge_with_lost_answers, whole=True),
    "only told": Scene(only_told),
    "lost command": Scene(recharge_with_a_lost_command),
    "unnoticed": Scene(unnoticed),
    "unanswered": Scene(unanswered),
    "no count": Scene(recharge, counted=False, ends=("fulfilled", "paid")),
    "never opened": Scene(never_opened, ends=("expired",)),
    "last moment": Scene(at_the_last_moment),
    "asked in vain": Scene(asked_in_vain),
    "clock set back": Scene(clock_set_back),
    "message refused": Scene(partial(message_goes_wrong, fault="refused"), whole=True),
    "message unanswered": Scene(partial(message_goes_wrong, fault="unknown"), whole=True),
    "message later": Scene(partial(message_goes_wrong, fault="busy"), whole=True),
    "wrong amount": Scene(wrong_amount),
    "expires": Scene(expires, ends=("expired",)),
    "late": Scene(comes_late, ends=("fulfilled", "expired")),
    "paid twice": Scene(paid_twice),
    "bill": Scene(in_the_bill, at_s=(24 + 10) * 3600 + 28 * 60),
    "given back": Scene(given_back, Mode.SERVER, ends=("refunded",)),
    "given back in parts": Scene(refused_by_the_company, Mode.SERVER),
    "taken out": Scene(partial(given_back, meter_gives_back=True), ends=("refunded",)),
    "taken out, no count": Scene(partial(given_back, meter_gives_back=True), counted=False, ends=("fulfilled", "paid")),
    "meter refuses": Scene(refused_by_the_meter, ends=("refunded",)),
    "meter refuses, silent": Scene(refused_and_silent, ends=("refunded",)),
    "meter refuses, no count": Scene(refused_in_doubt, counted=False, ends=("refunded",)),
    "in doubt, arrived": Scene(partial(in_doubt, fault="after"), counted=False),
    "in doubt, lost": Scene(partial(in_doubt, fault="lost"), counted=False),
    "foreign credit": Scene(credited_by_others),
    "cash": Scene(cash),
    "used up": Scene(used_up, Mode.SERVER),
    "used up unheard": Scene(used_up_unheard, Mode.SERVER),
    "closed": Scene(closed, Mode.SERVER),
    "two people": Scene(approved, Mode.SERVER, ends=("refunded",)),
    "sent elsewhere": Scene(sent_elsewhere, Mode.SERVER, ends=("refunded",)),
}
