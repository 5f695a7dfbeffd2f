"""The timeline of an order in plain words: what happened, what is happening, and what comes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meterhub.messages.desk import NO_NUMBER
from meterhub.money.amount import yuan
from meterhub.store.engine import Row
from meterhub.texts import Texts, mark

OVER = ("fulfilled", "refunded", "expired")

UNTOUCHED = mark("That changes nothing about your payment.")
WAITS = {
    "created": mark("Choose how to pay."),
    "paying": mark("Waiting for your payment. This page follows by itself."),
    "checking": mark("We are asking the payment company whether your payment has arrived. Do not pay again."),
    "unanswered": mark(
        "The payment company gives no clear answer, so there is nothing to pay yet. We are asking it. Try again in a "
        "moment, or choose another way; if it goes on, tell the management."
    ),
    "unopened": mark(
        "The payment company opens no payment now, and nothing was taken. Try again in a moment, or choose another "
        "way; if it goes on, tell the management."
    ),
    "refused": mark("The payment was not made, and nothing was taken. Try again, or choose another way."),
    "planned": mark("Your payment is here. The credit is being sent to the meter."),
    "silent": mark("The meter cannot be reached now. Your money is safe; the credit is sent as soon as it answers."),
    "unknown": mark("We are finding out whether the meter has the credit. You need not do anything."),
    "person": mark("Somebody from the management has to look at the meter. Your money is safe."),
    "refunding": mark("Your money is on its way back to you."),
    "expired": mark("The time to pay this order is over. Nothing was taken; you can start anew."),
    "late": mark("Your payment came after the time of this order. The management credits it or gives it back."),
    "refunded": mark("Your money was given back."),
    "fulfilled": mark("Done. Thank you."),
}

WARNS = ("person", "late", "checking", "refused", "unanswered", "unopened")
"""Words of ``WAITS`` at which somebody has to do something, or to hold back."""
AGAIN = ("refused", "unanswered", "unopened")
"""Words at which the customer may try once more, or another way."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: ``at`` is done, at or ""; ``ms`` when it happened, ``note`` what there is to say."""

    icon: str
    label: str
    at: str
    ms: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class OrderView:
    """All rows about one order. ``delivery`` is None for accounts whose credit is not in the meter.

    ``reachable``: whether the meter answers just now, as far as is known.
    """

    order: Row
    attempts: Sequence[Row]
    payments: Sequence[Row]
    refunds: Sequence[Row]
    delivery: Row | None
    messages: Sequence[Row]
    withdrawals: Sequence[Row] = ()
    reachable: bool = True

    @property
    def held(self) -> Row | None:
        """The withdrawal that waits for a person; else the delivery."""
        return next((one for one in self.withdrawals if one["needs_person"]), self.delivery)

    def left_of(self, payment: Row) -> int:
        """How much of a payment has not been given back, and is not on its way back, in fen."""
        back = [
            one["amount_fen"] for one in self.refunds if one["payment"] == payment["id"] and one["state"] != "closed"
        ]
        return int(payment["amount_fen"] - sum(back))

    @property
    def over(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.order["state"] in OVER and self.word != "late"

    @property
    def word(self) -> str:
        """Which sentence tells how it stands; a key of ``WAITS``."""
        state, delivery = self.order["state"], self.delivery
        if state == "expired" and any(one["kind"] == "late" for one in self.payments):
            return "late"
        if state == "paying":
            return self._paying()
        if state == "paid" and delivery is not None:
            if delivery["needs_person"] or delivery["state"] in ("not_delivered", "confirmed"):
                return "person"
            if delivery["state"] in ("sending", "unknown"):
                return "unknown" if delivery["state"] == "unknown" else "planned"
            return "silent" if delivery["error"] or not self.reachable else "planned"
        return str(state)

    def _paying(self) -> str:
        """Of an attempt that showed the payer nothing to pay by, nothing can have been taken."""
        if any(one["state"] == "unknown" and one["checkout_json"] for one in self.attempts):
            return "checking"
        last = self.attempts[-1] if self.attempts else None
        if last is None or last["state"] not in ("unknown", "closed", "failed"):
            return "paying"
        if last["checkout_json"]:
            return "refused"
        return "unanswered" if last["state"] == "unknown" else "unopened"

    @property
    def tone(self) -> str:
        """The tone of that sentence."""
        tones = {"fulfilled": "ok", "refunded": "ok", "expired": "off"}
        return (
            "warn"
            if self.word in ("person", "late", "checking", "refused", "unopened")
            else tones.get(self.word, "info")
        )

    def sentence(self, texts: Texts) -> str:
        """How it stands and what comes next, for the customer."""
        return texts(WAITS.get(self.word, ""))

    def steps(self, texts: Texts, titles: Mapping[str, str]) -> list[Step]:
        """Created, paid, sent, on the meter, told; ``titles`` are the companies' names."""
        order, payment = self.order, self.payments[0] if self.payments else None
        found = [Step("order", texts(mark("Order created")), "done", order["created_ms"])]
        paid = order["paid_ms"] is not None
        company = titles.get(payment["provider"], payment["provider"]) if payment is not None else ""
        if self.word == "late":
            found.append(Step("money", texts(mark("Paid too late")), "done", self.payments[-1]["paid_ms"], company))
        else:
            label = texts(mark("Paid")) if paid else texts(mark("Payment"))
            found.append(Step("money", label, "done" if paid else _at(not self.over), order["paid_ms"], company))
        if self.delivery is not None or not paid:
            found += self._meter_steps(texts, paid)
        if order["state"] == "fulfilled" and self.delivery is None:
            found.append(Step("ok", texts(mark("Credited to your account")), "done", order["done_ms"]))
        found += [self._withdrawal(one, texts) for one in self.withdrawals]
        found += [self._refund(one, texts) for one in self.refunds]
        return [*found, *(self._message(one, texts) for one in self.messages)]

    def _meter_steps(self, texts: Texts, paid: bool) -> list[Step]:
        delivery: Mapping[str, Any] = self.delivery or {"state": "", "sent_ms": None, "confirmed_ms": None}
        state, done = delivery["state"], delivery["state"] == "confirmed"
        sent = bool(delivery["sent_ms"]) and state not in ("planned", "not_delivered")
        note = ""
        if done and delivery["counted"]:
            note = texts(mark("Purchase number %(n)d")) % {"n": delivery["number"]}
        return [
            Step(
                "sent",
                texts(mark("Sent to the meter")),
                "done" if sent else _at(paid),
                delivery["sent_ms"] if sent else None,
            ),
            Step("ok", texts(mark("On the meter")), "done" if done else _at(sent), delivery["confirmed_ms"], note),
        ]

    def _withdrawal(self, row: Row, texts: Texts) -> Step:
        if row["state"] == "confirmed":
            return Step("sent", texts(mark("Taken back out of the meter")), "done", row["confirmed_ms"])
        if row["state"] == "not_delivered":
            return Step(
                "sent", texts(mark("The meter did not give it back")), "", row["created_ms"], texts(row["error"])
            )
        return Step("sent", texts(mark("Being taken back out of the meter")), "at", row["created_ms"])

    def _refund(self, row: Row, texts: Texts) -> Step:
        done, twice = row["state"] == "done", row["reason"] == "second_payment"
        label = texts(mark("Given back")) if done else texts(mark("Being given back"))
        words = mark("%(amount)s yuan that were paid twice") if twice else mark("%(amount)s yuan")
        note = texts(words) % {"amount": yuan(row["amount_fen"])}
        return Step("refund", label, "done" if done else "at", row["done_ms"] or row["created_ms"], note)

    def _message(self, row: Row, texts: Texts) -> Step:
        if row["told"] in ("sent", "delivered"):
            return Step("bell", texts(mark("Message sent")), "done", row["done_ms"])
        if row["told"] == "failed":
            unknown = row["reason"] == NO_NUMBER
            why = mark("No mobile number is known: tell the management yours.") if unknown else UNTOUCHED
            return Step("bell", texts(mark("The message could not be sent")), "", note=texts(why))
        if row["state"] == "no_way":
            return Step("bell", texts(mark("No message: none is set up")), "")
        return Step("bell", texts(mark("Message on its way")), "at")


def _at(now: bool) -> str:
    return "at" if now else ""
