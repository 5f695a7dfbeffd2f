"""The commits of a delivery: each function is one of them, and leaves a row from which a later look can go on."""

from __future__ import annotations

from dataclasses import dataclass

from meterhub.errors import Conflict
from meterhub.money import cases
from meterhub.money.amount import yuan
from meterhub.money.books import Books
from meterhub.money.follow import DELIVERY, fulfil
from meterhub.money.outbox import Outbox
from meterhub.money.purse import PurseReading
from meterhub.money.refunds import plan_refund
from meterhub.money.states import DeliveryState, move_delivery
from meterhub.store.engine import Row, Transaction
from meterhub.texts import mark

ORDER_NUMBERS = 100
"""Meters without a count know purchases by a number that must never come twice: the time, and two digits of the id."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a step works with."""

    tx: Transaction
    outbox: Outbox
    now_ms: int

    def books(self, delivery: Row) -> Books:
        """The ledger, with the delivery as the cause of its lines."""
        return Books(self.tx, delivery["operator"], self.now_ms, f"delivery:{delivery['id']}")

    def again(self, delivery: Row) -> Row:
        """The row as it is now."""
        row = self.tx.one("money.delivery", {"id": delivery["id"]})
        assert row is not None
        return row


def begin(desk: Desk, delivery: Row, purse: PurseReading) -> None:
    """Store the purchase number, and the credit as on its way: ``sending``. The next thing is to send it.

    It is not when it must not be sent: the meter's count is not the one in the books, and a person has to look; or it
    is to be taken back out of the meter, which does not hold so much any more.
    """
    if delivery["takes_back"] and purse.holds(delivery["amount_fen"]) is False:
        detail = mark(f"the meter holds only {purse.balance}")
        move_delivery(desk.tx, delivery, DeliveryState.NOT_DELIVERED, error=detail)
        return
    account = desk.tx.one("money.account", {"id": delivery["account"]})
    assert account is not None
    known = account["purchase_count"]
    if purse.count is not None and known is not None and purse.count != known:
        _gap(desk, delivery, purse.count, known)
        return
    counted = purse.count is not None
    number = (
        purse.count + 1 if purse.count is not None else desk.now_ms * ORDER_NUMBERS + delivery["id"] % ORDER_NUMBERS
    )
    changes = {
        "number": number,
        "counted": int(counted),
        "count_before": purse.count,
        "balance_before": purse.balance,
        "sends": delivery["sends"] + 1,
        "sent_ms": desk.now_ms,
        "tries": 0,
        "error": "",
    }
    if counted and known is None:
        desk.tx.update("money_accounts", {"id": account["id"]}, {"purchase_count": purse.count})
        desk.tx.execute("proof.adopted", {"account": account["id"], "count": purse.count})
    move_delivery(desk.tx, delivery, DeliveryState.SENDING, **changes)
    desk.books(delivery).sent(delivery)


def _gap(desk: Desk, delivery: Row, count: int, known: int) -> None:
    """The meter's count is not the one in the books: a person has to look, when two readings have said so.

    One alone may be the late answer to a question of before the hub was started again.
    """
    detail = mark(f"the meter has had {count} purchases, the books know of {known}")
    desk.tx.update("deliveries", {"id": delivery["id"]}, {"count_before": count, "error": detail})
    if delivery["count_before"] == count:
        _call_person(desk, delivery, cases.COUNT_GAP, detail)


def doubt(desk: Desk, delivery: Row, why: str) -> None:
    """Something may have reached the meter: from here only the meter, or a person, says how it ended."""
    move_delivery(desk.tx, delivery, DeliveryState.UNKNOWN, error=why)
    if not delivery["counted"]:
        _call_person(desk, delivery, cases.UNCERTAIN, why)


def not_sent(desk: Desk, delivery: Row, why: str) -> None:
    """No byte left for the meter: back to the beginning, under a number read anew."""
    move_delivery(
        desk.tx,
        delivery,
        DeliveryState.PLANNED,
        error=why,
        number=None,
        round=delivery["round"] + 1,
        tries=delivery["tries"] + 1,
    )
    desk.books(delivery).came_back(delivery)


def judge(desk: Desk, delivery: Row, purse: PurseReading) -> None:
    """What the meter's count says of a delivery in doubt; ``sending`` when it is to be sent once more."""
    number = delivery["number"]
    if purse.count is None or purse.count < number - 1:
        detail = mark(f"the meter's count is {purse.count}, which does not fit to purchase {number}")
        _call_person(desk, delivery, cases.COUNT_GAP, detail)
    elif purse.count >= number:
        arrived(desk, delivery, purse)
    else:
        move_delivery(desk.tx, delivery, DeliveryState.SENDING, sends=delivery["sends"] + 1)


def refused(desk: Desk, delivery: Row, purse: PurseReading, why: str) -> None:
    """The meter said no; its count shows whether the credit is in all the same."""
    if purse.count is not None and purse.count >= delivery["number"]:
        arrived(desk, delivery, purse)
        return
    fail(desk, delivery, why)
    if not delivery["takes_back"]:  # whoever asked for a refund sees on the order that it was refused; nothing moved
        _call_person(desk, desk.again(delivery), cases.REFUSED, why)


