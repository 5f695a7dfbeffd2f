"""Messages over Tencent SMS (API 3.0, version 2021-01-11)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from meterhub import beijing
from meterhub.errors import ProviderRefused, ProviderUnknown
from meterhub.messages.notifier import Message, MessageState, Notifier, Receipt
from meterhub.money.provider import Notice, NoticeAnswer
from meterhub_sms import crypto, http, outcomes
from meterhub_sms.aliyun import TESTED
from meterhub_sms.schema import Account

VERSION = "2021-01-11"
CONTENT_TYPE = "application/json"
STATES = {"SUCCESS": MessageState.DELIVERED, "FAIL": MessageState.FAILED}


class TencentSms(Notifier):
    """One key with one SDK app and one signature. ``ctx`` is the plugin's context."""

    def __init__(self, ctx: Any, account: Account, name: str) -> None:
        self._ctx = ctx
        self._account = account
        self.name = name
        self.receipts_secret = account.receipts_secret

    async def send(self, message: Message) -> str:
        """``SendSms``: there is one status per number, and only ``Ok`` counts. Parameters go by position."""
        template = self._account.template(message.template, message.no)
        answer = await self._call(
            "SendSms",
            {
                "PhoneNumberSet": [message.to],
                "SmsSdkAppId": self._account.app_id,
                "SignName": self._account.sign,
                "TemplateId": template.id,
                "TemplateParamSet": [message.params.get(name, "") for name in template.params],
                "SessionContext": message.no,
            },
            message.no,
        )
        statuses = answer.get("SendStatusSet")
        one = statuses[0] if isinstance(statuses, list) and len(statuses) == 1 else {}
        if not isinstance(one, dict) or not one.get("Code"):
            raise ProviderUnknown("Tencent's answer has no status of this message", where=message.no)
        if one["Code"] != "Ok":
            raise outcomes.error_of(str(one["Code"]), str(one.get("Message", "")), message.no)
        return str(one.get("SerialNo", ""))

    async def query(self, message: Message, provider_id: str, sent_ms: int) -> Receipt | None:
        """``PullSmsSendStatusByPhoneNumber`` from the moment it was sent."""
        asked = {
            "PhoneNumber": message.to,
            "SmsSdkAppId": self._account.app_id,
            "BeginTime": sent_ms // 1000 - 60,
            "Offset": 0,
            "Limit": 100,
        }
        answer = await self._call("PullSmsSendStatusByPhoneNumber", asked, message.no)
        for one in answer.get("PullSmsSendStatusSet") or ():
            state = STATES.get(str(one.get("ReportStatus"))) if isinstance(one, dict) else None
            ours = state is not None and provider_id and one.get("SerialNo") == provider_id
            if state is not None and (ours or one.get("SessionContext") == message.no):
                when_s = one.get("UserReceiveTime")
                when_ms = when_s * 1000 if isinstance(when_s, int) else None
                number = str(one.get("SerialNo", provider_id))
                return Receipt(message.no, number, message.to, state, str(one.get("Description", ""))[:80], when_ms)
        return None

    def parse_receipts(self, notice: Notice) -> Sequence[Receipt]:
        """A list of reports; it carries no signature."""
        return http.receipts(notice.body, _receipt)

    def receipt_answer(self, accepted: bool) -> NoticeAnswer:
        """``result`` 0 when taken."""
        content = {"result": 0, "errmsg": "OK"} if accepted else {"result": 1, "errmsg": "rejected"}
        return NoticeAnswer(200 if accepted else 400, json.dumps(content).encode(), "application/json")

    async def test(self) -> str:
        """Ask after messages to a number that is nobody's."""
        await self.query(Message("TEST0000", "+8610000000000", "test"), "", self._ctx.clock.now())
        return TESTED

    async def _call(self, action: str, content: Mapping[str, Any], where: str) -> dict[str, Any]:
        account = self._account
        if account.missing:
            raise ProviderRefused(f"not set: {account.missing}", reply="NOT_SET", where="plugins.sms")
        body = json.dumps(content, ensure_ascii=False).encode()
        host, timestamp = urlsplit(account.endpoint).netloc, self._ctx.clock.now() // 1000
        authorization = crypto.tc3_authorization(
            body, host=host, content_type=CONTENT_TYPE, service="sms", timestamp=timestamp,
            secret_id=account.key_id, secret=account.secret,
        )  # fmt: skip
        headers = {
            "Host": host,
            "Content-Type": CONTENT_TYPE,
            "X-TC-Action": action,
            "X-TC-Version": VERSION,
            "X-TC-Region": account.region,
            "X-TC-Timestamp": str(timestamp),
            "Authorization": authorization,
        }
        status, answer = await http.ask(self._ctx, f"{account.endpoint}/", body, headers, where)
        response = answer.get("Response")
        if status != 200 or not isinstance(response, dict):
            raise ProviderUnknown(f"Tencent answered HTTP {status}", where=where)
        error = response.get("Error")
        if error is not None:
            code, message = (error.get("Code"), error.get("Message")) if isinstance(error, dict) else ("", "")
            raise outcomes.error_of(str(code or ""), str(message or ""), where)
        return response


def _receipt(one: Mapping[str, Any]) -> Receipt:
    state = STATES.get(str(one["report_status"]))
    if state is None:
        raise ValueError("report_status")
    mobile, country = str(one["mobile"]), str(one.get("nationcode") or "86").removeprefix("+")
    to = mobile if mobile.startswith("+") else f"+{country}{mobile}"
    when_ms = beijing.ms(str(one.get("user_receive_time", "")))
    return Receipt("", str(one["sid"]), to, state, str(one.get("errmsg", ""))[:80], when_ms)
