"""Requests of the official programs and of a well-known one, as they went over the wire, are taken by the sandbox."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import aiohttp
import pytest
import pytest_asyncio
from alipay_company import LOOPBACK
from yarl import URL

from meterhub import rsa_keys
from meterhub.sim.world import World
from meterhub.testing.company import ShiftedClock
from meterhub_alipay.sandbox import AlipaySandbox, Merchant
from meterhub_alipay.schema import sandbox_certificate, sandbox_key

with gzip.open(Path(__file__).parent / "alipay_programs.jsonl.gz", "rt", encoding="utf-8") as lines:
    MERCHANT, *REQUESTS = map(json.loads, lines)


@pytest_asyncio.fixture
async def ask():
    """Sends a recorded request at its time; gives the status and the text of the answer."""
    clock = ShiftedClock()
    merchant = Merchant(
        MERCHANT["app_id"], "2088000000005678", rsa_keys.public_key(MERCHANT["public_key"]), sandbox_key("alipay"),
        sandbox_certificate("alipay"), MERCHANT["app_number"], MERCHANT["root_number"],
        base64.b64decode(MERCHANT["aes_key"]), bare_keys=True,
    )  # fmt: skip
    sandbox = AlipaySandbox(World(clock), {MERCHANT["app_id"]: merchant})
    url = await sandbox.start(LOOPBACK)
    session = aiohttp.ClientSession()

    async def send(request, path, body):
        clock.shift_ms += request["at"] - clock.now()
        address = URL(url + path, encoded=True)
        async with session.request(
            request["method"], address, data=body or None, headers=request["headers"], allow_redirects=False
        ) as answer:
            return answer.status, await answer.text()

    yield send
    await session.close()
    await sandbox.stop()


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: one["id"])
async def test_what_a_program_signed_is_accepted_and_nothing_else(ask, request_):
    path, body = request_["path"], base64.b64decode(request_["body"])
    status, text = await ask(request_, path, body)
    page = ".pay-" in request_["id"]
    assert status == (302 if page else 200), text
    assert page or '"sign":' in text
    head, _, query = path.partition("?")
    changed = [(name, f"{value}1" if name == "timestamp" else value) for name, value in parse_qsl(query, True)]
    status, text = await ask(request_, f"{head}?{urlencode(changed)}", body)
    assert status == 200 and "isv.invalid-signature" in text and '"sign":' not in text
