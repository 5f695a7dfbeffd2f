"""RSA keys as payment companies hand them out, and their SHA-256 signatures (RFC 8017 §8.2). Pure, no I/O.

Keys come as PEM or as bare Base64, private ones in PKCS#1 or PKCS#8, public ones also inside a certificate: every
tool of the companies writes another form, so all are read.
"""

from __future__ import annotations

import base64
import binascii

from Crypto.Hash import SHA256
from Crypto.PublicKey import RSA
from Crypto.PublicKey.RSA import RsaKey
from Crypto.Signature import pkcs1_15

from meterhub.errors import ConfigError

SMALLEST_BITS = 2048


def private_key(text: str) -> RsaKey:
    """The private key in ``text``. Raises ``ConfigError`` for anything else; the error never quotes the text."""
    key = _key(text)
    if not key.has_private():
        raise ConfigError("this is a public key; a private key belongs here")
    return key


def public_key(text: str) -> RsaKey:
    """The public key in ``text``: a public key or a certificate. Raises ``ConfigError``, also for a private key."""
    key = _key(text)
    if key.has_private():
        raise ConfigError("this is a private key; a public key or a certificate belongs here")
    return key


def sign(key: RsaKey, data: bytes) -> str:
    """The Base64 signature of ``data``: RSASSA-PKCS1-v1_5 with SHA-256; the same data give the same signature."""
    return base64.b64encode(pkcs1_15.new(key).sign(SHA256.new(data))).decode()


def verified(key: RsaKey, data: bytes, signature: str) -> bool:
    """Whether ``signature`` (strict Base64) is that of ``data``. The digest is SHA-256 whatever a sender says.

    One of another length costs nothing: forgers are many.
    """
    if len(signature) != -(-key.size_in_bytes() // 3) * 4:
        return False
    try:
        pkcs1_15.new(key).verify(SHA256.new(data), base64.b64decode(signature, validate=True))
    except ValueError:
        return False
    return True


def fingerprint(key: RsaKey) -> str:
    """SHA-256 of the public half in hex, in groups, as people compare it with the merchant console."""
    digest = SHA256.new(key.public_key().export_key("DER")).hexdigest()
    return ":".join(digest[at : at + 4] for at in range(0, 32, 4))


def _key(text: str) -> RsaKey:
    stripped = text.strip().lstrip("\ufeff")
    try:
        raw = (
            stripped.encode()
            if stripped.startswith("-----")
            else base64.b64decode("".join(stripped.split()), validate=True)
        )
        key = RSA.import_key(raw)
    except (ValueError, IndexError, TypeError, binascii.Error):
        raise ConfigError(
            "this is no RSA key", hint="give PEM, or the Base64 text of PKCS#1, PKCS#8 or X.509"
        ) from None
    if key.size_in_bits() < SMALLEST_BITS:
        raise ConfigError(f"this RSA key has {key.size_in_bits()} bits; {SMALLEST_BITS} are the least")
    return key
