"""Messages over Aliyun SMS (Dysmsapi 2017-05-25)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from meterhub import beijing
from meterhub.clock import iso
from meterhub.errors import NoticeRejected, ProviderRefused, ProviderUnknown
from meterhub.messages.notifier import Message, MessageState, Notifier, Receipt
from meterhub.money.provider import Notice, NoticeAnswer
from meterhub.texts import mark
from meterhub_sms import crypto, http, outcomes
from meterhub_sms.schema import Account

VERSION = "2017-05-25"
STATES = {1: MessageState.SENT, 2: MessageState.FAILED, 3: MessageState.DELIVERED}
TESTED = mark("The SMS company answered and accepted our key.")


class AliyunSms(Notifier):
    """One AccessKey with one signature. ``ctx`` is the plugin's context."""

    def __init__(self, ctx: Any, account: Account, name: str) -> None:
        self._ctx = ctx
        self._account = account
        self.name = name
        self.receipts_secret = account.receipts_secret

    async def send(self, message: Message) -> str:
        """``SendSms``. Business errors come with HTTP 200, so only ``OK`` counts."""
        template = self._account.template(message.template, message.no)
        params = {name: message.params.get(name, "") for name in template.params}
        answer = await self._call(
            "SendSms",
            {
                "PhoneNumbers": message.to.removeprefix("+86").removeprefix("+"),
                "SignName": self._account.sign,
                "TemplateCode": template.id,
                "TemplateParam": json.dumps(params, ensure_ascii=False),
                "OutId": message.no,
            },
            message.no,
        )
        if not answer.get("BizId"):
            raise ProviderUnknown("Aliyun's answer names no message", where=message.no)
        return str(answer["BizId"])

    async def query(self, message: Message, provider_id: str, sent_ms: int) -> Receipt | None:
        """``QuerySendDetails`` of the day on which it was sent, by Aliyun's number or ours."""
        number = message.to.removeprefix("+86").removeprefix("+")
        asked = {"PhoneNumber": number, "SendDate": beijing.day(sent_ms), "PageSize": "50", "CurrentPage": "1"}
        if provider_id:
            asked["BizId"] = provider_id
        answer = await self._call("QuerySendDetails", asked, message.no)
        details = answer.get("SmsSendDetailDTOs") or {}
        for one in details.get("SmsSendDetailDTO", ()) if isinstance(details, dict) else ():
            if isinstance(one, dict) and one.get("OutId") == message.no and one.get("SendStatus") in STATES:
                reason, when_ms = str(one.get("ErrCode", "")), beijing.ms(str(one.get("ReceiveDate", "")))
                return Receipt(message.no, provider_id, message.to, STATES[one["SendStatus"]], reason, when_ms)
        return None

    def parse_receipts(self, notice: Notice) -> Sequence[Receipt]:
        """A list of ``SmsReport``; it carries no signature."""
        try:
            return [_receipt(one) for one in http.receipts_of(notice.body)]
        except (ValueError, KeyError) as error:
            raise NoticeRejected(f"this is no list of receipts: {type(error).__name__}", "form") from None

    def receipt_answer(self, accepted: bool) -> NoticeAnswer:
        """The code must be a number."""
        content = {"code": 0, "msg": "接收成功"} if accepted else {"code": 1, "msg": "rejected"}
        body = json.dumps(content, ensure_ascii=False).encode()
        return NoticeAnswer(200 if accepted else 400, body, "application/json")

    async def test(self) -> str:
        """Ask after messages of today to a number that is nobody's."""
        nobody = Message("TEST0000", "+8610000000000", "test")
        await self.query(nobody, "", self._ctx.clock.now())
        return TESTED

    async def _call(self, action: str, params: Mapping[str, str], where: str) -> dict[str, Any]:
        if self._account.missing:
            raise ProviderRefused(f"not set: {self._account.missing}", reply="NOT_SET", where="plugins.sms")
        nonce = f"{self._ctx.clock.random.getrandbits(128):032x}"
        older = self._account.older_signature
        url, headers = self._older(action, params, nonce) if older else self._signed(action, params, nonce)
        status, content = await http.ask(self._ctx, url, b"", headers, where)
        code = str(content.get("Code", ""))
        if status == 200 and code == "OK":
            return content
        if status >= 500:
            raise ProviderUnknown(f"Aliyun answered HTTP {status} {code[:80]}", where=where)
        raise outcomes.error_of(code, str(content.get("Message", "")), where)

    def _signed(self, action: str, params: Mapping[str, str], nonce: str) -> tuple[str, dict[str, str]]:
        """Address and headers with the newer signature: parameters in the query, an empty body."""
        headers = {
            "host": urlsplit(self._account.endpoint).netloc,
            "x-acs-action": action,
            "x-acs-content-sha256": crypto.payload_hash(b""),
            "x-acs-date": _now(self._ctx),
            "x-acs-signature-nonce": nonce,
            "x-acs-version": VERSION,
        }
        key = {"key_id": self._account.key_id, "secret": self._account.secret}
        headers["Authorization"] = crypto.acs3_authorization("POST", "/", params, headers, b"", **key)
        return f"{self._account.endpoint}/?{_query(params)}", headers

    def _older(self, action: str, params: Mapping[str, str], nonce: str) -> tuple[str, dict[str, str]]:
        """Address with the older signature among the parameters."""
        every = {
            **params,
            "AccessKeyId": self._account.key_id,
            "Action": action,
            "Format": "JSON",
            "SignatureMethod": "HMAC-SHA1",
            "SignatureNonce": nonce,
            "SignatureVersion": "1.0",
            "Timestamp": _now(self._ctx),
            "Version": VERSION,
        }
        every["Signature"] = crypto.rpc_signature("POST", every, self._account.secret)
        return f"{self._account.endpoint}/?{_query(every)}", {}


def _now(ctx: Any) -> str:
    return f"{iso(ctx.clock.now())[:19]}Z"


def _query(params: Mapping[str, str]) -> str:
    return "&".join(f"{crypto.encoded(name)}={crypto.encoded(value)}" for name, value in params.items())


def _receipt(one: Mapping[str, Any]) -> Receipt:
    if type(one.get("success")) is not bool:
        raise ValueError("success")
    state = MessageState.DELIVERED if one["success"] else MessageState.FAILED
    number = str(one["phone_number"])
    to = number if number.startswith("+") else f"+86{number}"
    when_ms = beijing.ms(str(one.get("report_time", "")))
    return Receipt(
        str(one.get("out_id") or ""), str(one["biz_id"]), to, state, str(one.get("err_code", ""))[:80], when_ms
    )
