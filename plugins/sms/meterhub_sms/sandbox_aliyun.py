"""A local Aliyun SMS: both signatures, flow control, details, receipts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from meterhub import beijing
from meterhub.clock import utc
from meterhub.sim.faults import Fault
from meterhub.sim.world import World
from meterhub_sms import crypto, telephone
from meterhub_sms.sandbox import BLACK_LISTED, Sent, SmsSandbox
from meterhub_sms.schema import Account

SCHEDULE_S = (60, 300, 600)
WINDOW_MS = 15 * 60_000
NOTICES_A_DAY = 50
MOST_NONCES = 100_000
PHONE = re.compile(r"\+(861\d{10}|(?!86)[1-9]\d{7,14})", re.ASCII)
LARGEST_PAGE = 50
AUTHORIZATION = re.compile(r"ACS3-HMAC-SHA256 Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]{64})")


class Refusal(Exception):
    """An error answer: HTTP status and code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status


class AliyunSandbox(SmsSandbox):
    """The company for one AccessKey."""

    def __init__(self, world: World, account: Account, receipts_url: str = "") -> None:
        super().__init__(world, account, receipts_url, SCHEDULE_S)
        self._nonces: dict[str, None] = {}

    def taken(self, status: int, body: bytes) -> bool:
        """HTTP 200 with a number for a code."""
        try:
            return status == 200 and json.loads(body)["code"] == 0
        except (ValueError, KeyError, TypeError):
            return False

    def operation(self, request: web.Request) -> str:
        """``send`` or ``query``."""
        action = request.headers.get("x-acs-action") or request.query.get("Action", "")
        return "send" if action == "SendSms" else "query"

    def receipt(self, sent: Sent) -> dict[str, Any]:
        """An entry of ``SmsReport``."""
        return {
            "phone_number": sent.to,
            "send_time": beijing.text(sent.sent_ms),
            "report_time": beijing.text(sent.received_ms),
            "success": bool(sent.delivered),
            "err_code": "DELIVERED" if sent.delivered else "MK:0001",
            "err_msg": "用户接收成功" if sent.delivered else "空号",
            "sms_size": "1",
            "biz_id": sent.number,
            "out_id": sent.ours,
        }

    async def answer(self, request: web.Request, body: bytes) -> web.Response:
        """Carry out one call. Business errors come with HTTP 200, errors of the signature with 4xx."""
        params = {**request.query, **{name: str(value) for name, value in (await request.post()).items()}}
        try:
            action = self._proved(request, params, body)
            if self.faults.take(self.operation(request), Fault.BUSY):
                raise Refusal(200, "isp.SYSTEM_ERROR")
            if self.faults.take(self.operation(request), Fault.LIMIT):
                raise Refusal(200, "isv.BUSINESS_LIMIT_CONTROL")
            found = self._send(params) if action == "SendSms" else self._details(params)
        except Refusal as refusal:
            return self._written({"Code": str(refusal), "Message": str(refusal)}, refusal.status)
        return self._written({"Code": "OK", "Message": "OK", **found})

    def _proved(self, request: web.Request, params: Mapping[str, str], body: bytes) -> str:
        """The action of a call whose signature is right, either one. Raises ``Refusal``."""
        if "Signature" in params:
            action, nonce, sent = (
                params.get("Action", ""),
                params.get("SignatureNonce", ""),
                params.get("Timestamp", ""),
            )
            signature = crypto.rpc_signature(request.method, params, self.account.secret)
            right = crypto.equal(signature, params["Signature"]) and params.get("AccessKeyId") == self.account.key_id
        else:
            headers = {name.lower(): value for name, value in request.headers.items()}
            action, nonce = headers.get("x-acs-action", ""), headers.get("x-acs-signature-nonce", "")
            sent, right = headers.get("x-acs-date", ""), self._acs3(request, headers, body)
        if not right:
            raise Refusal(400, "SignatureDoesNotMatch")
        when_ms = beijing.ms(sent.replace("Z", "+00:00"))
        if when_ms is None or abs(when_ms - self.world.clock.now()) > WINDOW_MS:
            raise Refusal(400, "InvalidTimeStamp.Expired")
        if not nonce or nonce in self._nonces:
            raise Refusal(400, "SignatureNonceUsed")
        self._nonces[nonce] = None
        if len(self._nonces) > MOST_NONCES:
            del self._nonces[next(iter(self._nonces))]
        if action not in ("SendSms", "QuerySendDetails"):
            raise Refusal(404, "InvalidAction.NotFound")
        return action

    def _acs3(self, request: web.Request, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the newer signature covers the request: over the headers that it names, whichever they are."""
        found = AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        if found is None or found[1] != self.account.key_id or not set(found[2].split(";")) <= set(headers):
            return False
        told = headers.get("x-acs-content-sha256", "")
        signed = found[2].split(";")
        canonical = crypto.acs3_request(request.method, request.path, dict(request.query), headers, signed, told)
        right = crypto.equal(crypto.acs3_signature(canonical, self.account.secret), found[3])
        return right and told == crypto.payload_hash(body) and {"host", "x-acs-action", "x-acs-date"} <= set(signed)

    def _send(self, params: Mapping[str, str]) -> dict[str, Any]:
        given, template = params.get("PhoneNumbers", "").split(","), params.get("TemplateCode", "")
        if len(given) > 1000:
            raise Refusal(200, "isv.MOBILE_COUNT_OVER_LIMIT")
        if not all(PHONE.fullmatch(telephone.international(one)) for one in given):
            raise Refusal(200, "isv.MOBILE_NUMBER_ILLEGAL")
        numbers = [_bare(one) for one in given]
        if params.get("SignName") != self.account.sign:
            raise Refusal(200, "isv.SMS_SIGNATURE_ILLEGAL")
        if not template.startswith("SMS_"):
            raise Refusal(200, "isv.SMS_TEMPLATE_ILLEGAL")
        filled = _object(params.get("TemplateParam", "{}"))
        if any(one.endswith(BLACK_LISTED) for one in numbers):
            raise Refusal(200, "isv.BLACK_KEY_CONTROL_LIMIT")
        if any(self.sent_to(one, template) >= NOTICES_A_DAY for one in numbers):
            raise Refusal(200, "isv.BUSINESS_LIMIT_CONTROL")
        biz_id = self.number()  # one for all numbers of a call
        for one in numbers:
            self.accept(one, template, filled, params.get("OutId", ""), biz_id)
        return {"BizId": biz_id}

    def _details(self, params: Mapping[str, str]) -> dict[str, Any]:
        number, biz_id, day = _bare(params.get("PhoneNumber", "")), params.get("BizId"), params.get("SendDate")
        size, page = (params.get(name, default) for name, default in (("PageSize", "50"), ("CurrentPage", "1")))
        if not (size.isdigit() and page.isdigit() and 0 < int(size[:9]) <= LARGEST_PAGE and int(page[:9])):
            raise Refusal(200, "isv.INVALID_PARAMETERS")
        begin = (int(page) - 1) * int(size)
        found = [
            one
            for one in self.sent
            if one.to == number and biz_id in (None, "", one.number) and beijing.day(one.sent_ms) == day
        ]
        details = [
            {
                "PhoneNum": one.to,
                "SendStatus": 1 if one.delivered is None else 3 if one.delivered else 2,
                "ErrCode": "" if one.delivered is None else "DELIVERED" if one.delivered else "MK:0001",
                "TemplateCode": one.template,
                "Content": json.dumps(one.params, ensure_ascii=False),
                "SendDate": beijing.text(one.sent_ms),
                "ReceiveDate": beijing.text(one.received_ms) if one.received_ms else "",
                "OutId": one.ours,
            }
            for one in found
        ]
        return {
            "TotalCount": str(len(details)),
            "SmsSendDetailDTOs": {"SmsSendDetailDTO": details[begin : begin + int(size)]},
        }

    def _written(self, content: Mapping[str, Any], status: int = 200) -> web.Response:
        number = f"{utc(self.world.clock.now()):%Y%m%d}-{self.random.getrandbits(48):012X}"
        return web.json_response({**content, "RequestId": number}, status=status)


def _bare(number: str) -> str:
    return telephone.bare(telephone.international(number))


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refusal(200, "isv.INVALID_JSON_PARAM")
    return found
