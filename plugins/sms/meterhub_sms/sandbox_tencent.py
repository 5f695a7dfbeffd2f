"""A local Tencent SMS: TC3 signatures, one status per number, limits, pulled states and receipts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from meterhub import beijing
from meterhub.sim.faults import Fault
from meterhub.sim.world import World
from meterhub_sms import crypto
from meterhub_sms.sandbox import BLACK_LISTED, Sent, SmsSandbox
from meterhub_sms.schema import Account

SCHEDULE_S = (60, 300, 600)
WINDOW_S = 300
SAME_CONTENT_MS = 30_000
LARGEST_PULL = 100
PHONE = re.compile(r"\+\d{6,15}", re.ASCII)


class Refusal(Exception):
    """An error of the whole call, by its code."""


class TencentSandbox(SmsSandbox):
    """The company for one key."""

    def __init__(self, world: World, account: Account, receipts_url: str = "") -> None:
        super().__init__(world, account, receipts_url, SCHEDULE_S)

    def taken(self, status: int, body: bytes) -> bool:
        """``result`` 0."""
        try:
            return status == 200 and json.loads(body)["result"] == 0
        except (ValueError, KeyError, TypeError):
            return False

    def operation(self, request: web.Request) -> str:
        """``send`` or ``query``."""
        return "send" if request.headers.get("X-TC-Action") == "SendSms" else "query"

    def receipt(self, sent: Sent) -> dict[str, Any]:
        """An entry of the status callback."""
        return {
            "user_receive_time": beijing.text(sent.received_ms),
            "nationcode": "86",
            "mobile": sent.to.removeprefix("+86"),
            "report_status": "SUCCESS" if sent.delivered else "FAIL",
            "errmsg": "DELIVRD" if sent.delivered else "UNDELIV",
            "description": "用户短信送达成功" if sent.delivered else "空号",
            "sid": sent.number,
        }

    async def answer(self, request: web.Request, body: bytes) -> web.Response:
        """Carry out one call; always HTTP 200, and its kind of content is what the official program insists on."""
        try:
            content = self._proved(request, body)
            if self.faults.take(self.operation(request), Fault.BUSY):
                raise Refusal("InternalError.Timeout")
            if self.faults.take(self.operation(request), Fault.LIMIT):
                raise Refusal("RequestLimitExceeded")
            found = self._send(content) if self.operation(request) == "send" else self._pull(content)
        except Refusal as refusal:
            found = {"Error": {"Code": str(refusal), "Message": str(refusal)}}
        number = f"{self.random.getrandbits(128):032x}"
        text = json.dumps({"Response": {**found, "RequestId": number}}, ensure_ascii=False)
        return web.Response(body=text.encode(), headers={"Content-Type": "application/json"})

    def _proved(self, request: web.Request, body: bytes) -> Mapping[str, Any]:
        """The content of a call whose signature is right. Raises ``Refusal``."""
        timestamp = request.headers.get("X-TC-Timestamp", "")
        if not timestamp.isdigit() or len(timestamp) > 12:
            raise Refusal("InvalidParameter")
        if abs(int(timestamp) - self.world.clock.now() // 1000) > WINDOW_S:
            raise Refusal("AuthFailure.SignatureExpire")
        if not self._signed(request, body, int(timestamp)):
            raise Refusal("AuthFailure.SignatureFailure")
        if request.headers.get("X-TC-Action") not in ("SendSms", "PullSmsSendStatusByPhoneNumber"):
            raise Refusal("InvalidAction")
        content = _content(request, body)
        if content.get("SmsSdkAppId") != self.account.app_id:
            raise Refusal("UnauthorizedOperation.SmsSdkAppIdVerifyFail")
        return content

    def _signed(self, request: web.Request, body: bytes, timestamp: int) -> bool:
        """Whether the signature covers the request: over the headers that it names, whichever they are.

        Programs differ in whether the host that they sign has the port, which the company itself has not, and in
        whether values go in small letters; and one takes the service from the host's first label.
        """
        headers = {name.lower(): value for name, value in request.headers.items()}
        given = headers.get("authorization", "")
        signed = crypto.tc3_signed(given)
        if not {"content-type", "host"} <= set(signed.split(";")) <= set(headers):
            return False
        written = [{**headers, "host": one} for one in (headers["host"], headers["host"].partition(":")[0])]
        written += [{name: value.lower() for name, value in one.items()} for one in written]
        query, hashed = request.rel_url.raw_query_string, crypto.payload_hash(body)
        canonicals = [crypto.tc3_request(request.method, query, one, signed, hashed) for one in written]
        key = {"secret_id": self.account.key_id, "secret": self.account.secret}
        return crypto.tc3_verified(given, canonicals, timestamp=timestamp, **key)

    def _send(self, content: Mapping[str, Any]) -> dict[str, Any]:
        numbers = content.get("PhoneNumberSet")
        if not isinstance(numbers, list) or not 0 < len(numbers) <= 200:
            raise Refusal("LimitExceeded.PhoneNumberCountLimit")
        if content.get("SignName") != self.account.sign:
            raise Refusal("FailedOperation.SignatureIncorrectOrUnapproved")
        return {"SendStatusSet": [self._status(str(number), content) for number in numbers]}

    def _status(self, number: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """The status of one number."""
        params, ours = content.get("TemplateParamSet") or [], str(content.get("SessionContext", ""))
        code, serial = self._refusal(number, content, params), ""
        if not code:
            serial = self.accept(number, str(content.get("TemplateId")), params, ours).number
        said = {"SerialNo": serial, "PhoneNumber": number, "Fee": 0 if code else 1, "SessionContext": ours}
        return {**said, "Code": code or "Ok", "Message": code or "send success", "IsoCode": "CN"}

    def _refusal(self, number: str, content: Mapping[str, Any], params: Any) -> str:
        template = str(content.get("TemplateId"))
        if not PHONE.fullmatch(number):
            return "InvalidParameterValue.IncorrectPhoneNumber"
        if not isinstance(params, list) or not all(isinstance(one, str) for one in params):
            return "InvalidParameterValue.TemplateParameterFormatError"
        if number.endswith(BLACK_LISTED):
            return "FailedOperation.PhoneNumberInBlacklist"
        since_ms = self.world.clock.now() - SAME_CONTENT_MS
        same = (one for one in self.sent if (one.to, one.template, one.params) == (number, template, params))
        if any(one.sent_ms > since_ms for one in same):
            return "LimitExceeded.PhoneNumberThirtySecondLimit"
        return ""

    def _pull(self, content: Mapping[str, Any]) -> dict[str, Any]:
        since_ms, begin, most = (_whole(content, name) for name in ("BeginTime", "Offset", "Limit"))
        since_ms *= 1000
        found = [
            {
                "UserReceiveTime": one.received_ms // 1000,
                "CountryCode": "86",
                "SubscriberNumber": one.to.removeprefix("+86"),
                "PhoneNumber": one.to,
                "SerialNo": one.number,
                "ReportStatus": "SUCCESS" if one.delivered else "FAIL",
                "Description": "DELIVRD" if one.delivered else "UNDELIV",
                "SessionContext": one.ours,
            }
            for one in self.sent
            if one.to == content.get("PhoneNumber") and one.sent_ms >= since_ms and one.delivered is not None
        ]
        return {"PullSmsSendStatusSet": found[begin : begin + min(most or LARGEST_PULL, LARGEST_PULL)]}


def _content(request: web.Request, body: bytes) -> dict[str, Any]:
    """The parameters of a call: JSON, or with GET the query, in which lists are numbered. Raises ``Refusal``."""
    if request.method == "GET":
        found: dict[str, Any] = {}
        for name, value in request.query.items():
            base, _, place = name.partition(".")
            if place:
                found.setdefault(base, []).append(value)
            else:
                found[base] = value
        return found
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise Refusal("InvalidParameter")
    return content


def _whole(content: Mapping[str, Any], name: str) -> int:
    """A whole number that is not below zero. Raises ``Refusal``."""
    found = str(content.get(name, 0))
    if not (found.isascii() and found.isdigit() and len(found) < 12):
        raise Refusal(f"InvalidParameterValue.{name}")
    return int(found)
