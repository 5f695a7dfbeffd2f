"""The rules that every payment account must keep, as a class to subclass. It runs against the company's sandbox::

class TestMyCompany(PaymentConformance):
    make_company = MyCompany        # a meterhub.testing.company.Company
    agents = {"qr": "Mozilla/5.0 (X11; Linux)"}
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from meterhub.clock import Clock, utc
from meterhub.errors import NoticeRejected, ProviderRefused, ProviderUnknown
from meterhub.money.funds import differences
from meterhub.money.provider import Attempt, PaymentRequest, RefundRequest
from meterhub.money.statements import Bill, PaymentState, PaymentStatement, RefundState, RefundStatement
from meterhub.sim.faults import Fault
from meterhub.testing.company import Company

REAL = Clock()
LOOK_S = 0.005
DAY_MS = 24 * 3_600_000
BEIJING_MS = 8 * 3_600_000
UNANSWERED = [Fault.HANG, Fault.ERROR, Fault.BUSY, Fault.LOST, Fault.STUCK, Fault.TORN, Fault.FORGED, Fault.UNSIGNED]
AGENTS = {
    "desktop": "Mozilla/5.0 (X11; Linux x86_64)",
    "phone": "Mozilla/5.0 (Linux; Android 14) Mobile",
    "wechat": "Mozilla/5.0 (Linux; Android 14) Mobile MicroMessenger/8.0",
    "alipay": "Mozilla/5.0 (iPhone) AlipayClient/10.5",
    "none": "",
}


async def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait until ``condition()`` is true; raises ``TimeoutError``.

    Looks are counted, not time: the process that looks may be the one that is held up.
    """
    for _ in range(round(timeout_s / LOOK_S)):
        if condition():
            return
        await REAL.sleep(LOOK_S)
    raise TimeoutError


def attempt_of(request: PaymentRequest, transaction_id: str = "") -> Attempt:
    """The payment as the core keeps it."""
    one = request
    return Attempt(one.no, one.way, one.amount_fen, one.created_ms, one.expires_ms, transaction_id)


