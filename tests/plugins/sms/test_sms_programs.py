"""Requests of the companies' own programs, as they went over the wire, are accepted by the sandboxes."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import aiohttp
import pytest
from sms_house import LOOPBACK, SANDBOXES
from yarl import URL

from meterhub.config.schema import check
from meterhub.sim.world import World
from meterhub.testing.company import ShiftedClock
from meterhub_sms.schema import SCHEMA, read_account

with gzip.open(Path(__file__).parent / "sms_programs.jsonl.gz", "rt", encoding="utf-8") as lines:
    ACCOUNT, *REQUESTS = map(json.loads, lines)
SIGNATURE_IS_WRONG = {"SignatureDoesNotMatch", "AuthFailure.SignatureFailure"}


def code_of(answer):
    """Aliyun's word or Tencent's; None when all is well."""
    error = answer["Response"].get("Error") if "Response" in answer else answer
    return error and error.get("Code")


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: one["id"])
async def test_what_a_program_signed_is_accepted_and_nothing_else(request_):
    company, clock = request_["company"], ShiftedClock()
    options = {"provider": company, "sandbox": "127.0.0.1:0", "key": ACCOUNT["key"], "sign": ACCOUNT["sign"]}
    account = read_account(check({**options, **ACCOUNT[company]}, SCHEMA))
    sandbox = SANDBOXES[company](World(clock), account)
    url = await sandbox.start(LOOPBACK)
    path, body = request_["path"], base64.b64decode(request_["body"])

    async def ask(path):
        clock.shift_ms += request_["at"] - clock.now()
        address = URL(url + path, encoded=True)
        async with session.request(
            request_["method"], address, data=body or None, headers=request_["headers"]
        ) as answer:
            return code_of(await answer.json())

    async with aiohttp.ClientSession() as session:
        assert await ask(f"{path}{'&' if '?' in path else '?'}x=1") in SIGNATURE_IS_WRONG
        assert await ask(path) in ("OK", None)
    if "SendSms" in request_["id"]:
        assert sandbox.sent
    await sandbox.stop()
