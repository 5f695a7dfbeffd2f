"""Requests of well-known programs for WeChat Pay, as they went over the wire, are accepted by the sandbox."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from wechat_company import CERTIFICATES, LOOPBACK
from yarl import URL

from meterhub import rsa_keys
from meterhub.sim.world import World
from meterhub.testing.company import ShiftedClock
from meterhub_wechat import crypto
from meterhub_wechat.sandbox import Merchant, WechatSandbox

with gzip.open(Path(__file__).parent / "wechat_programs.jsonl.gz", "rt", encoding="utf-8") as lines:
    MERCHANT, *REQUESTS = map(json.loads, lines)
KEYS = {one.serial: one.private.public_key() for one in CERTIFICATES}


@pytest_asyncio.fixture
async def ask():
    """Sends a recorded request at its time; gives the answer's status, headers and body, and the time in seconds."""
    clock, key = ShiftedClock(), rsa_keys.public_key(MERCHANT["public_key"])
    merchants = {
        one: Merchant(one, MERCHANT["serial"], key, MERCHANT["apiv3_key"], CERTIFICATES) for one in MERCHANT["mchids"]
    }
    sandbox = WechatSandbox(World(clock), merchants)
    url = await sandbox.start(LOOPBACK)
    session = aiohttp.ClientSession()

    async def send(request, path, body):
        clock.shift_ms += request["at"] - clock.now()
        address = URL(url + path, encoded=True)
        async with session.request(
            request["method"], address, data=body or None, headers=request["headers"], allow_redirects=False
        ) as answer:
            return answer.status, answer.headers, await answer.read(), clock.now() // 1000

    yield send
    await session.close()
    await sandbox.stop()


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: one["id"])
async def test_what_a_program_signed_is_accepted_once_and_nothing_else(ask, request_):
    path, body = request_["path"], base64.b64decode(request_["body"])
    for wrong in ((f"{path}{'&' if '?' in path else '?'}x=1", body), (path, body + b" ")):
        assert (await ask(request_, *wrong))[0] == 401
    status, headers, answer, now_s = await ask(request_, path, body)
    assert status != 401, answer
    if status in (200, 204):
        crypto.verify(headers, answer, KEYS, now_s)
    assert (await ask(request_, path, body))[0] == 401
