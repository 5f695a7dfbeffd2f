"""The timeline of an order in plain words: what happened, what is happening, and what comes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meterhub.store.engine import Row
from meterhub.texts import Texts, mark

OVER = ("fulfilled", "refunded", "expired")

WAITS = {
    "created": mark("Choose how to pay."),
    "paying": mark("Waiting for your payment. This page follows by itself."),
    "checking": mark("We are asking the payment company whether your payment has arrived. Do not pay again."),
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
    """All rows about one order. ``delivery`` is None for accounts whose credit is not in the meter."""

    order: Row
    attempts: Sequence[Row]
    payments: Sequence[Row]
    refunds: Sequence[Row]
    delivery: Row | None
    messages: Sequence[Row]
    withdrawals: Sequence[Row] = ()

    @property
    def held(self) -> Row | None:
        """The withdrawal that waits for a person; else the delivery."""
        return next((one for one in self.withdrawals if one["needs_person"]), self.delivery)

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
        if state == "paying" and any(one["state"] == "unknown" for one in self.attempts):
            return "checking"
        if state == "paying" and self.attempts and self.attempts[-1]["state"] in ("closed", "failed"):
            return "refused"
        if state == "paid" and delivery is not None:
            if delivery["needs_person"] or delivery["state"] in ("not_delivered", "confirmed"):
                return "person"
            if delivery["state"] in ("sending", "unknown"):
                return "unknown" if delivery["state"] == "unknown" else "planned"
            return "silent" if delivery["error"] else "planned"
        return str(state)

    @property
    def tone(self) -> str:
        """The tone of that sentence."""
        tones = {"fulfilled": "ok", "refunded": "ok", "expired": "off"}
        return "warn" if self.word in ("person", "late", "checking", "refused") else tones.get(self.word, "info")

    def sentence(self, texts: Texts) -> str:
        """How it stands and what comes next, for the customer."""
        return texts(WAITS.get(self.word, ""))

    def steps(self, texts: Texts, titles: Mapping[str, str]) -> list[Step]:
        """Created, paid, sent, on the meter, told; ``titles`` are the companies' names."""
        order, payment = self.order, self.payments[0] if self.payments else None
        found = [Step("order", texts(mark("Order created")), "done", order["created_ms"])]
        paid = order["paid_ms"] is not None
        company = titles.get(payment["provider"], payment["provider"]) if payment is not None else ""
        label = texts(mark("Paid")) if paid else texts(mark("Payment"))
        found.append(Step("money", label, "done" if paid else _at(not self.over), order["paid_ms"], company))
        if self.delivery is not None or not paid:
            found += self._meter_steps(texts, paid)
        if order["state"] == "fulfilled" and self.delivery is None:
            found.append(Step("ok", texts(mark("Credited to your account")), "done", order["done_ms"]))
        found += [self._withdrawal(one, texts) for one in self.withdrawals]
        for refund in self.refunds:
            done = refund["state"] == "done"
            label = texts(mark("Given back")) if done else texts(mark("Being given back"))
            found.append(Step("refund", label, "done" if done else "at", refund["done_ms"] or refund["created_ms"]))
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

    def _message(self, row: Row, texts: Texts) -> Step:
        if row["told"] in ("sent", "delivered"):
            return Step("bell", texts(mark("Message sent")), "done", row["done_ms"])
        if row["told"] == "failed":
            return Step("bell", texts(mark("The message could not be sent")), "")
        if row["state"] == "no_way":
            return Step("bell", texts(mark("No message: none is set up")), "")
        return Step("bell", texts(mark("Message on its way")), "at")


def _at(now: bool) -> str:
    return "at" if now else ""
