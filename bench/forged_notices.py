"""Notices that prove nothing: what one costs the hub, alone and by the whole way through the web (security.md: 5 ms).

Forgeries of both companies, in each of their cheap and dear kinds, are read by the pure functions, then posted over
HTTP to a hub of its own while good notices come between them. Shown: CPU time of this thread for each (median, p99),
so that other programs on the machine do not count, and the time on the clock beside it.

    python bench/forged_notices.py
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import statistics
import time
from collections.abc import Callable
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from meterhub.clock import Clock
from meterhub.errors import NotGenuine, NoticeRejected
from meterhub.money.merchants import Merchant, Merchants
from meterhub.money.provider import Notice, NoticeAnswer
from meterhub.web.pay_notify import set_up
from meterhub_alipay import crypto as alipay
from meterhub_alipay.schema import sandbox_key as alipay_key
from meterhub_wechat import crypto as wechat
from meterhub_wechat.schema import sandbox_key as wechat_key

TIMES = 3000
GOAL_MS = 5.0
NOW_S = 1_800_000_000
SERIAL = "PUB_KEY_ID_0000000000000000000000000000000"


def alipay_forgeries() -> dict[str, tuple[dict[str, str], bytes]]:
    """Forged notices of Alipay by name: headers and body."""
    fields = {f"field_{number}": "a value of some length" for number in range(26)} | {"app_id": "2021000000000000"}
    right = {**fields, "sign_type": "RSA2", "sign": alipay.sign_notice(fields, wechat_key("merchant"))}
    found = {
        "wrong key": right,
        "no signature": fields,
        "short signature": {**right, "sign": "x"},
        "no Base64": {**right, "sign": "!" * 344},
    }
    bodies = {name: urlencode(one).encode() for name, one in found.items()}
    bodies["no form"] = b"\xff" * 2000
    bodies["20 kB of escapes"] = urlencode(right).encode() + b"&body=" + b"%41" * 6_500
    bodies["60 kB of escapes"] = urlencode(right).encode() + b"&body=" + b"%41" * 19_000
    bodies["60 kB of fields"] = urlencode(right).encode() + b"&a=b" * 14_000
    return {name: ({}, body) for name, body in bodies.items()}


def wechat_forgeries() -> dict[str, tuple[dict[str, str], bytes]]:
    """Forged notices of WeChat Pay by name: headers and body."""
    body = json.dumps({"id": "1", "resource": {"ciphertext": "x" * 900}}).encode()

    def signed(body: bytes, now_s: int = NOW_S) -> dict[str, str]:
        key = wechat_key("merchant")
        made = wechat.sign_answer(body, key=key, serial=SERIAL, timestamp=str(now_s), nonce="n" * 32)
        return {name.lower(): value for name, value in made.items()}

    right = signed(body)
    probe = f"{wechat.PROBE}{base64.b64encode(b'x' * 256).decode()}"
    large = b"{" + b" " * 60_000 + b"}"
    return {
        "wrong key": (right, body),
        "no header": ({}, body),
        "unknown serial": ({**right, "wechatpay-serial": "5A"}, body),
        "old": (signed(body, NOW_S - 400), body),
        "probe": ({**right, "wechatpay-signature": probe}, body),
        "short signature": ({**right, "wechatpay-signature": "x"}, body),
        "60 kB": (signed(large), large),
    }


def costs(call: Callable[[], object], times: int = TIMES) -> tuple[list[float], list[float]]:
    """CPU and clock milliseconds of each of ``times`` calls, sorted."""
    cpu, wall = [], []
    for _ in range(times):
        begun, begun_s = time.thread_time_ns(), time.perf_counter_ns()
        with contextlib.suppress(NotGenuine):
            call()
        cpu.append((time.thread_time_ns() - begun) / 1e6)
        wall.append((time.perf_counter_ns() - begun_s) / 1e6)
    return sorted(cpu), sorted(wall)


def show(name: str, cpu: list[float], wall: list[float]) -> None:
    """One row."""
    at = int(len(cpu) * 0.99)
    print(
        f"{name:36s} {statistics.median(cpu):7.3f} {cpu[at]:7.3f} ms CPU   {wall[at]:7.3f} ms on the clock   "
        f"limit {GOAL_MS:.0f} {'' if cpu[at] <= GOAL_MS else ' NOT MET'}"
    )


class Reading:
    """An account that reads notices and does nothing else, and the room of money around it."""

    def __init__(self, read: Callable[[Notice], object]) -> None:
        self._read = read
        self.merchants = Merchants([Merchant("a", _Type(), self)])  # type: ignore[arg-type]

    def notice_answer(self, accepted: bool) -> NoticeAnswer:
        """As the companies want it."""
        return NoticeAnswer(200 if accepted else 400)

    async def notice(self, provider: str, account: str, notice: Notice) -> NoticeAnswer:
        """Read it."""
        try:
            self._read(notice)
        except NotGenuine as error:
            raise NoticeRejected(error.message, error.why) from None
        return self.notice_answer(True)


class _Type:
    name = "company"


async def by_the_web(read: Callable[[Notice], object], body: bytes, headers: dict[str, str]) -> None:
    """Post one forgery again and again, one after the other, and show what that takes until the answer is here."""
    app = web.Application()
    set_up(app, Reading(read), Clock())  # type: ignore[arg-type]
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/pay/notify/company/a"
    cpu, wall = [], []
    async with aiohttp.ClientSession() as session:
        for _ in range(TIMES // 3):
            begun, begun_s = time.thread_time_ns(), time.perf_counter_ns()
            async with session.post(url, data=body, headers=headers) as answer:
                assert answer.status == 400
            cpu.append((time.thread_time_ns() - begun) / 1e6)
            wall.append((time.perf_counter_ns() - begun_s) / 1e6)
    await runner.cleanup()
    show("over HTTP, sender and hub together", sorted(cpu), sorted(wall))


def main() -> None:
    """Measure both companies."""
    alipay_keys = {alipay.KEY_MODE: alipay_key("alipay").public_key()}
    wechat_keys = {SERIAL: wechat_key("wechat").public_key()}
    print(f"{'forged notice':36s} {'median':>7s} {'p99':>7s}")
    for name, (_, body) in alipay_forgeries().items():
        show(f"Alipay, {name}", *costs(lambda body=body: alipay.read_notice(body, alipay_keys)))  # type: ignore[misc]
    for name, (headers, body) in wechat_forgeries().items():

        def read(headers: dict[str, str] = headers, body: bytes = body) -> None:
            wechat.verify(headers, body, wechat_keys, NOW_S)

        show(f"WeChat Pay, {name}", *costs(read))
    logging.disable()
    asyncio.run(
        by_the_web(lambda notice: alipay.read_notice(notice.body, alipay_keys), alipay_forgeries()["wrong key"][1], {})
    )


if __name__ == "__main__":
    main()
