"""Which lines each event of money posts. The one place that knows what moves where.

======================  =================================  =================================
event (kind of line)    from                               to
======================  =================================  =================================
payment, first          clearing of the company            prepaid, or receivable (postpaid)
payment, late, second   clearing of the company            suspense
applied                 suspense                           prepaid, or receivable
debt_paid               prepaid (server mode)              receivable
delivery_sent           prepaid                            in_flight
delivery_done           in_flight                          meter
delivery_back           in_flight                          prepaid
withdrawal_sent         meter                              in_flight
withdrawal_done         in_flight                          prepaid
withdrawal_back         in_flight                          meter
refund_planned          prepaid, receivable, or suspense   refunds_payable
refund_dropped          refunds_payable                    where it was planned from
refund_done             refunds_payable                    clearing of the company
charge                  prepaid (server mode)              revenue
charge_owed             receivable                         revenue
fee                     fees of the company                clearing of the company
discount                discounts of the company           clearing of the company
======================  =================================  =================================

A fee that the company gives back runs the other way, and so does the discount of a payment that is given back. The
customer's credit is what the order says; with a coupon at our own cost the company holds less than that.
"""

from __future__ import annotations

from dataclasses import dataclass

from meterhub.errors import Conflict
from meterhub.money import ledger
from meterhub.money.ledger import Line, post
from meterhub.money.states import Mode
from meterhub.store.engine import Row, Transaction


@dataclass(frozen=True, slots=True)
class Books:
    """Posts the lines of events, all with one cause, in the caller's transaction."""

    tx: Transaction
    operator: str
    at_ms: int
    cause: str

    def paid(self, payment: Row, account: Row | None) -> None:
        """Money came: to the customer's credit, or (no account) to the money that has no order yet."""
        target = ledger.SUSPENSE if account is None else _home(account)
        self._post(
            "payment", f"{payment['id']}", _clearing(payment), target, payment["amount_fen"], payment["order_no"]
        )

    def applied(self, payment: Row, account: Row) -> None:
        """Money that waited becomes the customer's credit."""
        ref, fen = f"{payment['id']}", payment["amount_fen"]
        self._post("applied", ref, ledger.SUSPENSE, _home(account), fen, payment["order_no"])

    def debt_paid(self, payment: Row, account: Row) -> None:
        """What an account of server mode owes is paid first out of new credit."""
        book = ledger.receivable(account["id"])
        owed = min(-ledger.balance(self.tx, self.operator, book), payment["amount_fen"])
        if owed > 0:
            ref, order_no = f"{payment['id']}", payment["order_no"]
            self._post("debt_paid", ref, ledger.prepaid(account["id"]), book, owed, order_no)

    def sent(self, delivery: Row) -> None:
        """Credit leaves for the meter, or the meter is told to give it back."""
        self._deliver("sent", delivery)

    def delivered(self, delivery: Row) -> None:
        """The meter has the credit, or has given it back."""
        self._deliver("done", delivery)

    def came_back(self, delivery: Row) -> None:
        """The meter did not take part, and will not by this sending: the credit is where it was."""
        self._deliver("back", delivery)

    def refund_planned(self, refund: Row, payment: Row, account: Row | None) -> None:
        """Credit is set aside to be given back, from where the payment's money is now.

        Raises ``Conflict`` when it is not there any more.
        """
        source = ledger.SUSPENSE if account is None or self.waits(payment) else _home(account)
        self._refund("refund_planned", refund, source, ledger.REFUNDS_PAYABLE)

    def refund_dropped(self, refund: Row) -> None:
        """It was not given back after all: it returns to where it was taken from."""
        planned = self._line("refund_planned", refund["no"])
        assert planned is not None
        self._refund("refund_dropped", refund, ledger.REFUNDS_PAYABLE, planned["source"])

    def waits(self, payment: Row) -> bool:
        """Whether a payment's money still waits for somebody to say what it is for."""
        return payment["kind"] != "first" and self._line("applied", f"{payment['id']}") is None

    def _line(self, kind: str, ref: str) -> Row | None:
        return self.tx.one("ledger.line", {"operator": self.operator, "kind": kind, "ref": ref})

    def refunded(self, refund: Row, payment: Row) -> None:
        """The company gave it back."""
        self._refund("refund_done", refund, ledger.REFUNDS_PAYABLE, _clearing(payment))

    def charged(self, account: Row, ref: str, fen: int) -> None:
        """What was used is paid out of the credit, the rest is owed; ``ref`` names a charge of the account for ever."""
        name = account["id"]
        book, owed, earned = ledger.prepaid(name), ledger.receivable(name), ledger.revenue(account["utility"])
        wanted = {"operator": self.operator, "ref": ref, "account": name, "prepaid": book, "receivable": owed}
        known = self.tx.all("ledger.charge", wanted)
        if known:
            if sum(line["fen"] for line in known) != fen:
                raise Conflict(f"the charge {ref} was booked with another amount", where=account["id"])
            return
        here = 0 if account["mode"] == Mode.POSTPAID else min(ledger.balance(self.tx, self.operator, book), fen)
        if here:
            self._post("charge", f"{name}/{ref}", book, earned, here, "")
        if fen > here:
            self._post("charge_owed", f"{name}/{ref}", owed, earned, fen - here, "")

    def fee(self, provider: str, merchant: str, ref: str, fen: int) -> None:
        """What the company kept (or, below zero, gave back) for a payment or refund of its bill."""
        self._less_held("fee", ledger.fees(provider), ledger.clearing(provider, merchant), ref, fen)

    def discount(self, provider: str, merchant: str, ref: str, fen: int) -> None:
        """What a payment of the company's bill was less at our own cost; below zero: a refund was less by that."""
        self._less_held("discount", ledger.discounts(provider), ledger.clearing(provider, merchant), ref, fen)

    def _less_held(self, kind: str, book: str, company: str, ref: str, fen: int) -> None:
        if fen > 0:
            self._post(kind, ref, book, company, fen, "")
        elif fen < 0:
            self._post(kind, ref, company, book, -fen, "")

    def _deliver(self, step: str, delivery: Row) -> None:
        # A delivery that came back may be sent anew: each round has lines of its own.
        ref, account = f"{delivery['id']}/{delivery['round']}", delivery["account"]
        home, away, word = ledger.prepaid(account), ledger.on_meter(account), "delivery"
        if delivery["takes_back"]:
            home, away, word = away, home, "withdrawal"
        way = ledger.in_flight(account)
        source, target = {"sent": (home, way), "done": (way, away), "back": (way, home)}[step]
        self._post(f"{word}_{step}", ref, source, target, delivery["amount_fen"], delivery["order_no"])

    def _refund(self, kind: str, refund: Row, source: str, target: str) -> None:
        self._post(kind, refund["no"], source, target, refund["amount_fen"], refund["order_no"])

    def _post(self, kind: str, ref: str, source: str, target: str, fen: int, order_no: str) -> None:
        line = Line(kind, ref, source, target, fen, order_no)
        post(self.tx, line, operator=self.operator, at_ms=self.at_ms, cause=self.cause)


def _clearing(payment: Row) -> str:
    return ledger.clearing(payment["provider"], payment["merchant"])


def _home(account: Row) -> str:
    """Where new money of an account goes."""
    if account["mode"] == Mode.POSTPAID:
        return ledger.receivable(account["id"])
    return ledger.prepaid(account["id"])
