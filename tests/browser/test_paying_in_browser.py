"""A tenant's way in a real browser: from the sticker to the credit on the meter and the message, and a refusal."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from meterhub.web.tenant_use import main_register

sys.path.insert(0, str(Path(__file__).parent.parent / "process"))
PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Mobile Chrome/120"


class Served:
    """A court with one account, in a thread of its own so that the browser can be driven plainly."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self.url = self.link = ""

    async def _serve(self) -> None:
        from court import SYSTEM, Court

        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with Court(self._folder) as court:
                opening = {"mode": "meter", "holder": "Ms Li", "phone": "13800000000"}
                opened = await court.act("money.open_account", "a-101", **opening)
                self.url = f"http://127.0.0.1:{court.ports[0]}"
                self.link = self.url + opened["link"]
                await self._remember(court.hub)
                self.companies = f"http://127.0.0.1:{court.ports[3]}"
                await court.hub.people.users.add("boss", "a long pass phrase", "owner", by=SYSTEM)
                self._ready.set()
                await self._over.wait()
        finally:
            self._ready.set()

    async def _remember(self, hub) -> None:
        """Two readings of a moment ago, so that there is something to draw."""
        entity, now_ms = main_register(hub.estate["a-101"]), hub.clock.now()
        (series,) = (await hub.store.series([entity.id])).values()
        await hub.store.record([(series, now_ms - 2000, 100, 0), (series, now_ms - 1000, 250, 0)])

    def __enter__(self) -> Served:
        self._thread.start()
        assert self._ready.wait(60) and self.link
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)


@pytest.fixture(scope="module")
def court(tmp_path_factory):
    with Served(tmp_path_factory.mktemp("court")) as served:
        yield served


