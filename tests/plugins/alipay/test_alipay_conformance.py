"""The Alipay account keeps the rules of every payment account."""

from __future__ import annotations

import pytest
from alipay_company import AlipayCompany

from meterhub.testing.conformance_payment import PaymentConformance


@pytest.mark.filterwarnings("error")
class TestAlipay(PaymentConformance):
    make_company = AlipayCompany
