"""Signatures and encryption of WeChat Pay API v3: requests, answers, notices, certificates. Pure functions, no I/O.

Platform certificates and WeChat Pay public keys stand side by side in one mapping from serial to key: during a switch
answers and notices come signed with either.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from Crypto.Cipher import AES, PKCS1_OAEP
from Crypto.PublicKey.RSA import RsaKey

from meterhub import certificates, rsa_keys
from meterhub.certificates import Certificate
from meterhub.errors import ConfigError, NotGenuine

SCHEME = "WECHATPAY2-SHA256-RSA2048"
WINDOW_S = 300
"""How far the time of a message may be from ours, both ways."""
PROBE = "WECHATPAY/SIGNTEST/"
"""WeChat Pay sends wrong signatures with this beginning on purpose, to see whether they are refused."""
TAG_BYTES = 16


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice that was proved and decrypted. ``id`` stays the same when WeChat Pay sends it again."""

    id: str
    event: str
    resource: dict[str, Any]


def request_text(method: str, path: str, timestamp: str, nonce: str, body: str) -> str:
    """What a request's signature covers; ``path`` with its query exactly as sent."""
    return f"{method}\n{path}\n{timestamp}\n{nonce}\n{body}\n"


def authorization(
    method: str, path: str, body: str, *, mchid: str, serial: str, key: RsaKey, timestamp: str, nonce: str
) -> str:
    """The ``Authorization`` header of a request. ``serial`` is that of the merchant's certificate, upper-case hex."""
    signature = rsa_keys.sign(key, request_text(method, path, timestamp, nonce, body).encode())
    fields = {"mchid": mchid, "nonce_str": nonce, "signature": signature, "timestamp": timestamp, "serial_no": serial}
    return f"{SCHEME} " + ",".join(f'{name}="{value}"' for name, value in fields.items())


def pay_sign(appid: str, timestamp: str, nonce: str, prepay_id: str, key: RsaKey) -> dict[str, str]:
    """What a page inside WeChat needs to open the cashier (JSAPI)."""
    package = f"prepay_id={prepay_id}"
    signature = rsa_keys.sign(key, f"{appid}\n{timestamp}\n{nonce}\n{package}\n".encode())
    return {
        "appId": appid,
        "timeStamp": timestamp,
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": signature,
    }


def answer_text(timestamp: str, nonce: str, body: bytes) -> bytes:
    """What the signature of an answer or a notice covers."""
    return f"{timestamp}\n{nonce}\n".encode() + body + b"\n"


def same_serial(one: str, other: str) -> bool:
    """Whether two texts are one serial number: programs differ in its case and in whether they keep its zeros."""
    return one.upper().lstrip("0") == other.upper().lstrip("0")


def key_of(keys: Mapping[str, RsaKey], serial: str) -> RsaKey | None:
    """The key that a message names, None when it is not known."""
    if serial in keys:
        return keys[serial]
    return next((key for known, key in keys.items() if same_serial(known, serial)), None)


def verify(headers: Mapping[str, str], body: bytes, keys: Mapping[str, RsaKey], now_s: int) -> None:
    """Prove that WeChat Pay sent ``body`` within the last five minutes. Raises ``NotGenuine``.

    Header names in any case. ``keys`` maps serials of platform certificates and ids of public keys to keys.
    """
    got = {name.lower(): value for name, value in headers.items()}
    timestamp, nonce, serial, signature = (
        got.get(f"wechatpay-{name}", "") for name in ("timestamp", "nonce", "serial", "signature")
    )
    if not (timestamp and nonce and serial and signature):
        raise NotGenuine("a header of the signature is missing", "signature")
    if got.get("wechatpay-signature-type", SCHEME) != SCHEME:
        raise NotGenuine("the kind of signature is unknown", "signature")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
        raise NotGenuine("the time of the signature is no number", "signature")
    if abs(now_s - int(timestamp)) >= WINDOW_S:
        raise NotGenuine(
            "the message is more than five minutes old, or from the future", "stale", hint="check the host's clock"
        )
    if signature.startswith(PROBE):
        raise NotGenuine("a probe of WeChat Pay with a wrong signature", "probe")
    key = key_of(keys, serial)
    if key is None:
        raise NotGenuine("the signature names an unknown certificate or public key", "signature")
    if not rsa_keys.verified(key, answer_text(timestamp, nonce, body), signature):
        raise NotGenuine("the signature is wrong", "signature")


def sign_answer(body: bytes, *, key: RsaKey, serial: str, timestamp: str, nonce: str) -> dict[str, str]:
    """The headers that prove an answer or a notice, as WeChat Pay makes them."""
    return {
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": serial,
        "Wechatpay-Signature": rsa_keys.sign(key, answer_text(timestamp, nonce, body)),
        "Wechatpay-Signature-Type": SCHEME,
    }


