"""The other sides of money, for tests: a payment company and meters, both of which can be made to fail.

``trip(name)`` is called before and after everything that either of them does, so that a test can stop there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from meterhub.errors import NoticeRejected, ProviderRefused, ProviderUnknown
from meterhub.money.amount import parse_yuan, yuan
from meterhub.money.asking import Answer
from meterhub.money.merchants import Merchant
from meterhub.money.provider import Checkout, NoticeAnswer, PaymentAccount, PaymentType, Way
from meterhub.money.statements import (
    Bill,
    BillRow,
    PaymentState,
    PaymentStatement,
    RefundState,
    RefundStatement,
)


@dataclass(slots=True)
class Trade:
    """A payment at the company."""

    no: str
    amount_fen: int
    state: PaymentState = PaymentState.PENDING
    transaction_id: str = ""
    paid_ms: int = 0
    refunds: dict = field(default_factory=dict)


class Company:
    """The company's server. ``fail`` maps a call to the faults it has, taken one after the other: None, "before"
    (nothing happens), "after" (it happens, the answer is lost), "refused"."""

    def __init__(self, trip=lambda name: None):
        self.trades = {}
        self.fail = {}
        self.trip = trip
        self.calls = []
        self.fee_fen = 0
        self.strands = False
        """Whether a refund does not reach the payer."""
        self.before_close = lambda no: None
        """What happens in the moment before a payment is closed."""

    def pay(self, no, now_ms=1, transaction_id=None):
        """The customer pays. A trade that was closed cannot be paid."""
        trade = self.trades[no]
        if trade.state is PaymentState.PENDING:
            trade.state, trade.paid_ms = PaymentState.PAID, now_ms
            trade.transaction_id = transaction_id or f"T{no}"
        return trade

    def statement(self, no):
        trade = self.trades.get(no)
        if trade is None:
            return PaymentStatement(no, PaymentState.MISSING)
        return PaymentStatement(no, trade.state, trade.amount_fen, trade.transaction_id, paid_ms=trade.paid_ms or None)

    async def call(self, name, fn):
        self.calls.append(name)
        faults = self.fail.get(name) or [None]
        fault = faults.pop(0) if len(faults) > 1 or self.fail.get(name) else None
        self.trip(f"before {name}")
        if fault == "before":
            raise ProviderUnknown("no answer")
        if fault == "refused":
            raise ProviderRefused("no", reply="NO")
        result = fn()
        self.trip(f"after {name}")
        if fault == "after":
            raise ProviderUnknown("the answer was lost")
        return result

    def money(self):
        """What it holds for the merchant: paid less refunded."""
        return sum(
            trade.amount_fen - sum(one["fen"] for one in trade.refunds.values() if one["state"] is RefundState.DONE)
            for trade in self.trades.values()
            if trade.state is PaymentState.PAID
        )


class CompanyAccount(PaymentAccount):
    """The plugin's side of it."""

    def __init__(self, company, merchant="M1"):
        self.company = company
        self.merchant = merchant
        self.closable = True

    def ways(self, agent):
        return [Way("qr", {"en": "QR code"})]

    async def create(self, request):
        def open_trade():
            trade = self.company.trades.setdefault(request.no, Trade(request.no, request.amount_fen))
            if trade.state is PaymentState.PAID:
                raise ProviderRefused("it is paid", reply="PAID")
            return Checkout(qr=f"qr:{request.no}")

        return await self.company.call("create", open_trade)

    async def query(self, attempt):
        return await self.company.call("query", lambda: self.company.statement(attempt.no))

    async def close(self, attempt):
        def close():
            self.company.before_close(attempt.no)
            trade = self.company.trades.get(attempt.no)
            if trade is not None:
                if trade.state is PaymentState.PAID:
                    raise ProviderRefused("it is paid", reply="PAID")
                trade.state = PaymentState.CLOSED

        return await self.company.call("close", close)

    def _refund_statement(self, request):
        trade = self.company.trades[request.attempt.no]
        one = trade.refunds.get(request.refund_no)
        state = RefundState.MISSING if one is None else one["state"]
        return RefundStatement(
            request.attempt.no, request.refund_no, state, None if one is None else one["fen"], refund_id="R1"
        )

    async def refund(self, request):
        def refund():
            trade = self.company.trades[request.attempt.no]
            assert sum(one["fen"] for one in trade.refunds.values()) <= trade.amount_fen
            state = RefundState.ABNORMAL if self.company.strands else RefundState.DONE
            trade.refunds.setdefault(request.refund_no, {"fen": request.amount_fen, "state": state})
            return self._refund_statement(request)

        return await self.company.call("refund", refund)

    async def query_refund(self, request):
        return await self.company.call("query_refund", lambda: self._refund_statement(request))

    async def redirect_refund(self, request, refund_id, card):
        if not self.company.strands:
            return await super().redirect_refund(request, refund_id, card)

        def redirect():
            self.company.trades[request.attempt.no].refunds[request.refund_no]["state"] = RefundState.DONE
            return self._refund_statement(request)

        return await self.company.call("redirect_refund", redirect)

    def parse_notice(self, notice):
        word, _, no = notice.body.decode().partition(" ")
        if word == "ignore":
            return None
        if word != "paid":
            raise NoticeRejected("the signature is wrong", "signature")
        return self.company.statement(no)

    def notice_answer(self, accepted):
        return NoticeAnswer(200 if accepted else 500, b"success" if accepted else b"fail")

    async def bill(self, day):
        rows = [
            BillRow(self.company.statement(trade.no), self.company.fee_fen)
            for trade in self.company.trades.values()
            if trade.state is PaymentState.PAID
        ]
        rows += [
            BillRow(RefundStatement(trade.no, no, one["state"], one["fen"]), 0)
            for trade in self.company.trades.values()
            for no, one in trade.refunds.items()
        ]
        return await self.company.call("bill", lambda: Bill(day, tuple(rows)))

    async def funds(self, day):
        return await self.company.call("funds", lambda: None)

    async def test(self):
        return await self.company.call("test", lambda: "keys and connection work")


