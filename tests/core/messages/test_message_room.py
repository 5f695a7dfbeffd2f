"""Messages in a whole hub: whom they are for, sent by hand, listed, told about over HTTP."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from meterhub.errors import BadInput
from meterhub.office.message_room import telephone
from meterhub.web.app import build_app

SITE = """
hub: {name: Test, time_zone: Asia/Shanghai, language: en, currency: CNY, data: ./data}
plugins: {dlt645: , gprs: , carrier: }
links: [{id: field, type: gprs, listen: "127.0.0.1:0", heartbeat: {every: 60s}}]
collectors: [{id: c1, link: field, registration: "DTU1", lines: [{id: c1-a, baud: 2400, parity: even}]}]
meters: [{id: a-103, line: c1-a, profile: dlt645-2007-single-phase, address: "103"}]
"""
PLUGIN = [Path(__file__).parent / "carrier.py"]


@pytest.fixture
async def home(hub):
    one = await hub(SITE, plugins=PLUGIN)
    sent().clear()
    return one


def sent():
    """What the company has, as the hub's own copy of the plugin remembers it."""
    return sys.modules["meterhub_site_plugin_carrier"].SENT


async def account_with(home, number):
    run = await home.act("money.open_account", "a-103", {"mode": "server"})
    account = run.result["account"]
    run = await home.act("message.set_number", params={"account": account, "number": number})
    assert run.error is None, run.error
    return account


async def test_money_that_arrived_is_told_to_the_accounts_number(home, clock):
    account = await account_with(home, "138 0000 0000")
    run = await home.act("money.sell", "a-103", {"amount": "50.00"}, key="k1")
    await clock.advance(5)
    (message,) = sent()
    order = run.result["order"]
    assert (message.to, message.template) == ("+8613800000000", "credited")
    assert message.params == {"amount": "50.00", "meter": "a-103", "order": order}
    assert account == "a-103-1"


async def test_a_message_by_hand_is_sent_once_and_listed_masked(home, clock):
    params = {"to": "13800000000", "template": "credited", "amount": "1.00"}
    for _ in range(2):
        await home.act("message.send", params=params, key="same")
        await clock.advance(1)
    assert [one.params for one in sent()] == [{"amount": "1.00"}]
    stored = await home.store.query("select no as id, shown, state, about from messages")
    assert [(one["shown"], one["state"], one["about"]) for one in stored] == [("+86 138****0000", "sent", "by hand")]
    assert "params_json" not in str(home.collections["messages"].fields)


async def test_receipts_come_in_over_http_at_their_secret_address(home, clock):
    await home.act("message.send", params={"to": "13800000000", "template": "credited"})
    await clock.advance(1)
    with clock.outside():
        async with TestClient(TestServer(build_app(home.rooms()))) as client:
            for path, status in (("carrier/wrong", 404), ("nobody/s3cret", 404), ("carrier/s3cret", 200)):
                answer = await client.post(f"/messages/receipts/{path}", data="id1|+8613800000000")
                assert answer.status == status
            answer = await client.post("/messages/receipts/carrier/s3cret", data="x" * 300_000)
            assert answer.status == 413
    (stored,) = await home.store.query("select state from messages")
    assert stored["state"] == "delivered"


async def test_an_account_can_be_tried(home):
    assert (await home.act("message.test", params={"notifier": "carrier"})).result == {"says": "fine"}
    assert "no such company" in (await home.act("message.test", params={"notifier": "x"})).error["message"]
    run = await home.act("message.set_number", params={"account": "none", "number": ""})
    assert run.error["code"] == "not_found"


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("13800000000", "+8613800000000"),
        ("+86 138-0000-0000", "+8613800000000"),
        ("+49 (151) 123456", "+49151123456"),
        ("", ""),
    ],
)
def test_telephone_numbers_are_read_as_people_write_them(words, number):
    assert telephone(words) == number


@pytest.mark.parametrize("words", ["123", "nobody", "+0123456", "+86138000000001234567", "１３８００００００００"])
def test_what_is_no_number_is_refused(words):
    with pytest.raises(BadInput):
        telephone(words)
