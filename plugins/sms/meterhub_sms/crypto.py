"""Request signatures of the SMS providers: Aliyun ACS3 and RPC version 1, Tencent TC3. Pure functions, no I/O.

Secrets of the configuration show as ``***`` in f-strings, so they are concatenated here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from meterhub.clock import utc

ACS3 = "ACS3-HMAC-SHA256"
TC3 = "TC3-HMAC-SHA256"
TC3_SIGNED = "content-type;host"
TC3_AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=(?P<id>[^/,]+)/(?P<scope>[\d-]{10}/(?P<service>\w{1,20})/tc3_request), ?"
    r"SignedHeaders=(?P<signed>[a-z0-9;-]{1,200}), ?Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)


def encoded(text: str) -> str:
    """Percent encoding of RFC 3986: only letters, digits and ``-_.~`` stay."""
    return quote(text, safe="-_.~")


def acs3_request(
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    signed: Sequence[str],
    payload_hash: str,
) -> str:
    """Aliyun's canonical request. ``signed`` names the headers that are covered, lower case, sorted."""
    parameters = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in sorted(query.items()))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in signed)
    return "\n".join((method, path or "/", parameters, lines, ";".join(signed), payload_hash))


def acs3_signature(canonical: str, secret: str) -> str:
    """Aliyun's ACS3 signature of a canonical request, in hex."""
    return _hmac(secret.encode(), f"{ACS3}\n{_sha256(canonical.encode())}").hex()


def acs3_authorization(
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    key_id: str,
    secret: str,
) -> str:
    """The ``Authorization`` header for Aliyun; it covers every header given (names in lower case)."""
    signed = sorted(headers)
    canonical = acs3_request(method, path, query, headers, signed, _sha256(body))
    signature = acs3_signature(canonical, secret)
    return f"{ACS3} Credential={key_id},SignedHeaders={';'.join(signed)},Signature={signature}"


def rpc_signature(method: str, params: Mapping[str, str], secret: str) -> str:
    """The ``Signature`` parameter of Aliyun's older RPC style (HMAC-SHA1), over all other parameters."""
    pairs = sorted((name, value) for name, value in params.items() if name != "Signature")
    joined = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in pairs)
    text = f"{method}&{encoded('/')}&{encoded(joined)}"
    return base64.b64encode(hmac.new((secret + "&").encode(), text.encode(), hashlib.sha1).digest()).decode()


def tc3_authorization(
    body: bytes, *, host: str, content_type: str, service: str, timestamp: int, secret_id: str, secret: str
) -> str:
    """The ``Authorization`` header for Tencent's API 3.0 with POST; ``timestamp`` in Unix seconds."""
    canonical = tc3_request("POST", "", {"content-type": content_type, "host": host}, TC3_SIGNED, _sha256(body))
    scope, signature = _tc3(canonical, service, timestamp, secret)
    return f"{TC3} Credential={secret_id}/{scope}, SignedHeaders={TC3_SIGNED}, Signature={signature}"


def tc3_request(method: str, query: str, headers: Mapping[str, str], signed: str, payload_hash: str) -> str:
    """Tencent's canonical request. ``query`` as it is sent; ``signed`` names the headers that are covered: ``a;b``."""
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in signed.split(";"))
    return "\n".join((method, "/", query, lines, signed, payload_hash))


def tc3_verified(authorization: str, canonicals: Iterable[str], *, timestamp: int, secret_id: str, secret: str) -> bool:
    """Whether the header was made with the secret for one of the canonical requests, under the service it names."""
    found = TC3_AUTHORIZATION.fullmatch(authorization)
    if found is None or found["id"] != secret_id:
        return False
    wanted = [_tc3(one, found["service"], timestamp, secret) for one in canonicals]
    return any(equal(scope, found["scope"]) and equal(signature, found["signature"]) for scope, signature in wanted)


def tc3_signed(authorization: str) -> str:
    """The names of the headers that an ``Authorization`` header says it covers, "" when it is none."""
    found = TC3_AUTHORIZATION.fullmatch(authorization)
    return found["signed"] if found else ""


def _tc3(canonical: str, service: str, timestamp: int, secret: str) -> tuple[str, str]:
    """The scope and the signature in hex."""
    date = utc(timestamp * 1000).strftime("%Y-%m-%d")
    scope = f"{date}/{service}/tc3_request"
    text = "\n".join((TC3, str(timestamp), scope, _sha256(canonical.encode())))
    key = ("TC3" + secret).encode()
    for part in (date, service, "tc3_request"):
        key = _hmac(key, part)
    return scope, _hmac(key, text).hex()


def payload_hash(body: bytes) -> str:
    """SHA-256 of a body in hex (``x-acs-content-sha256``)."""
    return _sha256(body)


def equal(one: str, other: str) -> bool:
    """Whether two signatures are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
