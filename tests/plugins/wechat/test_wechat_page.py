"""The part of the tenant's page that opens the cashier inside WeChat: parameters stay data, whatever is in them."""

from __future__ import annotations

import json
import re
from html import unescape

from jinja2 import Environment

from meterhub.money.provider import Checkout
from meterhub_wechat import register_payments


def test_parameters_are_written_as_data():
    (kind,) = register_payments()
    page = Environment(autoescape=True).from_string(kind.template.read_text(encoding="utf-8"))
    params = {"package": "prepay_id=wx1", "paySign": "a+b/c==\"'><script>"}
    html = page.render(checkout=Checkout(params=params), order=None, _=str)
    assert "<script>" not in html
    assert json.loads(unescape(re.search(r'data-params="([^"]*)"', html)[1])) == params
    assert page.render(checkout=Checkout(qr="weixin://x"), order=None, _=str).strip() == ""
    assert "customElements.define" in kind.script.read_text(encoding="utf-8")