def arrived(desk: Desk, delivery: Row, purse: PurseReading) -> None:
    """The meter says that it has the purchase. Over another amount it is not ours, and a person has to look."""
    if not delivery["counted"] or not purse.contradicts(delivery["number"], delivery["amount_fen"]):
        confirm(desk, delivery, purse)
        return
    if delivery["state"] != DeliveryState.UNKNOWN:
        move_delivery(desk.tx, delivery, DeliveryState.UNKNOWN)
    wanted = yuan(delivery["amount_fen"])
    detail = mark(f"the meter has purchase {delivery['number']} over {purse.last}, the books over {wanted}")
    _call_person(desk, desk.again(delivery), cases.BOOKS_DIFFER, detail)


def confirm(desk: Desk, delivery: Row, purse: PurseReading) -> None:
    """The meter has the credit: the books, the order and the customer hear of it in one commit.

    Or the meter has given it back: the refund is set aside in that commit.
    """
    changes = {"confirmed_ms": desk.now_ms, "balance_after": purse.balance, "error": "", "needs_person": 0}
    move_delivery(desk.tx, delivery, DeliveryState.CONFIRMED, **changes)
    desk.books(delivery).delivered(delivery)
    if delivery["counted"]:
        desk.tx.update("money_accounts", {"id": delivery["account"]}, {"purchase_count": delivery["number"]})
    if delivery["takes_back"]:
        _give_back(desk, delivery)
        return
    order = desk.tx.one("money.order", {"no": delivery["order_no"]})
    assert order is not None
    fulfil(desk.tx, order, desk.outbox, desk.now_ms)


def _give_back(desk: Desk, delivery: Row) -> None:
    payment = desk.tx.one("money.payment", {"id": delivery["payment"]})
    assert payment is not None
    books = Books(desk.tx, delivery["operator"], desk.now_ms, delivery["asked_by"])
    plan_refund(desk.tx, payment, delivery["amount_fen"], delivery["reason"], books, desk.outbox)


def fail(desk: Desk, delivery: Row, why: str) -> None:
    """The meter does not have the credit: it is the customer's again, to be sent anew or given back.

    Or the meter did not give it back, and has it as before.
    """
    move_delivery(desk.tx, delivery, DeliveryState.NOT_DELIVERED, error=why, needs_person=0)
    desk.books(delivery).came_back(delivery)


def send_anew(desk: Desk, delivery: Row) -> None:
    """A delivery that came back is planned once more, under a number read anew."""
    move_delivery(
        desk.tx,
        delivery,
        DeliveryState.PLANNED,
        round=delivery["round"] + 1,
        number=None,
        counted=None,
        tries=0,
        error="",
        needs_person=0,
    )
    key = f"{delivery['id']}/{delivery['round'] + 1}"
    payload = {"delivery": delivery["id"]}
    desk.outbox.put(desk.tx, DELIVERY, key, delivery["meter"], payload, operator=delivery["operator"])


def adopt_count(desk: Desk, delivery: Row, reason: str, by: str) -> None:
    """A person knows why the meter's count is another: the books take it over when the meter is read next.

    Kept with its cause, so that the nightly proof can tell this gap from one that nobody explained. Raises ``Conflict``
    for a delivery that is not held up before it was sent, and for a count that purchases of ours are above: their
    numbers cannot come a second time.
    """
    if not delivery["needs_person"] or delivery["state"] != DeliveryState.PLANNED:
        raise Conflict("nothing holds this delivery up", where=delivery["order_no"])
    account = desk.tx.one("money.account", {"id": delivery["account"]})
    highest = desk.tx.one("money.highest_number", {"account": delivery["account"]})
    assert account is not None and highest is not None
    seen = delivery["count_before"]
    if seen is not None and highest["number"] is not None and seen < highest["number"]:
        raise Conflict(
            f"the meter counts {seen} purchases, but has confirmed purchase {highest['number']} before",
            where=delivery["order_no"],
            hint="it was cleared or exchanged: give this money back, close the account and open a new one",
        )
    row = {"operator": delivery["operator"], "account": account["id"], "order_no": delivery["order_no"]}
    cause = {"known": account["purchase_count"], "reason": reason, "decided_by": by, "at_ms": desk.now_ms}
    desk.tx.insert("count_adoptions", {**row, **cause})
    desk.tx.update("money_accounts", {"id": account["id"]}, {"purchase_count": None})
    desk.tx.update("deliveries", {"id": delivery["id"]}, {"needs_person": 0, "tries": 0})
    hurry(desk, delivery)


def hurry(desk: Desk, delivery: Row) -> None:
    """Let the outbox look at a delivery now."""
    desk.outbox.wake_row(desk.tx, DELIVERY, f"{delivery['id']}")


def take_off(desk: Desk, delivery: Row) -> None:
    """A delivery that is over needs the outbox no more."""
    desk.outbox.finish(desk.tx, DELIVERY, f"{delivery['id']}")


def _call_person(desk: Desk, delivery: Row, kind: str, detail: str) -> None:
    held = delivery["state"] != DeliveryState.NOT_DELIVERED
    desk.tx.update("deliveries", {"id": delivery["id"]}, {"needs_person": int(held), "error": detail})
    ref = cases.of_delivery(delivery)
    more = {"operator": delivery["operator"], "at_ms": desk.now_ms, "order_no": delivery["order_no"]}
    cases.flag(desk.tx, kind, ref, detail, **more)
