"""The notices of the WeChat Pay sandbox: what one says, sealed and signed as WeChat Pay does it. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meterhub import beijing
from meterhub.sim.courier import Letter
from meterhub_wechat import crypto
from meterhub_wechat.sandbox_orders import Order, Refund, refund_content

if TYPE_CHECKING:
    from random import Random

    from meterhub_wechat.sandbox import Merchant, PlatformKey


@dataclass(frozen=True, slots=True)
class Tidings:
    """What is to be told: ``event`` with its ``resource``, under one ``number`` however often it is sent."""

    number: str
    event: str
    resource: Mapping[str, Any]
    url: str


def letter_of(tidings: Tidings, merchant: Merchant, key: PlatformKey, now_ms: int, random: Random) -> Letter:
    """A notice, sealed and signed anew."""
    kind = tidings.event.partition(".")[0].lower()
    nonce = f"{random.getrandbits(48):012x}"
    sealed = crypto.encrypt(written(tidings.resource), merchant.apiv3_key, nonce=nonce, associated_data=kind)
    head = {"id": tidings.number, "create_time": beijing.rfc3339(now_ms), "event_type": tidings.event}
    seal = {
        "resource_type": "encrypt-resource",
        "summary": tidings.event,
        "resource": {"original_type": kind, **sealed},
    }
    body = written({**head, **seal})
    headers = {**signature(key, body, now_ms // 1000, random), "Content-Type": "application/json"}
    probe = {**headers, "Wechatpay-Signature": crypto.PROBE + headers["Wechatpay-Signature"]}
    forged = Letter(tidings.url, headers, body.replace(b"encrypt-resource", b"encrypt_resource"))
    return Letter(tidings.url, headers, body, forged=forged, probe=Letter(tidings.url, probe, body))


def signature(key: PlatformKey, body: bytes, now_s: int, random: Random) -> dict[str, str]:
    """The headers that prove an answer or a notice."""
    nonce = f"{random.getrandbits(128):032x}"
    signed = crypto.sign_answer(body, key=key.private, serial=key.serial, timestamp=str(now_s), nonce=nonce)
    return {**signed, "Request-ID": f"08{random.getrandbits(80):020X}"}


def refund_notice(order: Order, refund: Refund) -> dict[str, Any]:
    """A refund as notices show it: its state under another name, and no currency."""
    found = refund_content(order, refund)
    amounts = {name: found["amount"][name] for name in ("total", "refund", "payer_total", "payer_refund")}
    kept = ("out_trade_no", "transaction_id", "out_refund_no", "refund_id", "success_time", "user_received_account")
    shown = {name: found[name] for name in kept if name in found}
    return {"mchid": order.content["mchid"], **shown, "refund_status": refund.status, "amount": amounts}


def changed(resource: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """``resource`` with other members; objects are changed within, and what is changed to null is left out."""
    found = dict(resource)
    for name, value in change.items():
        within = found.get(name)
        found[name] = changed(within, value) if isinstance(within, dict) and isinstance(value, Mapping) else value
    return {name: value for name, value in found.items() if value is not None}


def written(content: Mapping[str, Any]) -> bytes:
    """JSON as WeChat Pay writes it."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
