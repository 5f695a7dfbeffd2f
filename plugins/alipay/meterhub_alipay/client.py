"""Asks Alipay's gateway: signs, sends, proves the answer, and says how it ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from meterhub import beijing, certificates
from meterhub.clock import utc
from meterhub.errors import ConfigError, NotGenuine, ProviderUnknown
from meterhub.outgoing import body_of
from meterhub_alipay import crypto, outcomes
from meterhub_alipay.schema import Account

LARGEST_ANSWER = 1 << 20
REFRESH_S = 600.0
"""New certificates are asked for at most this often, whatever answers name."""
FORM = "application/x-www-form-urlencoded;charset=utf-8"


class Client:
    """One application at the gateway. ``ctx`` is the plugin's context."""

    def __init__(self, ctx: Any, account: Account) -> None:
        self._ctx = ctx
        self._account = account
        self.keys = account.keys
        self._may_refresh_s = 0.0

    def params(self, method: str, content: Mapping[str, Any], **more: str) -> dict[str, str]:
        """The parameters of a call, not yet signed; the time is Beijing's whatever the host's zone."""
        keys, text = self.keys, json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        found = {
            "app_id": self._account.app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": beijing.text(self._ctx.clock.now()),
            "version": "1.0",
            "app_cert_sn": keys.app_number,
            "alipay_root_cert_sn": keys.root_number,
            "encrypt_type": "AES" if keys.aes else "",
            "biz_content": crypto.encrypt_content(text, keys.aes) if keys.aes else text,
            **more,
        }
        return {name: value for name, value in found.items() if value}

    def page_url(self, method: str, content: Mapping[str, Any], **more: str) -> str:
        """The address that takes a payer's browser to the cashier page."""
        return crypto.signed_url(self._account.gateway, self.params(method, content, **more), self.keys.private)

    async def call(self, method: str, content: Mapping[str, Any], **more: str) -> dict[str, Any]:
        """The content of the answer, proved. Raises ``ProviderRefused`` or ``ProviderUnknown``."""
        raw = await self._post(self.params(method, content, **more))
        where = str(content.get("out_trade_no") or method)
        try:
            answer = crypto.read_answer(raw, crypto.node_of(method), self.keys.alipay, self.keys.aes)
        except NotGenuine as error:
            self._look_for_certificate(raw)
            raise ProviderUnknown(
                f"Alipay's answer proves nothing: {error.message}", where=where, hint=_why(raw, method)
            ) from None
        if (wrong := outcomes.error_of(answer, where)) is not None:
            raise wrong
        return answer

    async def _post(self, params: dict[str, str]) -> bytes:
        body = urlencode({"biz_content": params["biz_content"]}).encode()
        sign = crypto.sign_request(params, self.keys.private)
        query = urlencode({**{name: value for name, value in params.items() if name != "biz_content"}, "sign": sign})
        address = URL(f"{self._account.gateway}?{query}", encoded=True)
        try:
            async with self._ctx.http().post(
                address, data=body, headers={"Content-Type": FORM}, allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise ProviderUnknown(f"Alipay's gateway answered HTTP {response.status}")
                return await body_of(response, LARGEST_ANSWER)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ProviderUnknown(f"no answer from Alipay's gateway: {type(error).__name__}") from None

    def _look_for_certificate(self, raw: bytes) -> None:
        """Ask for an unknown certificate of Alipay beside the request, and seldom: forged answers must cost nothing."""
        now_s = self._ctx.clock.monotonic()
        try:
            number = crypto.certificate_of(raw)
        except NotGenuine:
            return
        if number and number not in self.keys.alipay and self.keys.roots and now_s >= self._may_refresh_s:
            self._may_refresh_s = now_s + REFRESH_S
            self._ctx.spawn(self._download_certificate(number))

    async def _download_certificate(self, number: str) -> None:
        """Take a new certificate of Alipay, if the stored roots stand behind it.

        The answer that brings it is signed with it, so the chain of certificates is what proves it.
        """
        method = "alipay.open.app.alipaycert.download"
        try:
            raw = await self._post(self.params(method, {"alipay_cert_sn": number}))
            content = crypto.unsigned_answer(raw, crypto.node_of(method)).get("alipay_cert_content")
            chain = certificates.load_all(certificates.from_base64(str(content)))
        except (ProviderUnknown, NotGenuine, ConfigError) as error:
            self._ctx.log.warning("the new certificate of Alipay could not be fetched: %s", error)
            return
        now = utc(self._ctx.clock.now())
        if not certificates.trusted(chain, list(self.keys.roots), now):
            self._ctx.log.error("the new certificate of Alipay does not come from the stored root; it was refused")
            return
        self.keys = self.keys.with_certificate(chain[0])


def _why(raw: bytes, method: str) -> str:
    """What the gateway says when it did not know us and so did not sign: for people, never for money."""
    try:
        content = crypto.unsigned_answer(raw, crypto.node_of(method))
    except NotGenuine:
        return ""
    return str(content.get("sub_code") or content.get("code") or "")[:100]
