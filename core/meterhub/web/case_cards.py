"""The cases that need a person as cards: what happened, what it is about, and what can be decided about it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from meterhub.money import cases
from meterhub.money.amount import yuan
from meterhub.money.room import Money
from meterhub.store.engine import Row
from meterhub.texts import Texts, mark
from meterhub.web.order_steps import OrderView

ADVICE: Mapping[str, tuple[str, str]] = {
    "uncertain_delivery": (mark("Nobody knows whether the meter has the credit"),
                           mark("Look at the meter's display, then say whether it arrived.")),
    "refused_delivery": (mark("The meter refused the credit"),
                         mark("See why, mend it and send again, or give the money back.")),
    "count_gap": (mark("The meter was credited by somebody else"),
                  mark("Find out who did it, then adopt the meter's count.")),
    "books_differ": (mark("The meter has this purchase over another amount"),
                     mark("Find out whose purchase it is, then say whether ours arrived.")),
    "late_payment": (mark("A payment came too late"), mark("Credit it, or give it back.")),
    "second_payment": (mark("An order was paid twice"), mark("The second payment is given back by itself; look why.")),
    "unmatched_payment": (mark("A payment without an order"), mark("Ask the payment company who paid.")),
    "unknown_order": (mark("A statement about an order that is not ours"), mark("Ask the payment company.")),
    "wrong_amount": (mark("The amount is not that of the order"),
                     mark("Nothing was credited. Ask the payment company.")),
    "wrong_currency": (mark("The currency is not ours"), mark("Nothing was credited. Ask the payment company.")),
    "other_channel": (mark("Another account claims this order"), mark("Nothing was credited. Look for an attack.")),
    "contradiction": (mark("The company contradicts itself"), mark("Compare with the company's own pages.")),
    "refund_refused": (mark("The company refuses a refund"), mark("See its reason; it is asked again every hour.")),
    "refund_abnormal": (mark("A refund cannot reach the payer"),
                        mark("Send it to a bank card, or handle it on the company's own pages.")),
    "refund_closed": (mark("A refund was not carried out"), mark("The credit is the customer's again. Ask why.")),
    "attempt_unknown": (mark("The company gives no answer for days"), mark("Look at the company's own pages.")),
}  # fmt: skip
"""What each kind of case is called, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be decided. ``params`` are the action's, but for those in ``asks`` and the reason.

    ``asks``: names of the fields that the form has for it.
    """

    name: str
    label: str
    action: str
    params: Mapping[str, Any]
    about: str = ""
    asks: Sequence[str] = ()


@dataclass(slots=True)
class Card:
    """A case. ``choices`` are empty for whoever may not decide, and while there is nothing to decide.

    ``typed`` and ``error`` are of a form that failed.
    """

    case: Row
    title: str
    advice: str
    facts: Sequence[tuple[str, str]]
    order: Row | None
    choices: Sequence[Choice] = ()
    decides: bool = False
    typed: Mapping[str, str] = field(default_factory=dict)
    error: Any = None

    def choice(self, name: str) -> Choice | None:
        """The choice with this name."""
        return next((one for one in self.choices if one.name == name), None)


def told(case: Row, texts: Texts, view: OrderView | None = None) -> dict[str, Any]:
    """A case with its title and what to do about it, as it is now."""
    title, advice = ADVICE.get(case["kind"], (case["kind"], ""))
    held = view.held if view is not None else None
    if case["kind"] in cases.DELIVERY and held is not None and held["state"] == "not_delivered":
        title = (
            ADVICE["refused_delivery"][0]
            if case["kind"] == cases.REFUSED
            else mark("The meter does not have the credit")
        )
        advice = mark("Send it again, or give the money back.")
    return {**case, "title": texts(title), "advice": texts(advice)}


def titles_of(money: Money, texts: Texts) -> dict[str, str]:
    """The names of the payment companies, and of cash."""
    titles = {one.type.name: texts.pick(one.type.title) for one in money.merchants}
    return {**titles, "cash": texts(mark("Cash"))}


def facts_of(
    view: OrderView, holder: str, place: str, titles: Mapping[str, str], texts: Texts, says_now: str = ""
) -> list[tuple[str, str]]:
    """What a person has to know to decide, without opening the order; ``says_now`` is the meter's own balance."""
    facts = [
        (texts(mark("Amount")), texts(mark("%(amount)s yuan")) % {"amount": yuan(view.order["amount_fen"])}),
        (texts(mark("Customer")), holder),
        (texts(mark("Place")), place),
    ]
    if (held := view.held) is not None:
        facts += [
            (texts(mark("Purchase number")), _text(held["number"])),
            (texts(mark("Count before")), _text(held["count_before"])),
            (texts(mark("Balance before")), _text(held["balance_before"])),
            (texts(mark("Balance if it arrived")), _after(held)),
            (texts(mark("The meter says")), says_now),
        ]
    for one in view.payments:
        company = titles.get(one["provider"], one["provider"])
        facts.append((company, f"{yuan(one['amount_fen'])} · {one['transaction_id']}"))
    return [(label, value) for label, value in facts if value]


