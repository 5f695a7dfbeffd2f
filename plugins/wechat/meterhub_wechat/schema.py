"""What a WeChat Pay account says in ``payments:``, and the keys that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import voluptuous as vol
from Crypto.PublicKey.RSA import RsaKey

from meterhub import certificates, rsa_keys
from meterhub.certificates import Certificate
from meterhub.config.nodes import Secret
from meterhub.config.types import boolean, file_path, host_port, secret, text
from meterhub.errors import ConfigError
from meterhub.outgoing import is_confidential
from meterhub_wechat import crypto

GATEWAY, BACKUP = "https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com"
AUTHORIZE = "https://open.weixin.qq.com/connect/oauth2/authorize"
TOKENS = "https://api.weixin.qq.com/sns/oauth2/access_token"
"""Where WeChat tells who is looking at a page."""
PUBLIC_KEY_PREFIX = "PUB_KEY_ID_"
SANDBOX_MERCHANT, SANDBOX_APP = "1900000000", "wx0000000000000000"
SANDBOX_SERIAL, SANDBOX_PUBLIC_KEY_ID = "5A5A5A5A5A5A5A5A", PUBLIC_KEY_PREFIX + "0000000000000000000000000000000"
SANDBOX_APIV3_KEY = "everybody-knows-this-sandbox-key"
SANDBOX_APP_SECRET = "everybody-knows-this-app-secret"
SANDBOX_KEYS = Path(__file__).parent / "sandbox_keys"

SCHEMA = {
    vol.Optional("mchid", description="The merchant's number, 10 digits."): text(32),
    vol.Optional("appid", description="The WeChat app that the merchant is bound to, wx…."): text(32),
    vol.Optional("serial", description="Serial number of the merchant's certificate, hex."): text(64),
    vol.Optional("private_key", description="The merchant's private key, apiclient_key.pem."): secret(),
    vol.Optional("apiv3_key", description="The APIv3 key, 32 characters."): secret(),
    vol.Optional("app_secret", description="The app's secret; needed to pay inside WeChat."): secret(),
    vol.Optional("public_key_id", description="Id of WeChat Pay's public key, PUB_KEY_ID_…."): text(64),
    vol.Optional("public_key", description="WeChat Pay's public key."): text(4000),
    vol.Optional("platform_certificates", description="Files of platform certificates to begin with."): [file_path()],
    vol.Optional(
        "fund_flow", default=True, description="Compare the merchant's account with the bill every night."
    ): boolean(),
    vol.Optional("gateway", default=GATEWAY, description="The gateway's address."): text(200),
    vol.Optional(
        "sandbox", description="Play WeChat Pay at this address of this machine; moves no money."
    ): host_port(),
}


@dataclass(frozen=True, slots=True)
class Account:
    """One checked account. ``keys`` maps the serials of platform certificates and the public key's id to keys.

    ``public_key_id`` is "" for merchants with platform certificates alone; ``backup`` is "" when there is none.
    """

    mchid: str
    appid: str
    serial: str
    private: RsaKey
    apiv3_key: str
    public_key_id: str
    keys: Mapping[str, RsaKey]
    gateway: str
    backup: str
    app_secret: str = ""
    authorize: str = AUTHORIZE
    tokens: str = TOKENS
    fund_flow: bool = True


def read_account(options: Mapping[str, Any]) -> Account:
    """The account of an entry of ``payments:``. Raises ``ConfigError`` for keys that are missing or do not fit."""
    if options.get("sandbox"):
        return _sandbox_account(options)
    for name in ("mchid", "appid", "serial", "private_key", "apiv3_key"):
        if not options.get(name):
            raise ConfigError(f"{name} is missing", hint="the merchant platform shows it under API security")
    if not is_confidential(options["gateway"]):
        raise ConfigError("the gateway must begin with https://")
    private = _named("private_key", options["private_key"], rsa_keys.private_key)
    if private == sandbox_key("merchant"):
        raise ConfigError("private_key is the one of the sandbox, which everybody knows")
    crypto.secret_bytes(options["apiv3_key"])
    return Account(
        options["mchid"],
        options["appid"],
        options["serial"].upper(),
        private,
        options["apiv3_key"],
        options.get("public_key_id", ""),
        _platform_keys(options, private),
        options["gateway"],
        BACKUP if options["gateway"] == GATEWAY else "",
        options.get("app_secret", ""),
        fund_flow=options.get("fund_flow", True),
    )


@cache
def sandbox_key(name: str) -> RsaKey:
    """A key of the sandbox, ``merchant`` or ``wechat``. They are in every copy of MeterHub and prove nothing."""
    return rsa_keys.private_key((SANDBOX_KEYS / f"{name}.pem").read_text(encoding="ascii"))


@cache
def sandbox_certificate() -> Certificate:
    """The platform certificate of the sandbox, over its key ``wechat``; it proves nothing either."""
    return certificates.load((SANDBOX_KEYS / "wechat.crt").read_text(encoding="ascii"))


def _sandbox_account(options: Mapping[str, Any]) -> Account:
    private = options.get("private_key")
    return Account(
        options.get("mchid", SANDBOX_MERCHANT),
        options.get("appid", SANDBOX_APP),
        options.get("serial", SANDBOX_SERIAL),
        rsa_keys.private_key(private) if private else sandbox_key("merchant"),
        Secret(options.get("apiv3_key", SANDBOX_APIV3_KEY)[:]),
        SANDBOX_PUBLIC_KEY_ID,
        {SANDBOX_PUBLIC_KEY_ID: sandbox_key("wechat").public_key()},
        f"http://{options['sandbox']}",
        "",
        Secret(SANDBOX_APP_SECRET),
        f"http://{options['sandbox']}/connect/oauth2/authorize",
        f"http://{options['sandbox']}/sns/oauth2/access_token",
        options.get("fund_flow", True),
    )


def _platform_keys(options: Mapping[str, Any], private: RsaKey) -> Mapping[str, RsaKey]:
    keys = {}
    if ("public_key" in options) != ("public_key_id" in options):
        raise ConfigError("public_key and public_key_id belong together")
    if "public_key" in options:
        if not options["public_key_id"].startswith(PUBLIC_KEY_PREFIX):
            raise ConfigError(f"public_key_id must begin with {PUBLIC_KEY_PREFIX}")
        public = _named("public_key", options["public_key"], rsa_keys.public_key)
        if public == private.public_key():
            raise ConfigError("public_key is the public half of your own private_key; WeChat Pay's is needed")
        keys[options["public_key_id"]] = public
    for file in options.get("platform_certificates", ()):
        try:
            found = certificates.load(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ConfigError) as error:
            raise ConfigError("the certificate cannot be read", where=str(file), hint=type(error).__name__) from None
        keys[found.serial_hex] = found.public_key()
    return keys


def _named(name: str, words: str, read: Any) -> RsaKey:
    try:
        return read(words)  # type: ignore[no-any-return]
    except ConfigError as error:
        raise ConfigError(f"{name}: {error.message}", hint=error.hint) from None
