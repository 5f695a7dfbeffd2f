"""The whole path over real sockets: order, QR code, the sandbox's cashier, notice, meter on its wire, SMS, receipt."""

from __future__ import annotations

import pytest
from court import Court

from meterhub.clock import Clock
from meterhub.money.orders import Wish
from meterhub.money.paying import Browser


@pytest.mark.parametrize("company", ["by-alipay", "by-wechat"])
async def test_a_tenant_pays_and_is_told(tmp_path, company):
    async with Court(tmp_path) as court:
        opened = await court.act("money.open_account", "a-101", mode="meter")
        await court.act("message.set_number", account=opened["account"], number="13800000000")
        money = court.hub.money
        order = await money.order(Wish(opened["account"], 5000, "k1", "tenant"))
        merchant = money.merchants.get(company)
        assert await court.act("money.test_merchant", account=company)
        shown = await money.paying.open(order["no"], merchant, "qr", "Electricity a-101", Browser())
        async with court.session.get(shown.qr) as page:
            assert "¥50.00" in await page.text()
        async with court.session.post(shown.qr, data={"approve": "1"}) as page:
            assert "Paid" in await page.text()
        await court.order_is(order["no"], "fulfilled")
        async with Clock().timeout(10):
            while [one["state"] for one in await court.hub.store.query("select state from messages")] != ["delivered"]:
                await Clock().sleep(0.05)
        delivery = await money.one("money.delivery_of_order", order_no=order["no"])
        assert (delivery["state"], delivery["number"]) == ("confirmed", 1)


AGENTS = {
    "jsapi": ("by-wechat", "Mozilla/5.0 (Linux; Android 14) Mobile MicroMessenger/8.0", "<wechat-cashier"),
    "h5": ("by-alipay", "Mozilla/5.0 (Linux; Android 14) Mobile", "gateway.do?"),
    "qr": ("by-wechat", "Mozilla/5.0 (X11; Linux)", "<svg"),
}


async def test_each_browser_is_shown_its_way_to_pay(tmp_path):
    async with Court(tmp_path) as court:
        opened = await court.act("money.open_account", "a-101", mode="meter")
        for number, (way, (company, agent, shown)) in enumerate(AGENTS.items()):
            order = await court.hub.money.order(Wish(opened["account"], 5000, f"k{number}", "tenant"))
            url = f"http://127.0.0.1:{court.ports[0]}/pay/order/{order['no']}?way={company}.{way}"
            async with court.session.get(url, headers={"User-Agent": agent, "Accept": "text/html"}) as page:
                text = await page.text()
            assert page.status == 200 and shown in text, (way, text)
            assert ("/pay/part/wechat.js" in text) == (company == "by-wechat")
        async with court.session.get(f"http://127.0.0.1:{court.ports[0]}/pay/part/wechat.js") as script:
            assert "customElements.define" in await script.text()