SHARED = Company()
"""The company of the plugin ``acmepay``; tests that use it begin with ``fresh()``."""


def fresh():
    """A company that knows nobody yet."""
    SHARED.__init__()
    return SHARED


def merchant(company, account_id="court", scope="", name="acme"):
    return Merchant(
        account_id, PaymentType(name, {"en": name}, {}, lambda ctx, options: None), CompanyAccount(company), scope
    )


@dataclass
class Purse:
    """A meter's purse; ``ledger`` holds ``(number, fen)``. Without ``counted`` it takes whatever comes."""

    counted: bool = True
    count: int = 0
    balance_fen: int = 0
    ledger: list = field(default_factory=list)
    limit_fen: int = 99_999_900
    tells_last: bool = True

    def foreign(self, fen):
        """Somebody else credits the meter, under the next number."""
        self.count += 1
        self.balance_fen += fen
        self.ledger.append((self.count, fen))


class Meters:
    """All meters behind ``ask``. ``fail`` holds faults taken one after the other, for each action by its name: None,
    "before" (not sent), "lost" (sent, did not arrive), "after" (arrived, answer lost)."""

    def __init__(self, trip=lambda name: None):
        self.purses = {}
        self.relays = {}
        self.fail = {}
        self.trip = trip
        self.asked = []

    async def ask(self, action, meter, params, key, cause):
        self.asked.append((action, meter, dict(params)))
        faults = self.fail.get(action)
        fault = faults.pop(0) if faults else None
        self.trip(f"before {action}")
        if fault == "before":
            return Answer(code="link_down", message="the collector is away", sent=False)
        if fault == "lost":
            return Answer(code="no_answer", message="the meter did not answer")
        answer = self._do(action, meter, params)
        self.trip(f"after {action}")
        if fault == "after":
            return Answer(code="no_answer", message="the meter did not answer")
        return answer

    def _do(self, action, meter, params):
        if action in ("meter.open_circuit", "meter.close_circuit"):
            self.relays[meter] = "off" if action == "meter.open_circuit" else "on"
            return Answer({"read_back": {}})
        purse = self.purses[meter]
        if action in ("meter.credit", "meter.refund"):
            fen = parse_yuan(params["amount"])
            refusal = self._credit(purse, params["number"], fen if action == "meter.credit" else -fen)
            if refusal:
                return Answer(code="refused", message=refusal)
        told = {"count": purse.count if purse.counted else None, "balance": yuan(purse.balance_fen)}
        if purse.tells_last and purse.ledger:
            told["last"] = yuan(abs(purse.ledger[-1][1]))
        return Answer(told)

    def _credit(self, purse, number, fen):
        if purse.balance_fen + fen < 0:
            return "the purse holds less"
        if purse.balance_fen + fen > purse.limit_fen:
            return "over the hoarding limit"
        if purse.counted and number <= purse.count:
            return ""  # the dialogue sees that it is in already
        if purse.counted and number != purse.count + 1:
            return "recharge count wrong"
        purse.ledger.append((number, fen))
        purse.balance_fen += fen
        purse.count += 1
        return ""
