"""Messages over Aliyun SMS (Dysmsapi 2017-05-25)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from meterhub import beijing
from meterhub.clock import iso
from meterhub.errors import ProviderRefused, ProviderUnknown
from meterhub.messages.notifier import Message, MessageState, Notifier, Receipt
from meterhub.money.provider import Notice, NoticeAnswer
from meterhub.texts import mark
from meterhub_sms import crypto, http, outcomes, telephone
from meterhub_sms.schema import Account

VERSION = "2017-05-25"
STATES = {"1": MessageState.SENT, "2": MessageState.FAILED, "3": MessageState.DELIVERED}
DELIVERED = {"true": True, "false": False}
PAGE_SIZE, MOST_PAGES = 50, 4
"""As many as one number can get on a day, and more."""
MARGIN_MS = 5 * 60_000
"""What is sent about midnight may be of the day before or after at the company."""
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
                "PhoneNumbers": telephone.bare(message.to),
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
        for day in dict.fromkeys(beijing.day(sent_ms + about_ms) for about_ms in (0, -MARGIN_MS, MARGIN_MS)):
            for page in range(1, MOST_PAGES + 1):
                details = await self._details(message, provider_id, day, page)
                for one in details:
                    if (receipt := _told(one, message, provider_id)) is not None:
                        return receipt
                if len(details) < PAGE_SIZE:
                    break
        return None

    async def _details(self, message: Message, provider_id: str, day: str, page: int) -> list[Any]:
        asked = {"PhoneNumber": telephone.bare(message.to), "SendDate": day}
        asked |= {"PageSize": str(PAGE_SIZE), "CurrentPage": str(page)}
        if provider_id:
            asked["BizId"] = provider_id
        found = (await self._call("QuerySendDetails", asked, message.no)).get("SmsSendDetailDTOs")
        details = found.get("SmsSendDetailDTO") if isinstance(found, dict) else None
        return details if isinstance(details, list) else []

    def parse_receipts(self, notice: Notice) -> Sequence[Receipt]:
        """A list of ``SmsReport``; it carries no signature."""
        return http.receipts(notice.body, _receipt)

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
        if status >= 500 or code == "OK":  # what is said twice, and not the same, says nothing
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


def _told(one: Any, message: Message, provider_id: str) -> Receipt | None:
    """What one row of the details says of the message, None when it is of another one; OutId may be left out."""
    if not isinstance(one, dict) or (one.get("OutId") or (message.no if provider_id else "")) != message.no:
        return None
    state = STATES.get(str(one.get("SendStatus")))
    reason, when_ms = str(one.get("ErrCode", "")), beijing.ms(str(one.get("ReceiveDate", "")))
    return Receipt(message.no, provider_id, message.to, state, reason, when_ms) if state else None


def _receipt(one: Mapping[str, Any]) -> Receipt:
    state = MessageState.DELIVERED if DELIVERED[str(one["success"]).lower()] else MessageState.FAILED
    to, when_ms = telephone.international(str(one["phone_number"])), beijing.ms(str(one.get("report_time", "")))
    return Receipt(
        str(one.get("out_id") or ""), str(one["biz_id"]), to, state, str(one.get("err_code", ""))[:80], when_ms
    )