def decrypt(resource: Mapping[str, Any], apiv3_key: str) -> bytes:
    """The content of an encrypted resource (AEAD_AES_256_GCM). Raises ``NotGenuine``."""
    if resource.get("algorithm") != "AEAD_AES_256_GCM":
        raise NotGenuine("the resource is encrypted in an unknown way", "form")
    try:
        sealed = base64.b64decode(resource["ciphertext"], validate=True)
        cipher = AES.new(secret_bytes(apiv3_key), AES.MODE_GCM, nonce=resource["nonce"].encode())
        cipher.update((resource.get("associated_data") or "").encode())
        return cipher.decrypt_and_verify(sealed[:-TAG_BYTES], sealed[-TAG_BYTES:])
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error):
        raise NotGenuine(
            "the resource cannot be decrypted", "form", hint="is the APIv3 key the one of this merchant?"
        ) from None


def encrypt(plain: bytes, apiv3_key: str, *, nonce: str, associated_data: str) -> dict[str, str]:
    """An encrypted resource, as WeChat Pay makes it; ``nonce`` of 12 characters."""
    cipher = AES.new(secret_bytes(apiv3_key), AES.MODE_GCM, nonce=nonce.encode())
    cipher.update(associated_data.encode())
    sealed, tag = cipher.encrypt_and_digest(plain)
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(sealed + tag).decode(),
        "associated_data": associated_data,
        "nonce": nonce,
    }


def secret_bytes(apiv3_key: str) -> bytes:
    """The APIv3 key as AES wants it. Raises ``ConfigError`` unless it has 32 ASCII characters."""
    if len(apiv3_key) != 32 or not apiv3_key.isascii():
        raise ConfigError("the APIv3 key must have 32 characters, letters and digits")
    return apiv3_key.encode()


def read_notice(
    headers: Mapping[str, str], body: bytes, keys: Mapping[str, RsaKey], apiv3_key: str, now_s: int
) -> Notice:
    """A notice, proved by its signature and decrypted. Raises ``NotGenuine``, also for a wrong form."""
    verify(headers, body, keys, now_s)
    envelope = read_object(body)
    resource = envelope.get("resource")
    if envelope.get("resource_type") != "encrypt-resource" or not isinstance(resource, dict):
        raise NotGenuine("the notice has no encrypted resource", "form")
    return Notice(
        str(envelope.get("id", "")), str(envelope.get("event_type", "")), read_object(decrypt(resource, apiv3_key))
    )


def read_certificates(body: bytes, apiv3_key: str) -> dict[str, Certificate]:
    """The platform certificates of an answer of ``/v3/certificates``, by serial. Raises ``NotGenuine``."""
    found = {}
    entries = read_object(body).get("data", [])
    if not isinstance(entries, list):
        raise NotGenuine("the answer has no list of certificates", "form")
    for entry in entries:
        sealed = entry.get("encrypt_certificate") if isinstance(entry, dict) else None
        if not isinstance(sealed, dict):
            raise NotGenuine("an entry of the certificates is incomplete", "form")
        certificate = _certificate(decrypt(sealed, apiv3_key))
        if not same_serial(certificate.serial_hex, str(entry.get("serial_no"))):
            raise NotGenuine("a platform certificate has another serial than the answer says", "form")
        found[certificate.serial_hex] = certificate
    return found


def _certificate(plain: bytes) -> Certificate:
    try:
        return certificates.load(plain.decode())
    except (ConfigError, UnicodeDecodeError):
        raise NotGenuine("a platform certificate cannot be read", "form") from None


def encrypt_field(text: str, key: RsaKey) -> str:
    """A sensitive field for WeChat Pay: RSA-OAEP (SHA-1) with the platform's key, which the request names."""
    return base64.b64encode(PKCS1_OAEP.new(key).encrypt(text.encode())).decode()


def decrypt_field(sealed: str, key: RsaKey) -> str:
    """A sensitive field from WeChat Pay, with the merchant's private key. Raises ``NotGenuine``."""
    try:
        return PKCS1_OAEP.new(key).decrypt(base64.b64decode(sealed, validate=True)).decode()
    except ValueError:
        raise NotGenuine("a sensitive field cannot be decrypted", "form") from None


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``. Raises ``NotGenuine`` for anything else, and for a member that comes twice."""
    try:
        content = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise NotGenuine("this is no JSON object", "form") from None
    if not isinstance(content, dict):
        raise NotGenuine("this is no JSON object", "form")
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member comes twice")
    return found
