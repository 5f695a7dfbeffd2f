"""How the Alipay sandbox reads requests and writes answers: charsets, encrypted content, signatures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from aiohttp import web

from meterhub import rsa_keys
from meterhub.errors import NotGenuine
from meterhub.sim.faults import Fault, Faults
from meterhub_alipay import crypto
from meterhub_alipay.sandbox_trades import Refusal

if TYPE_CHECKING:
    from meterhub_alipay.sandbox import Merchant

MESSAGES = {"10000": "Success", "20000": "Service Currently Unavailable", "40002": "Invalid Arguments"}


async def params_of(request: web.Request) -> dict[str, str]:
    """The parameters of query and body together, in the charset that the query or the body itself names."""
    raw = request.rel_url.raw_query_string
    body = await request.read()
    found = _pairs(raw, "latin-1") | _pairs(body.decode("latin-1"), "latin-1")
    charset = crypto.charset_of(found)
    return _pairs(raw, charset) | _pairs(body.decode("latin-1"), charset)


def content_of(params: Mapping[str, str], merchant: Merchant) -> dict[str, Any]:
    """What a call is about, decrypted if need be. Raises ``Refusal`` for what cannot be read."""
    text = params.get("biz_content") or "{}"
    if params.get("encrypt_type"):
        try:
            text = crypto.decrypt_content(text, merchant.aes_key)
        except NotGenuine:
            raise Refusal("isv.decryption-error-not-valid-key") from None
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Refusal("isv.invalid-parameter")
    return content


def signed(merchant: Merchant, params: Mapping[str, str], content: Mapping[str, Any], faults: Faults) -> web.Response:
    """An answer, signed as Alipay does it, unless a fault of its signature is planned for the method."""
    method, charset = params.get("method", ""), crypto.charset_of(params)
    node, text = crypto.node_of(method), _sealed(content, params, merchant)
    if faults.take(method, Fault.UNSIGNED):
        return _text(f'{{"{node}":{text}}}', charset)
    sign = rsa_keys.sign(merchant.alipay, text.encode(charset, "replace"))
    if faults.take(method, Fault.FORGED):
        text = _sealed({**content, "code": "10000", "total_amount": "0.01"}, params, merchant)
    number = ""
    if merchant.certificate is not None and not merchant.in_key_mode(params):
        number = f'"alipay_cert_sn":"{crypto.certificate_number(merchant.certificate)}",'
    return _text(f'{{"{node}":{text},{number}"sign":"{sign}"}}', charset)


def unsigned(method: str, reason: str) -> web.Response:
    """The answer to somebody who is not known."""
    return _text(f'{{"{crypto.node_of(method)}":{_written(failure("40002", reason))}}}', "utf-8")


def failure(code: str, reason: str) -> dict[str, Any]:
    """The content of an answer that is no success."""
    return {"code": code, "msg": MESSAGES.get(code, "Business Failed"), "sub_code": reason, "sub_msg": reason}


def _pairs(text: str, charset: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True, encoding=charset, errors="replace"))


def _sealed(content: Mapping[str, Any], params: Mapping[str, str], merchant: Merchant) -> str:
    """An encrypted question gets an encrypted answer: a text in place of the object, and signed with its quotes."""
    text = _written(content)
    if not params.get("encrypt_type") or not merchant.aes_key:
        return text
    return f'"{crypto.encrypt_content(text, merchant.aes_key)}"'


def _written(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")


def _text(text: str, charset: str) -> web.Response:
    return web.Response(body=text.encode(charset, "replace"), headers={"Content-Type": f"text/html;charset={charset}"})