@pytest.fixture
def phone(chromium):
    """``phone(url)`` opens a page as a phone does; what its console says must be nothing."""
    contexts, complaints = [], []

    def open_page(url, language="en-GB", theme="light"):
        context = chromium.new_context(
            viewport={"width": 390, "height": 844}, user_agent=PHONE, locale=language, color_scheme=theme
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def decide(phone, page, button):
    """Do at the company what the payer does there."""
    cashier = phone(page.get_attribute(".checkout a", "href"))
    cashier.click(f"text={button}")
    cashier.wait_for_load_state()


def plan_fault(court, **fault):
    """Let the played company do something unusual next."""
    body = json.dumps(fault).encode()
    asked = urllib.request.Request(f"{court.companies}/sandbox/faults", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(asked).close()


def log_in(page, court):
    page.goto(f"{court.url}/login")
    page.fill("input[name=name]", "boss")
    page.fill("input[name=password]", "a long pass phrase")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{court.url}/")


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_tenant_pays_and_sees_the_credit_arrive_without_reloading(court, phone):
    from playwright.sync_api import expect

    page = phone(court.link)
    expect(page.locator("h1")).to_contain_text("a-101")
    page.click(".amounts label:has-text('50.00')")
    page.click("button.primary")
    expect(page.locator("#timeline")).to_contain_text("Waiting for your payment")
    decide(phone, page, "Pay")
    timeline = page.locator("#timeline")
    for words in ("Paid Alipay", "Sent to the meter", "Purchase number 1", "Message sent", "Done. Thank you."):
        expect(timeline).to_contain_text(words)
    page.click("text=Back")
    expect(page.locator(".past")).to_contain_text("50.00")
    expect(page.locator(".figure").first).to_contain_text("yuan left")
    assert fits(page)


def test_a_refusal_is_told_and_the_same_order_is_paid_after_all(court, phone):
    from playwright.sync_api import expect

    page = phone(court.link)
    page.click("button.primary")
    decide(phone, page, "Refuse")
    page.click("text=I have paid")
    expect(page.locator("#timeline")).to_contain_text("The payment was not made, and nothing was taken.")
    assert fits(page)
    page.click("button:has-text('Try again')")
    expect(page.locator("#timeline")).to_contain_text("Waiting for your payment")
    decide(phone, page, "Pay")
    expect(page.locator("#timeline")).to_contain_text("Done. Thank you.")


@pytest.mark.parametrize(("language", "theme", "says"), [("zh-CN", "dark", "缴费"), ("ja", "light", "支払")])
def test_the_page_speaks_the_tenants_language_and_is_paid_by_keyboard(court, phone, language, theme, says):
    page = phone(court.link, language, theme)
    assert says in page.inner_text("main") and fits(page)
    page.locator("#amount").focus()
    page.keyboard.type("12.50")
    page.keyboard.press("Enter")
    page.wait_for_url("**/pay/order/**")
    assert "12.50" in page.inner_text("h1") and fits(page)


@pytest.mark.parametrize(("width", "text"), [(320, "100%"), (390, "200%")])
def test_on_a_narrow_screen_and_in_large_letters_no_amount_is_broken_in_two(court, phone, width, text):
    page = phone(court.link)
    page.set_viewport_size({"width": width, "height": 640})
    page.evaluate("size => { document.documentElement.style.fontSize = size }", text)
    assert fits(page)
    heights = page.evaluate(
        "[...document.querySelectorAll('.amounts span, .past b')].map(one => one.getClientRects().length)"
    )
    assert heights and set(heights) == {1}


def test_the_number_of_a_meter_shows_no_balance(court, phone):
    page = phone(f"{court.url}/pay/a-101")
    assert "yuan left" not in page.inner_text("main") and page.locator(".past").count() == 0


def test_a_refund_that_strands_is_decided_on_the_page_of_cases_by_keyboard_on_a_dark_phone(court, phone):
    """A tenant pays; the credit is taken out of the meter again; the payer cannot be reached; a card can."""
    from playwright.sync_api import expect

    tenant = phone(court.link)
    tenant.fill("#amount", "31")
    tenant.locator("input[value='by-wechat.qr']").check(force=True)
    tenant.click("button.primary")
    decide(phone, tenant, "Pay")
    expect(tenant.locator("#timeline")).to_contain_text("Done. Thank you.")
    no = tenant.url.partition("/pay/order/")[2].partition("?")[0]
    plan_fault(court, kind="abnormal", operation="refund")
    page = phone(court.link, theme="dark")
    log_in(page, court)
    page.goto(f"{court.url}/orders/{no}")
    page.click("summary:has-text('Give money back')")
    page.fill("details[open] input[name=reason]", "moves out")
    page.click("button:has-text('Give money back')")
    expect(page.locator(".head")).to_contain_text("31.00")
    for _ in range(100):
        page.goto(f"{court.url}/cases")
        if page.locator(".case").count():
            break
        page.wait_for_timeout(100)
    expect(page.locator(".case")).to_contain_text("A refund cannot reach the payer")
    expect(page.locator(".only-card")).to_be_hidden()
    page.locator("input[value=card]").focus()
    page.keyboard.press("Space")
    for text in ("ICBC_DEBIT", "6222020000001234567", "Li Lei", "the card was closed"):
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    assert fits(page)
    page.keyboard.press("Enter")
    page.wait_for_url("**/cases?done=*")
    expect(page.locator("main")).to_contain_text("Decided.")
    for _ in range(100):
        page.goto(f"{court.url}/orders/{no}")
        if "Your money was given back." in page.inner_text("main"):
            break
        page.wait_for_timeout(100)
    expect(page.locator("main")).to_contain_text("Your money was given back.")
    page.goto(f"{court.url}/cases")
    expect(page.locator("main")).to_contain_text("Closed lately")


@pytest.mark.parametrize(
    ("language", "theme", "says"), [("zh-CN", "dark", "表计已应答"), ("ja", "light", "応答しました")]
)
def test_a_tenant_reads_the_meter_by_keyboard_and_looks_at_the_use_of_a_year(court, phone, language, theme, says):
    from playwright.sync_api import expect

    page = phone(court.link, language, theme)
    page.locator("#now button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#now")).to_contain_text(says)
    expect(page.locator("#now .reading")).to_contain_text("kWh")
    assert fits(page) and page.url == court.link  # in place, without leaving the page
    page.locator("#now a").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/use")
    expect(page.locator("reading-chart")).to_be_visible()
    assert fits(page)
    page.click(".seg a >> nth=2")
    page.wait_for_url("**/use?by=year*")
    expect(page.locator("#chart-table")).to_contain_text(page.locator(".steps-of b").inner_text())
    assert fits(page)
