"""The WeChat Pay account keeps the rules of every payment account, in each mode of the platform's keys."""

from __future__ import annotations

from wechat_company import CertificateCompany, SwitchingCompany, WechatCompany

from meterhub.testing.conformance_payment import PaymentConformance


class TestWechat(PaymentConformance):
    make_company = WechatCompany


class TestWechatCertificates:
    """The rules that depend on whose key signs."""

    make_company = CertificateCompany
    way = "qr"
    company = PaymentConformance.company
    paid = PaymentConformance.paid
    back = staticmethod(PaymentConformance.back)
    refunded = PaymentConformance.refunded
    test_notice_and_query = PaymentConformance.test_notice_and_query_say_the_same_of_a_payment
    test_refund = PaymentConformance.test_a_refund_repeated_is_one_refund
    test_bill = PaymentConformance.test_the_bill_has_every_payment_and_refund
    test_altered = PaymentConformance.test_an_altered_notice_is_refused


class TestWechatSwitching(TestWechatCertificates):
    make_company = SwitchingCompany
