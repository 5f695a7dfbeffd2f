"""The bills of the WeChat Pay sandbox: asked for by a signed call, fetched at an address that lives five minutes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from meterhub import beijing
from meterhub_wechat import sandbox_bill
from meterhub_wechat.bill import packed
from meterhub_wechat.sandbox_orders import Order, Refusal

if TYPE_CHECKING:
    from random import Random

    from meterhub_wechat.sandbox import Merchant

READY_MS = (24 + 10) * 3_600_000
OLDEST_MS = 93 * 24 * 3_600_000
BILL_LIFE_MS, MOST_FILES = 5 * 60_000, 20
KINDS = {"ALL", "SUCCESS", "REFUND"}
ACCOUNTS = {"BASIC", "OPERATION", "FEES"}


class Downloads:
    """The files of one sandbox, each under an address of its own. Times are epoch milliseconds."""

    def __init__(self, orders: Iterable[Order], random: Random) -> None:
        self._orders = orders
        self._random = random
        self._files: dict[str, tuple[int, bytes]] = {}

    def trade_bill(self, merchant: Merchant, query: Mapping[str, str], base_url: str, now_ms: int) -> dict[str, Any]:
        """Payments and refunds of a day. Raises ``Refusal``."""
        kind = query.get("bill_type", "ALL")
        if kind not in KINDS:
            raise Refusal(400, "PARAM_ERROR", "bill_type")
        return self._offer(lambda mine, day: sandbox_bill.write(mine, day, kind), merchant, query, base_url, now_ms)

    def fund_flow(self, merchant: Merchant, query: Mapping[str, str], base_url: str, now_ms: int) -> dict[str, Any]:
        """What came into an account of the merchant and what left it on a day. Raises ``Refusal``."""
        account = query.get("account_type", "BASIC")
        if account not in ACCOUNTS:
            raise Refusal(400, "PARAM_ERROR", "account_type")

        def write(mine: Iterable[Order], day: str) -> tuple[bytes, int]:
            return sandbox_bill.write_flow(mine if account == "BASIC" else (), day)

        return self._offer(write, merchant, query, base_url, now_ms)

    def file(self, token: str, now_ms: int) -> bytes:
        """The file at an address. Raises ``Refusal``."""
        until_ms, file = self._files.get(token, (0, b""))
        if now_ms > until_ms:
            raise Refusal(404, "RESOURCE_NOT_EXISTS")
        return file

    def _offer(
        self,
        write: Callable[[Iterable[Order], str], tuple[bytes, int]],
        merchant: Merchant,
        query: Mapping[str, str],
        base_url: str,
        now_ms: int,
    ) -> dict[str, Any]:
        day = query.get("bill_date", "")
        begin_ms = beijing.ms(f"{day} 00:00:00")
        if begin_ms is None or begin_ms < now_ms - OLDEST_MS or query.get("tar_type", "GZIP") != "GZIP":
            raise Refusal(400, "PARAM_ERROR", "bill_date")
        mine = [one for one in self._orders if one.content["mchid"] == merchant.mchid]
        text, rows = write(mine, day.replace("-", ""))
        if now_ms < begin_ms + READY_MS:
            raise Refusal(400, "STATEMENT_CREATING", "账单生成中")
        if not rows:
            raise Refusal(400, "NO_STATEMENT_EXIST", "账单文件不存在")
        token = f"{self._random.getrandbits(64):016x}"
        alive = [(name, one) for name, one in self._files.items() if one[0] >= now_ms]
        offered = (now_ms + BILL_LIFE_MS, packed(text) if "tar_type" in query else text)
        self._files = {**dict(alive[-MOST_FILES + 1 :]), token: offered}
        url = f"{base_url}/v3/billdownload/file?token={token}"
        return {"hash_type": "SHA1", "hash_value": hashlib.sha1(text).hexdigest(), "download_url": url}


def as_response(file: bytes) -> web.Response:
    """A file as it is sent; its answer is not signed."""
    return web.Response(body=file, content_type="application/octet-stream")
