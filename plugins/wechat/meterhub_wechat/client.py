"""Asks WeChat Pay's gateway: signs, sends, proves the answer, and says how it ended. Keeps the platform's keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp
from Crypto.PublicKey.RSA import RsaKey
from yarl import URL

from meterhub.errors import ConfigError, NotGenuine, ProviderError, ProviderUnknown
from meterhub.outgoing import body_of
from meterhub_wechat import crypto, outcomes
from meterhub_wechat.schema import Account

LARGEST_ANSWER = 1 << 20
CERTIFICATES = "/v3/certificates"
REFRESH_S = 12 * 3600.0
RETRY_S = 600.0
"""The least time between two looks for new certificates, whatever serials answers name."""


class Client:
    """One merchant at the gateway. ``ctx`` is the plugin's context. ``keys`` are all keys of WeChat Pay known now."""

    def __init__(self, ctx: Any, account: Account) -> None:
        self._ctx = ctx
        self._account = account
        self.keys: dict[str, RsaKey] = dict(account.keys)
        self._looked_s: float | None = None
        self._fetched = False
        self._told = ""

    async def call(
        self, method: str, path: str, content: Mapping[str, Any] | None = None, where: str = "", serial: str = ""
    ) -> dict[str, Any]:
        """The content of the answer, proved; {} when it has none. ``serial`` names the key of encrypted fields.

        Raises ``ProviderRefused`` or ``ProviderUnknown``.
        """
        body = b"" if content is None else json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        if not self.keys:
            await self.look_for_certificates()
        status, headers, raw = await self.send(method, path, body, serial)
        if (wrong := outcomes.error_of(status, raw, where)) is not None:
            raise wrong
        try:
            crypto.verify(headers, raw, self.keys, self._ctx.clock.now() // 1000)
            return crypto.read_object(raw) if raw else {}
        except NotGenuine as error:
            if crypto.key_of(self.keys, headers.get("wechatpay-serial", "")) is None:
                self._ctx.spawn(self.look_for_certificates())
            raise ProviderUnknown(
                f"WeChat Pay's answer proves nothing: {error.message}", where=where, hint=error.hint
            ) from None

    async def send(
        self, method: str, path: str, body: bytes = b"", serial: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case and raw body; by the other site when the first cannot be reached."""
        try:
            return await self._send(self._account.gateway, method, path, body, serial)
        except aiohttp.ClientConnectorError as error:
            if not self._account.backup:
                raise _no_answer(error) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _no_answer(error) from None
        try:
            return await self._send(self._account.backup, method, path, body, serial)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _no_answer(error) from None

    async def _send(
        self, gateway: str, method: str, path: str, body: bytes, serial: str
    ) -> tuple[int, dict[str, str], bytes]:
        headers = {
            "Authorization": self._authorization(method, path, body),
            "Accept": "application/json",
            "User-Agent": "MeterHub",
        }
        if body:
            headers["Content-Type"] = "application/json"
        if named := serial or self._account.public_key_id:
            headers["Wechatpay-Serial"] = named
        async with self._ctx.http().request(
            method, URL(gateway + path, encoded=True), data=body or None, headers=headers, allow_redirects=False
        ) as response:
            found = {name.lower(): value for name, value in response.headers.items()}
            return response.status, found, await body_of(response, LARGEST_ANSWER)

    def _authorization(self, method: str, path: str, body: bytes) -> str:
        account = self._account
        return crypto.authorization(
            method, path, body.decode(), mchid=account.mchid, serial=account.serial, key=account.private,
            timestamp=str(self._ctx.clock.now() // 1000), nonce=self.nonce(),
        )  # fmt: skip

    def authorization_for(self, path: str) -> str:
        """The header for fetching ``path``, for answers that are not signed."""
        return self._authorization("GET", path, b"")

    def key_to_encrypt(self) -> tuple[str, RsaKey]:
        """A key of WeChat Pay's for encrypted fields, and its name; the public key before any certificate.

        Raises ``ProviderUnknown`` while none is known.
        """
        name = self._account.public_key_id or next(reversed(self.keys), "")
        if name not in self.keys:
            raise ProviderUnknown("no key of WeChat Pay is known yet", hint="it is fetched; try again in some minutes")
        return name, self.keys[name]

    def nonce(self) -> str:
        """32 characters that nobody has used before."""
        return f"{self._ctx.clock.random.getrandbits(128):032X}"

    async def keep_certificates(self) -> None:
        """Ask for platform certificates now and twice a day, sooner while there are none, until cancelled.

        What could not be fetched is asked for again after ten minutes, twenty, forty and so on: a merchant with a
        public key may have none, or the hub may have been faster than its network.
        """
        failures = 0
        while True:
            await self.look_for_certificates()
            failures = 0 if self._fetched else failures + 1
            wait_s = min(RETRY_S * 2 ** (failures - 1), REFRESH_S) if failures else REFRESH_S
            await self._ctx.clock.sleep(wait_s if self.keys else RETRY_S)

    async def look_for_certificates(self) -> None:
        """Add the platform certificates that WeChat Pay has now; seldom, and never take known ones away.

        A merchant with a public key may have some as well, by which notices are signed until the switch is over; that
        he has none is no news.

        They come encrypted with the APIv3 key, and the answer must be signed with one of them or of those known.
        """
        now_s = self._ctx.clock.monotonic()
        if self._looked_s is not None and now_s < self._looked_s + RETRY_S:
            return
        self._looked_s = now_s
        try:
            status, headers, raw = await self.send("GET", CERTIFICATES)
            if (wrong := outcomes.error_of(status, raw, CERTIFICATES)) is not None:
                raise wrong
            found = crypto.read_certificates(raw, self._account.apiv3_key)
            keys = {**self.keys, **{serial: one.public_key() for serial, one in found.items()}}
            crypto.verify(headers, raw, keys, self._ctx.clock.now() // 1000)
        except (NotGenuine, ProviderError, ConfigError) as error:
            self._fetched = False
            self._tell(error.message)
            return
        self._fetched, self._told = True, ""
        self.keys.update(keys)

    def _tell(self, why: str) -> None:
        """Log why there are no certificates, once."""
        if why != self._told:
            tell = self._ctx.log.info if self._account.public_key_id else self._ctx.log.warning
            tell("WeChat Pay's certificates could not be fetched: %s", why)
        self._told = why


def _no_answer(error: Exception) -> ProviderUnknown:
    return ProviderUnknown(f"no answer from WeChat Pay's gateway: {type(error).__name__}")
