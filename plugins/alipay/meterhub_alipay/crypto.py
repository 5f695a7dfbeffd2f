"""Signatures of the Alipay open platform: requests, answers, notices, certificate numbers. Pure functions, no I/O.

The algorithm is RSA2 (RSASSA-PKCS1-v1_5 with SHA-256) and nothing a sender says can change that.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from Crypto.Cipher import AES
from Crypto.PublicKey.RSA import RsaKey
from Crypto.Util.Padding import pad, unpad

from meterhub import rsa_keys
from meterhub.certificates import Certificate
from meterhub.errors import NotGenuine
from meterhub_alipay import json_slices

MOST_FIELDS = 200
LARGEST_NOTICE = 24 << 10
"""Notices have about 30 fields and some two thousand characters; more is an attack, and decoding it costs time."""
ERROR_NODE = "error_response"
AES_BYTES = 16
CHARSETS = {"utf-8": "utf-8", "utf8": "utf-8", "gbk": "gb18030", "gb2312": "gb18030", "gb18030": "gb18030"}
"""The charsets that a message may name; the last three are one, as the largest reads all of them."""
BYTES = "latin-1"
"""One character for each byte: signatures cover bytes, whatever characters they stand for."""
KEY_MODE = ""
"""Stands for Alipay's certificate number where its bare public key is used."""


def sign_content(params: Mapping[str, str]) -> str:
    """The text a request's signature covers: all parameters but ``sign`` and empty ones, by name, not URL encoded."""
    return _joined((name, value) for name, value in params.items() if name != "sign" and value != "")


def sign_request(params: Mapping[str, str], key: RsaKey) -> str:
    """The ``sign`` parameter of a request, made with the application's private key."""
    return rsa_keys.sign(key, sign_content(params).encode(charset_of(params)))


def request_verified(params: Mapping[str, str], key: RsaKey) -> bool:
    """Whether the ``sign`` of a request is right; ``key`` is the application's public key."""
    return rsa_keys.verified(key, sign_content(params).encode(charset_of(params), "replace"), params.get("sign", ""))


def signed_url(gateway: str, params: Mapping[str, str], key: RsaKey) -> str:
    """The address that opens the cashier page for ``params`` (``alipay.trade.wap.pay`` and ``page.pay``)."""
    return f"{gateway}?{urlencode({**params, 'sign': sign_request(params, key)})}"


def node_of(method: str) -> str:
    """The member of the answer that holds the content: ``alipay.trade.query`` -> ``alipay_trade_query_response``."""
    return method.replace(".", "_") + "_response"


def read_answer(raw: bytes, node: str, keys: Mapping[str, RsaKey], aes_key: bytes = b"") -> dict[str, Any]:
    """The content of an answer of the gateway, proved by its signature.

    ``keys`` maps the numbers of Alipay's certificates to their keys; in key mode ``KEY_MODE`` to the only one. The
    signature covers the very bytes of the content, and those bytes are what is parsed. Encrypted content is a text in
    place of the object, covered with its quotes; ``aes_key`` opens it. Raises ``NotGenuine``.
    """
    members = _members(raw)
    content = members.get(node, members.get(ERROR_NODE))
    if content is None or "sign" not in members:
        raise NotGenuine("the answer has no content or no signature", "signature")
    if node != ERROR_NODE and node in members and ERROR_NODE in members:
        raise NotGenuine("the answer has two contents", "form")
    candidates = _candidates(keys, certificate_of(raw), "answer")
    if not any(rsa_keys.verified(key, content.encode(), _text(members["sign"])) for key in candidates):
        raise NotGenuine("the signature of the answer is wrong", "signature")
    return _object(decrypt_content(_text(content), aes_key) if content.startswith('"') else content)


def unsigned_answer(raw: bytes, node: str) -> dict[str, Any]:
    """The content of an answer that need not be signed, such as why the gateway did not know the caller.

    Never to be used as a business answer. Raises ``NotGenuine`` when it is no answer at all.
    """
    members = _members(raw)
    return _object(members.get(node) or members.get(ERROR_NODE) or "{}")


def encrypt_content(text: str, aes_key: bytes) -> str:
    """The content of a request, encrypted before it is signed (AES-128-CBC, no start vector, PKCS#7), in Base64."""
    cipher = AES.new(aes_key, AES.MODE_CBC, iv=bytes(AES_BYTES))
    return base64.b64encode(cipher.encrypt(pad(text.encode(), AES_BYTES))).decode()


def decrypt_content(sealed: str, aes_key: bytes) -> str:
    """The text behind encrypted content. Raises ``NotGenuine``, also when there is no key."""
    if not aes_key:
        raise NotGenuine("the content is encrypted, and there is no key for it", "form", hint="aes_key")
    cipher = AES.new(aes_key, AES.MODE_CBC, iv=bytes(AES_BYTES))
    try:
        return unpad(cipher.decrypt(base64.b64decode(sealed, validate=True)), AES_BYTES).decode()
    except ValueError:
        raise NotGenuine("the content cannot be decrypted", "form", hint="is aes_key the one of this app?") from None


