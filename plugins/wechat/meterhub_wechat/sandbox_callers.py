"""Who calls the WeChat Pay sandbox: the ``Authorization`` header with its time and its number used once."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiohttp import web

from meterhub import rsa_keys
from meterhub_wechat import crypto

if TYPE_CHECKING:
    from meterhub_wechat.sandbox import Merchant

PAIR = re.compile(r'(\w+)="([^"]*)"')
REMEMBERED = 100_000


class Callers:
    """Remembers the numbers that were used."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._order: deque[str] = deque()

    def merchant_of(
        self, request: web.Request, body: bytes, merchants: Mapping[str, Merchant], now_s: int
    ) -> Merchant | None:
        """The merchant whose signature the request has; None when it proves nobody."""
        scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
        found = dict(PAIR.findall(rest))
        merchant = merchants.get(found.get("mchid", ""))
        timestamp, nonce = found.get("timestamp", ""), found.get("nonce_str", "")
        if scheme != crypto.SCHEME or merchant is None:
            return None
        if not crypto.same_serial(found.get("serial_no", ""), merchant.serial):
            return None
        if not timestamp.isdigit() or abs(int(timestamp[:15]) - now_s) > crypto.WINDOW_S or not 0 < len(nonce) <= 32:
            return None
        text = crypto.request_text(request.method, request.raw_path, timestamp, nonce, body.decode(errors="replace"))
        if not rsa_keys.verified(merchant.public, text.encode(), found.get("signature", "")):
            return None
        return merchant if self._fresh(f"{merchant.mchid} {nonce}") else None

    def _fresh(self, name: str) -> bool:
        if name in self._used:
            return False
        self._used.add(name)
        self._order.append(name)
        if len(self._order) > REMEMBERED:
            self._used.discard(self._order.popleft())
        return True
