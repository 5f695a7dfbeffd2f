"""What an Alipay account says in ``payments:``, and the keys that come of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import voluptuous as vol
from Crypto.PublicKey.RSA import RsaKey

from meterhub import certificates, rsa_keys
from meterhub.certificates import Certificate
from meterhub.config.types import file_path, host_port, secret, text
from meterhub.errors import ConfigError
from meterhub.outgoing import is_confidential
from meterhub_alipay import crypto

GATEWAY = "https://openapi.alipay.com/gateway.do"
SANDBOX_APP, SANDBOX_SELLER = "2021000000000000", "2088000000000000"
SANDBOX_KEYS = Path(__file__).parent / "sandbox_keys"
KEY = text(4000)

CERTIFICATES_SCHEMA = {
    vol.Required("application", description="Your application's certificate, appCertPublicKey_….crt."): file_path(),
    vol.Required("alipay", description="Alipay's certificate, alipayCertPublicKey_RSA2.crt."): file_path(),
    vol.Required("root", description="Alipay's root certificates, alipayRootCert.crt."): file_path(),
}

SCHEMA = {
    vol.Optional("app_id", description="The application's number; 16 digits."): text(32),
    vol.Optional("seller_id", description="Your partner number, which begins with 2088."): text(32),
    vol.Optional("private_key", description="The application's private key."): secret(),
    vol.Optional("alipay_public_key", description="Alipay's public key (key mode)."): KEY,
    vol.Optional("aes_key", description="The key of content encryption, if you turned that on."): secret(),
    vol.Optional("certificates", description="The three certificates (certificate mode)."): CERTIFICATES_SCHEMA,
    vol.Optional("gateway", default=GATEWAY, description="The gateway's address."): text(200),
    vol.Optional(
        "sandbox", description="Play Alipay at this address of this machine instead; moves no money."
    ): host_port(),
}


@dataclass(frozen=True, slots=True)
class Keys:
    """All that signs and proves. ``alipay`` maps the numbers of Alipay's certificates to their keys (see ``crypto``).

    ``roots`` and the two numbers are those of certificate mode, empty in key mode. ``aes`` opens encrypted content,
    b"" when that is not turned on.
    """

    private: RsaKey
    alipay: Mapping[str, RsaKey]
    app_number: str = ""
    root_number: str = ""
    roots: tuple[Certificate, ...] = ()
    aes: bytes = field(default=b"", repr=False)

    def with_certificate(self, certificate: Certificate) -> Keys:
        """The same with one more certificate of Alipay."""
        number = crypto.certificate_number(certificate)
        return replace(self, alipay={**self.alipay, number: certificate.public_key()})


@dataclass(frozen=True, slots=True)
class Account:
    """One checked account."""

    app_id: str
    seller_id: str
    gateway: str
    keys: Keys


def read_account(options: Mapping[str, Any]) -> Account:
    """The account of an entry of ``payments:``. Raises ``ConfigError`` for keys that are missing or do not fit."""
    if options.get("sandbox"):
        return _sandbox_account(options)
    for name in ("app_id", "seller_id", "private_key"):
        if not options.get(name):
            raise ConfigError(f"{name} is missing", hint="the console of Alipay's open platform shows it")
    if not is_confidential(options["gateway"]):
        raise ConfigError("the gateway must begin with https://")
    keys = replace(_keys(options), aes=_aes_key(options))
    if keys.private == sandbox_key("application"):
        raise ConfigError("private_key is the one of the sandbox, which everybody knows")
    return Account(options["app_id"], options["seller_id"], options["gateway"], keys)


@cache
def sandbox_key(name: str) -> RsaKey:
    """A key of the sandbox, ``application`` or ``alipay``. They are in every copy of MeterHub and prove nothing."""
    return rsa_keys.private_key((SANDBOX_KEYS / f"{name}.pem").read_text(encoding="ascii"))


@cache
def sandbox_certificate(name: str) -> Certificate:
    """A certificate of the sandbox, ``application``, ``alipay`` or ``root``; it proves nothing either."""
    return certificates.load((SANDBOX_KEYS / f"{name}.crt").read_text(encoding="ascii"))


def _sandbox_account(options: Mapping[str, Any]) -> Account:
    private = options.get("private_key")
    keys = Keys(
        rsa_keys.private_key(private) if private else sandbox_key("application"),
        {crypto.KEY_MODE: sandbox_key("alipay").public_key()},
        aes=_aes_key(options),
    )
    app_id, seller_id = options.get("app_id", SANDBOX_APP), options.get("seller_id", SANDBOX_SELLER)
    return Account(app_id, seller_id, f"http://{options['sandbox']}/gateway.do", keys)


def _keys(options: Mapping[str, Any]) -> Keys:
    private = _named("private_key", options["private_key"], rsa_keys.private_key)
    if ("certificates" in options) == ("alipay_public_key" in options):
        raise ConfigError("give either alipay_public_key or certificates")
    if "certificates" in options:
        return _certificate_keys(private, options["certificates"])
    public = _named("alipay_public_key", options["alipay_public_key"], rsa_keys.public_key)
    if public == private.public_key():
        raise ConfigError(
            "alipay_public_key is the public half of your own private_key",
            hint="take the one that the console shows as Alipay's public key",
        )
    return Keys(private, {crypto.KEY_MODE: public})


def _aes_key(options: Mapping[str, Any]) -> bytes:
    try:
        found = base64.b64decode(options.get("aes_key", "")[:], validate=True)
    except ValueError:
        found = b"?"
    if found and len(found) != crypto.AES_BYTES:
        raise ConfigError("aes_key: this is no AES key", hint="the console shows it as Base64 text of 24 characters")
    return found


def _certificate_keys(private: RsaKey, files: Mapping[str, Path]) -> Keys:
    application, alipay, roots = (_certificates(files[name]) for name in ("application", "alipay", "root"))
    if application[0].public_key() != private.public_key():
        raise ConfigError(
            "the application's certificate belongs to another private key", where=str(files["application"])
        )
    keys = Keys(private, {}, crypto.certificate_number(application[0]), crypto.root_number(roots), tuple(roots))
    return keys.with_certificate(alipay[0])


def _certificates(file: Path) -> list[Certificate]:
    try:
        return certificates.load_all(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("the certificate cannot be read", where=str(file), hint=type(error).__name__) from None
    except ConfigError as error:
        raise ConfigError(error.message, where=str(file), hint=error.hint) from None


def _named(name: str, words: str, read: Any) -> RsaKey:
    try:
        return read(words)  # type: ignore[no-any-return]
    except ConfigError as error:
        raise ConfigError(f"{name}: {error.message}", hint=error.hint) from None