def charset_of(fields: Mapping[str, str]) -> str:
    """The charset that a message names, as Python calls it; UTF-8 when it names none or one that nobody uses."""
    return CHARSETS.get(fields.get("charset", "").lower(), "utf-8")


def certificate_of(raw: bytes) -> str:
    """The number of the certificate that an answer names, ``""`` for none. Raises ``NotGenuine`` for no answer."""
    members = _members(raw)
    return _text(members["alipay_cert_sn"]) if "alipay_cert_sn" in members else ""


def read_notice(body: bytes, keys: Mapping[str, RsaKey]) -> dict[str, str]:
    """The fields of a notice, proved by its signature; ``keys`` as for ``read_answer``. Raises ``NotGenuine``.

    The text covers every field but ``sign`` and ``sign_type``, empty ones too, in the bytes of the notice's own
    charset. A field that comes twice is refused: what is checked must be what is used.
    """
    fields = _fields(body)
    candidates = _candidates(keys, fields.get("alipay_cert_sn", ""), "notice")
    if fields.get("sign_type", "RSA2") != "RSA2":
        raise NotGenuine("the notice is not signed with RSA2", "signature")
    left_out = {"sign", "sign_type"}
    covered = [left_out] if "alipay_cert_sn" not in fields else [left_out | {"alipay_cert_sn"}, left_out]
    texts = [
        _joined((name, value) for name, value in fields.items() if name not in some).encode(BYTES) for some in covered
    ]
    signature = fields.get("sign", "")
    if not any(rsa_keys.verified(key, text, signature) for key in candidates for text in texts):
        raise NotGenuine("the signature of the notice is wrong", "signature")
    return _characters(fields)


def sign_notice(fields: Mapping[str, str], key: RsaKey) -> str:
    """The ``sign`` of a notice, as Alipay makes it, in the charset that the notice names."""
    text = _joined((name, value) for name, value in fields.items() if name not in ("sign", "sign_type"))
    return rsa_keys.sign(key, text.encode(charset_of(fields), "replace"))


def certificate_number(certificate: Certificate) -> str:
    """``app_cert_sn`` or ``alipay_cert_sn``: MD5 of issuer and decimal serial number, lower-case hex."""
    return hashlib.md5(f"{certificate.issuer}{certificate.serial}".encode()).hexdigest()


def root_number(bundle: Iterable[Certificate]) -> str:
    """``alipay_root_cert_sn``: the numbers of the certificates of the bundle that were signed with RSA."""
    return "_".join(certificate_number(one) for one in bundle if one.signed_by_rsa)


def _candidates(keys: Mapping[str, RsaKey], number: str, what: str) -> list[RsaKey]:
    """The keys that may have signed: that of key mode, of the certificate that is named, or all when none is named."""
    if KEY_MODE in keys:
        return [keys[KEY_MODE]]
    if number and number not in keys:
        raise NotGenuine(f"the {what} is signed with an unknown certificate of Alipay", "signature")
    return [keys[number]] if number else list(keys.values())


def _joined(fields: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in sorted(fields))


def _fields(body: bytes) -> dict[str, str]:
    """The fields with one character for each byte. Raises ``NotGenuine``."""
    if len(body) > LARGEST_NOTICE:
        raise NotGenuine("the notice is too long", "form")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            encoding=BYTES,
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise NotGenuine("the notice is no form", "form") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise NotGenuine("the notice has a field twice", "form")
    return fields


def _characters(fields: Mapping[str, str]) -> dict[str, str]:
    """Fields of bytes as the text that they are in the notice's charset. Raises ``NotGenuine``."""
    charset = charset_of(fields)
    try:
        return {name.encode(BYTES).decode(charset): one.encode(BYTES).decode(charset) for name, one in fields.items()}
    except UnicodeDecodeError:
        raise NotGenuine("the notice is not written in the charset that it names", "form") from None


def _members(raw: bytes) -> dict[str, str]:
    try:
        return json_slices.members(raw.decode())
    except ValueError as error:
        raise NotGenuine(f"the answer is no JSON object: {error}", "form") from None


def _object(text: str) -> dict[str, Any]:
    try:
        content = json_slices.value(text)
    except ValueError as error:
        raise NotGenuine(f"the answer is no JSON object: {error}", "form") from None
    if not isinstance(content, dict):
        raise NotGenuine("the content of the answer is no object", "form")
    return content


def _text(slice_: str) -> str:
    value = json_slices.value(slice_)
    return value if isinstance(value, str) else ""