def delivery_decisions(view: OrderView, texts: Texts) -> list[tuple[str, str]]:
    """What can be decided about the delivery as it stands."""
    delivery = view.held
    if delivery is None:
        return []
    if delivery["state"] == "unknown" and delivery["needs_person"]:
        if delivery["takes_back"]:
            return [
                ("arrived", texts(mark("The meter gave it back"))),
                ("not_arrived", texts(mark("The meter still has it"))),
            ]
        return [
            ("arrived", texts(mark("The meter has it"))),
            ("not_arrived", texts(mark("The meter does not have it"))),
        ]
    if delivery["state"] == "planned" and delivery["needs_person"]:
        return [("adopt_count", texts(mark("Adopt the meter's count")))]
    if delivery["state"] == "not_delivered" and view.order["state"] == "paid":
        return [("send_again", texts(mark("Send again")))]
    return []


class Choices:
    """Finds what can be decided about a case."""

    def __init__(self, money: Money, texts: Texts) -> None:
        self._money = money
        self._texts = texts

    async def of(self, case: Row, view: OrderView | None) -> list[Choice]:
        """The choices, the usual one first; none while money is on its way back, which ends the case by itself."""
        kind = case["kind"]
        if await self._goes_back(case):
            return []
        if view is not None and kind in cases.DELIVERY:
            found = self._of_delivery(view)
        elif view is not None and kind in (cases.LATE, cases.SECOND):
            found = await self._of_payment(view, kind, int(case["ref"]))
        elif kind == cases.REFUND_ABNORMAL:
            found = self._of_stranded(case["ref"])
        else:
            found = []
        return found or [self._settled(case)]

    async def _goes_back(self, case: Row) -> bool:
        if case["kind"] == cases.REFUND_ABNORMAL:
            rows = await self._money.all("money.refund", no=case["ref"])
        elif case["kind"] in (cases.LATE, cases.SECOND):
            every = await self._money.all("money.refunds_of_order", order_no=case["order_no"])
            rows = [one for one in every if f"{one['payment']}" == case["ref"]]
        else:
            return False
        return any(one["state"] in ("requested", "unknown", "processing") for one in rows)

    def _settled(self, case: Row) -> Choice:
        about = self._texts(mark("Nothing is left to do here: it was seen to at the company, or was a mistake."))
        label = self._texts(mark("Close the case"))
        return Choice("settle", label, "money.settle_case", {"case": case["id"]}, about)

    def _of_delivery(self, view: OrderView) -> list[Choice]:
        order = view.order["no"]
        found = [
            Choice(name, label, "money.decide_delivery", {"order": order, "decision": name}, self._texts(ABOUT[name]))
            for name, label in delivery_decisions(view, self._texts)
        ]
        stopped = view.held is not None and view.held["state"] in ("planned", "not_delivered")
        first = next((one for one in view.payments if one["kind"] in ("first", "late")), None)
        if found and stopped and first is not None and view.order["state"] == "paid":
            found.append(self._give_back(first, int(first["amount_fen"])))
        return found

    async def _of_payment(self, view: OrderView, kind: str, payment_id: int) -> list[Choice]:
        payment = next((one for one in view.payments if one["id"] == payment_id), None)
        (back,) = await self._money.all("money.refunded", payment=payment_id)
        applied = await self._money.all(
            "ledger.line", operator=view.order["operator"], kind="applied", ref=f"{payment_id}"
        )
        if payment is None or applied or back["fen"] >= payment["amount_fen"]:
            return []
        found = [self._give_back(payment, int(payment["amount_fen"] - back["fen"]))]
        if kind == cases.LATE and not back["fen"]:
            about = self._texts(mark("The order is carried out as if it had been paid in time."))
            found.insert(
                0, Choice("credit", self._texts(mark("Credit it")), "money.apply_late", {"payment": payment_id}, about)
            )
        return found

    def _give_back(self, payment: Row, fen: int) -> Choice:
        label = self._texts(mark("Give %(amount)s yuan back")) % {"amount": yuan(fen)}
        about = self._texts(mark("The money goes back the way it came."))
        return Choice("refund", label, "money.refund", {"payment": payment["id"], "amount": yuan(fen)}, about)

    def _of_stranded(self, refund_no: str) -> list[Choice]:
        texts, action = self._texts, "money.redirect_refund"
        card = texts(mark("The card is not kept here."))
        own = texts(mark("You pay the customer by hand then."))
        return [
            Choice("card", texts(mark("Send it to a bank card")), action, {"refund": refund_no}, card,
                   ("bank", "card", "holder")),
            Choice("merchant", texts(mark("Send it to our own bank account")), action, {"refund": refund_no}, own),
        ]  # fmt: skip


ABOUT: Mapping[str, str] = {
    "arrived": mark("The books say so, the order is done, and the customer is told."),
    "not_arrived": mark("The books say so. After that it can be sent again, or the money given back."),
    "adopt_count": mark("The books take the meter's count over, and the credit is sent."),
    "send_again": mark("The meter is read first, and the credit sent under its next number."),
}
"""What each decision on a delivery does."""


def _after(held: Row) -> str:
    """What a meter's balance should be once it has the credit, or has given it back, less what was used since."""
    try:
        change = Decimal(held["amount_fen"]) / 100
        return str(Decimal(held["balance_before"]) + (-change if held["takes_back"] else change))
    except (InvalidOperation, TypeError):
        return ""


def _text(value: Any) -> str:
    return "" if value is None else str(value)