class PaymentConformance:
    """Subclass it in a test file; ``way`` is the way by which most rules are tried."""

    make_company: Callable[[], Company]
    way = "qr"

    @pytest_asyncio.fixture
    async def company(self) -> AsyncIterator[Company]:
        """The company's sandbox and an account there."""
        one = type(self).make_company()
        await one.start()
        yield one
        await one.stop()

    async def paid(self, company: Company, amount_fen: int = 5000) -> tuple[PaymentRequest, Attempt]:
        """A payment that was opened and paid, its notice taken."""
        request = company.request(self.way, amount_fen)
        await company.account.create(request)
        before = len(company.desk.notices)
        assert await company.pay(request.no)
        await until(lambda: len(company.desk.notices) > before)
        said = await company.account.query(attempt_of(request))
        return request, attempt_of(request, said.transaction_id)

    @staticmethod
    def back(company: Company, attempt: Attempt, amount_fen: int, number: str = "R0001") -> RefundRequest:
        """A refund of a payment."""
        return RefundRequest(attempt, f"{number}{attempt.no[-12:]}", amount_fen, "Room given up", company.desk.url)

    async def test_notice_and_query_say_the_same_of_a_payment(self, company: Company) -> None:
        """Both are one statement, so that the money is taken once."""
        request, attempt = await self.paid(company)
        said = await company.account.query(attempt)
        noticed = company.desk.statements[-1]
        assert isinstance(noticed, PaymentStatement)
        assert (said.state, said.no, said.amount_fen) == (PaymentState.PAID, request.no, request.amount_fen)
        assert said.transaction_id and said.paid_ms
        assert (noticed.no, noticed.state, noticed.amount_fen) == (said.no, said.state, said.amount_fen)
        assert (noticed.transaction_id, noticed.currency) == (said.transaction_id, "CNY")

    async def test_an_unpaid_payment_is_not_paid(self, company: Company) -> None:
        """Before anybody paid it is pending, or not known yet; never closed, which would let it expire early."""
        request = company.request(self.way)
        missing = await company.account.query(attempt_of(request))
        assert missing.state is PaymentState.MISSING
        await company.account.create(request)
        said = await company.account.query(attempt_of(request))
        assert said.state in (PaymentState.PENDING, PaymentState.MISSING) and not said.transaction_id

    @pytest.mark.parametrize("agent", AGENTS)
    async def test_every_way_leads_to_a_cashier(self, company: Company, agent: str) -> None:
        """Whatever the browser, there is a way, and it gives one thing to show."""
        ways = company.account.ways(AGENTS[agent])
        assert ways
        for way in ways:
            assert {"en", "zh", "ja"} <= set(way.title)
            shown = await company.account.create(company.request(way.name))
            assert [bool(shown.qr), bool(shown.url), bool(shown.params)].count(True) == 1

    async def test_opening_again_is_the_same_payment(self, company: Company) -> None:
        """After a lost answer the core opens again under the same number; other content is refused."""
        request = company.request(self.way)
        await company.account.create(request)
        await company.account.create(request)
        assert await company.pay(request.no)
        with pytest.raises((ProviderRefused, ProviderUnknown)):
            await company.account.create(replace(request, amount_fen=1))
        other = company.request(self.way)
        await company.account.create(other)
        with pytest.raises(ProviderRefused):
            await company.account.create(replace(other, amount_fen=1))

    async def test_a_closed_payment_cannot_be_paid(self, company: Company) -> None:
        """After closing nobody can pay, and asking again says so."""
        request = company.request(self.way)
        await company.account.create(request)
        await company.account.close(attempt_of(request))
        assert not await company.pay(request.no)
        said = await company.account.query(attempt_of(request))
        assert said.state in (PaymentState.CLOSED, PaymentState.MISSING)

    async def test_a_paid_payment_cannot_be_closed(self, company: Company) -> None:
        """The race of payer and expiry: whoever pays first has paid."""
        _, attempt = await self.paid(company)
        with pytest.raises(ProviderRefused):
            await company.account.close(attempt)
        assert (await company.account.query(attempt)).state is PaymentState.PAID

    async def test_a_refund_repeated_is_one_refund(self, company: Company) -> None:
        """The same number is the same refund; another amount under it is refused."""
        _, attempt = await self.paid(company)
        wanted = self.back(company, attempt, 2000)
        await company.account.refund(wanted)
        again = await company.account.refund(wanted)
        assert (again.refund_no, again.amount_fen) == (wanted.refund_no, 2000)
        await self.refunded(company, wanted)
        with pytest.raises(ProviderRefused):
            await company.account.refund(replace(wanted, amount_fen=1999))
        with pytest.raises(ProviderRefused):
            await company.account.refund(self.back(company, attempt, 3001, "R0002"))
        assert (await company.account.query(attempt)).state is PaymentState.PAID
        rest = self.back(company, attempt, 3000, "R0003")
        await company.account.refund(rest)
        await self.refunded(company, rest)
        assert (await company.account.query(attempt)).state is PaymentState.PAID

    async def refunded(self, company: Company, wanted: RefundRequest) -> None:
        """Wait until the company says that a refund is done, asked and by itself."""
        async with REAL.timeout(10):
            while (said := await company.account.query_refund(wanted)).state is not RefundState.DONE:
                await REAL.sleep(0.02)
        assert said.amount_fen == wanted.amount_fen
        told = company.desk.statements
        await until(lambda: any(isinstance(one, RefundStatement) and one.refund_no == wanted.refund_no for one in told))

    async def test_a_refund_nobody_asked_for_is_missing(self, company: Company) -> None:
        """So that asking for it is safe."""
        _, attempt = await self.paid(company)
        said = await company.account.query_refund(self.back(company, attempt, 100))
        assert said.state is RefundState.MISSING

    @pytest.mark.parametrize("fault", UNANSWERED)
    @pytest.mark.parametrize("operation", ["create", "query"])
    async def test_no_good_answer_means_unknown(self, company: Company, operation: str, fault: Fault) -> None:
        """Then the same call, made again, works."""
        request = company.request(self.way)
        call = company.account.create if operation == "create" else None
        # Asking is harmless: a client may ask again by itself when a connection breaks, so all tries must fail.
        company.sandbox.faults.add(fault, company.operations[operation], times=9)
        with pytest.raises(ProviderUnknown):
            await (call(request) if call else company.account.query(attempt_of(request)))
        company.sandbox.faults.clear()
        await (call(request) if call else company.account.query(attempt_of(request)))

    @pytest.mark.parametrize("fault", UNANSWERED)
    async def test_a_refund_without_an_answer_is_asked_for_again_and_happens_once(
        self, company: Company, fault: Fault
    ) -> None:
        """Lost before or after it was carried out: the number makes it one."""
        _, attempt = await self.paid(company)
        wanted = self.back(company, attempt, 2000)
        company.sandbox.faults.add(fault, company.operations["refund"])
        with pytest.raises(ProviderUnknown):
            await company.account.refund(wanted)
        await company.account.refund(wanted)
        await self.refunded(company, wanted)
        with pytest.raises(ProviderRefused):
            await company.account.refund(self.back(company, attempt, 3001, "R0002"))

    async def test_a_notice_is_brought_until_it_is_taken(self, company: Company) -> None:
        """Forged, late, doubled and not answered: in the end the same payment was told, nothing else."""
        company.sandbox.faults.add(Fault.FORGED, company.payment_operation)
        company.sandbox.faults.add(Fault.TWICE, company.payment_operation)
        request, _ = await self.paid(company)
        await until(lambda: len(company.desk.notices) >= 3)
        told = {repr(one) for one in company.desk.statements}
        assert len(told) == 1 and request.no in told.pop()
        assert [error.why for error in company.desk.rejected] == ["signature"]

    async def test_a_payment_may_be_told_before_it_was_opened(self, company: Company) -> None:
        """The notice overtakes the answer that opened the payment."""
        company.sandbox.faults.add(Fault.EARLY, company.operations["create"])
        request = company.request(self.way)
        await company.account.create(request)
        await until(lambda: company.desk.notices)
        assert (await company.account.query(attempt_of(request))).state is PaymentState.PAID

    async def test_an_altered_notice_is_refused(self, company: Company) -> None:
        """Any bit, any missing part: refused in words, and nothing else is raised."""
        await self.paid(company)
        notice = company.desk.notices[-1]
        for at in range(0, len(notice.body), max(1, len(notice.body) // 40)):
            altered = bytearray(notice.body)
            altered[at] ^= 1
            with pytest.raises(NoticeRejected):
                company.account.parse_notice(replace(notice, body=bytes(altered)))
        for body in (b"", b"{}", b"[]", b"\xff\x00", notice.body[:-7], notice.body * 2):
            with pytest.raises(NoticeRejected):
                company.account.parse_notice(replace(notice, body=body))

    async def test_a_notice_for_another_merchant_is_refused(self, company: Company) -> None:
        """The company's signature is right, but the money is not ours."""
        await self.paid(company)
        with pytest.raises(NoticeRejected):
            company.strangers_account().parse_notice(company.desk.notices[-1])

    async def test_the_bill_has_every_payment_and_refund(self, company: Company) -> None:
        """Its statements equal those of notice and query."""
        request, attempt = await self.paid(company)
        wanted = self.back(company, attempt, 2000)
        await company.account.refund(wanted)
        await self.refunded(company, wanted)
        unpaid = company.request(self.way)
        await company.account.create(unpaid)
        day = utc(company.clock.now() + BEIJING_MS).date()
        with pytest.raises(ProviderUnknown):
            await company.account.bill(day)
        company.clock.shift_ms += 3 * DAY_MS  # a bill of yesterday is not there before the morning
        rows = (await company.account.bill(day)).rows
        payments = [row.statement for row in rows if isinstance(row.statement, PaymentStatement)]
        refunds = [row.statement for row in rows if isinstance(row.statement, RefundStatement)]
        assert [(one.no, one.amount_fen, one.transaction_id) for one in payments] == [
            (request.no, request.amount_fen, attempt.transaction_id)
        ]
        assert [(one.no, one.refund_no, one.amount_fen) for one in refunds] == [(request.no, wanted.refund_no, 2000)]
        assert sum(row.fee_fen for row in rows) >= 0
        funds = await company.account.funds(day)
        assert funds is None or differences(Bill(day, rows), funds) == []
        assert (await company.account.bill(day + timedelta(days=1))).rows == ()

    async def test_no_secret_is_logged_or_told(self, company: Company, caplog: pytest.LogCaptureFixture) -> None:
        """Neither when all goes well nor when everything goes wrong."""
        caplog.set_level("DEBUG")
        _, attempt = await self.paid(company)
        told = []
        for fault in UNANSWERED:
            company.sandbox.faults.add(fault, company.operations["query"], times=9)
            with pytest.raises(ProviderUnknown) as caught:
                await company.account.query(attempt)
            told.append(f"{caught.value} {caught.value!r} {caught.value.__cause__!r}")
            company.sandbox.faults.clear()
        assert company.secrets
        everything = caplog.text + "".join(told) + repr(vars(company.account))
        assert [number for number, one in enumerate(company.secrets) if one in everything] == []

    async def test_the_test_button_tells_good_from_bad(self, company: Company) -> None:
        """One sentence when everything works, an error when nobody answers."""
        assert await company.account.test()
        await company.sandbox.stop()
        with pytest.raises(ProviderUnknown):
            await company.account.test()
