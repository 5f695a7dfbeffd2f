"""The actions of money: what managers do at the counter, for pages, the API and scripts alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import voluptuous as vol

from meterhub.actions import Action, Call, Danger
from meterhub.errors import BadInput, NotAllowed
from meterhub.money.accounts import Opening
from meterhub.money.amount import parse_yuan
from meterhub.money.approvals import Deed
from meterhub.money.purse import PurseReading
from meterhub.money.room import Money
from meterhub.money.states import Mode
from meterhub.office.deeds import DEEDS
from meterhub.office.message_room import telephone
from meterhub.office.redirects import NAME as REDIRECT
from meterhub.office.redirects import Redirects, card_of
from meterhub.store.engine import Row

DECISIONS = ("arrived", "not_arrived", "adopt_count", "send_again")
UTILITIES = {"energy": "energy", "volume": "water", "heat": "heat", "gas": "gas"}


def _title(en: str, zh: str, ja: str) -> Mapping[str, str]:
    return {"en": en, "zh": zh, "ja": ja}


class MoneyActions:
    """The handlers of the ``money.*`` actions. ``gives_back(meter)``: whether a meter can take credit off again."""

    def __init__(self, money: Money, gives_back: Callable[[str], bool]) -> None:
        self._gives_back = gives_back
        self._money = money
        self._counter = money.counter
        self._redirects = Redirects(money)

    def actions(self) -> list[Action]:
        """The actions to register."""
        return [*self._selling(), *self._judging(), *self._deciding()]

    def _selling(self) -> list[Action]:
        sell = "money.sell"
        return [
            Action(
                "money.open_account", _title("Open account", "开户", "口座開設"), sell, self.open_account,
                target="meter", danger=Danger.CONFIRM,
                schema={
                    vol.Required("mode"): vol.In([str(one) for one in Mode]),
                    vol.Optional("holder", default=""): str,
                    vol.Optional("phone", default=""): str,
                },
            ),
            Action(
                "money.sell", _title("Sell credit for cash", "现金充值", "現金で販売"), sell, self.sell,
                target="meter", danger=Danger.CONFIRM, schema={vol.Required("amount"): str},
            ),
            Action(
                "money.renew_link", _title("Renew tenant's link", "更换缴费链接", "支払リンクを更新"), sell,
                self.renew_link, danger=Danger.CONFIRM, schema={vol.Required("account"): str},
            ),
            Action(
                "money.freeze_account", _title("Take no more orders", "停止充值", "受付停止"), sell, self.freeze,
                danger=Danger.CONFIRM, schema={vol.Required("account"): str},
            ),
            Action(
                "money.test_merchant", _title("Test payment account", "测试商户号", "加盟店口座を試す"), "money.view",
                self.test, schema={vol.Required("account"): str}, durable=False,
            ),
        ]  # fmt: skip

    def _judging(self) -> list[Action]:
        decide, reason = "money.decide", {vol.Required("reason"): str}
        return [
            Action(
                "money.refund", _title("Give money back", "退款", "返金"), decide, self.refund, danger=Danger.REASON,
                schema={vol.Required("payment"): int, vol.Required("amount"): str, **reason},
            ),
            Action(
                REDIRECT,
                _title("Send refund to a bank card", "退款至银行卡", "銀行カードへ返金"), decide, self.redirect_refund,
                danger=Danger.CONFIRM, durable=False, secret=True,  # a card's number is not kept
                schema={
                    vol.Required("refund"): str,
                    **{vol.Optional(name, default=""): str for name in ("bank", "card", "holder", "reason")},
                },
            ),
            Action(
                "money.apply_late", _title("Credit a late payment", "补入迟到付款", "遅延入金を充当"), decide,
                self.apply_late, danger=Danger.CONFIRM,
                schema={vol.Required("payment"): int, vol.Optional("reason", default=""): str},
            ),
            Action(
                "money.settle_case", _title("Close a case", "结案", "案件を閉じる"), decide, self.settle_case,
                danger=Danger.REASON, schema={vol.Required("case"): int, **reason},
            ),
            Action(
                "money.decide_delivery", _title("Decide a delivery", "处理充值下发", "入金配信を決める"), decide,
                self.decide_delivery, danger=Danger.REASON,
                schema={vol.Required("order"): str, vol.Required("decision"): vol.In(DECISIONS), **reason},
            ),
        ]  # fmt: skip

    def _deciding(self) -> list[Action]:
        decide, reason = "money.decide", {vol.Required("reason"): str}
        return [
            Action(
                "money.charge", _title("Book consumption by hand", "手工记账用量", "使用量を手入力"), decide,
                self.charge, danger=Danger.REASON,
                schema={vol.Required("account"): str, vol.Required("amount"): str, **reason},
            ),
            Action(
                "money.approve", _title("Approve as a second person", "第二人审批", "二人目として承認"), decide,
                self.approve, danger=Danger.CONFIRM,
                schema={vol.Required("approval"): int, vol.Required("decision"): vol.In(("approve", "refuse"))},
            ),
            Action(
                "money.close_account", _title("Close account", "销户", "口座閉鎖"), decide, self.close,
                danger=Danger.REASON,
                schema={vol.Required("account"): str, vol.Optional("meter_credit", default="0"): str},
            ),
        ]  # fmt: skip

    async def open_account(self, call: Call) -> dict[str, Any]:
        """Read the meter's purse where it has one, and open an account of the wanted mode."""
        device, mode = call.target, Mode(call.params["mode"])
        count = None
        if mode is Mode.METER:
            if "meter.credit" not in device.commands:
                raise BadInput(f"{device.id} keeps no credit itself", hint="choose server or postpaid")
            call.sent()
            answer = await self._money.ask("meter.balance", device.id, {}, "", str(call.cause))
            if not answer.ok:
                raise BadInput(f"the purse of {device.id} cannot be read: {answer.message}", hint="try again later")
            purse = PurseReading.of(answer.result)
            if purse.unit != "yuan":
                raise BadInput(f"{device.id} keeps no money, it sells {purse.unit}", hint="choose server or postpaid")
            count = purse.count
        opening = Opening(
            device.id, device.operator, device.scope, mode, self._money.new_link(), call.actor.id,
            utility=self._utility(device), holder=call.params["holder"], purchase_count=count,
            phone=telephone(call.params["phone"]),
        )  # fmt: skip
        account = await self._counter.open_account(opening)
        return {"account": account["id"], "link": f"/pay/{account['link']}"}

    async def sell(self, call: Call) -> dict[str, Any]:
        """Sell for cash; the run's key is the order's, so that pressing twice is one sale."""
        account = await self._money.one("money.account_of_meter", name=call.target.id)
        fen = parse_yuan(call.params["amount"])
        params = {"account": account["id"], "fen": fen, "key": _key(call)}
        return await self._do(call, account["id"], account["scope"], params, fen)

    async def refund(self, call: Call) -> dict[str, Any]:
        """Give a payment, or part of it, back. ``refund`` is None while the meter has to give the credit back first."""
        payment = await self._money.one("money.payment", id=call.params["payment"])
        scope = await self._allowed(call, payment["order_no"])
        fen = parse_yuan(call.params["amount"])
        orders = await self._money.all("money.order", no=payment["order_no"])
        gives_back = bool(orders) and self._gives_back(orders[0]["meter"])
        params = {"payment": payment["id"], "fen": fen, "reason": call.params["reason"], "meter_gives_back": gives_back}
        return await self._do(call, payment["order_no"], scope, params, fen)

    async def redirect_refund(self, call: Call) -> dict[str, Any]:
        """Send a refund that cannot reach the payer to a card, or without one to the merchant's own bank account."""
        refund = await self._money.one("money.refund", no=call.params["refund"])
        scope, card = await self._allowed(call, refund["order_no"]), card_of(call.params)
        fen = int(refund["amount_fen"])
        if not self._needs_second(call, fen):
            return await self._redirects.send(refund["no"], card, call.actor.id)
        params = {"refund": refund["no"], "to": "" if card is None else f"**** {card.number[-4:]}"}
        return await self._redirects.ask(refund, card, self._deed(call, refund["order_no"], scope, params, fen))

    async def apply_late(self, call: Call) -> dict[str, Any]:
        """Let a late payment do what its order wanted."""
        payment = await self._money.one("money.payment", id=call.params["payment"])
        order = payment["order_no"]
        scope = await self._allowed(call, order)
        return await self._do(call, order, scope, {**call.params, "order": order}, int(payment["amount_fen"]))

    async def settle_case(self, call: Call) -> dict[str, Any]:
        """Close a case about which nothing is left to do here."""
        case = await self._money.one("cases.one", id=call.params["case"])
        await self._allowed(call, case["order_no"])
        await self._counter.settle_case(case["id"], call.params["reason"], call.actor.id)
        return {"case": case["id"]}

    async def decide_delivery(self, call: Call) -> dict[str, Any]:
        """Decide on a delivery that waits for a person."""
        order, decision = call.params["order"], call.params["decision"]
        scope = await self._allowed(call, order)
        found = await self._money.all("money.delivery_to_decide", order_no=order)
        fen = found[0]["amount_fen"] if found and decision in ("arrived", "not_arrived") else 0
        return await self._do(call, order, scope, dict(call.params), fen)

    async def renew_link(self, call: Call) -> dict[str, Any]:
        """Another address for the tenant's page: the sticker was photographed, or the tenant has moved."""
        await self._account_allowed(call)
        account = await self._counter.renew_link(call.params["account"], self._money.new_link(), call.actor.id)
        return {"link": f"/pay/{account['link']}"}

    async def charge(self, call: Call) -> dict[str, Any]:
        """Book what was used on an account of server mode or postpaid; the run's key names the charge for ever."""
        account = await self._account_allowed(call)
        fen = parse_yuan(call.params["amount"])
        params = {**call.params, "fen": fen, "ref": f"by-hand/{_key(call)}"}
        return await self._do(call, account["id"], account["scope"], params, fen)

    async def freeze(self, call: Call) -> dict[str, Any]:
        """The first step to the end of an account."""
        await self._account_allowed(call)
        account = await self._counter.freeze(call.params["account"], call.actor.id)
        return {"state": account["state"]}

    async def close(self, call: Call) -> dict[str, Any]:
        """The last step to the end of an account."""
        account = await self._account_allowed(call)
        fen = parse_yuan(call.params["meter_credit"])
        return await self._do(call, account["id"], account["scope"], {"account": account["id"], "fen": fen}, fen)

    async def approve(self, call: Call) -> dict[str, Any]:
        """Carry out, or refuse, what somebody else asked for."""
        approval = await self._money.one("approvals.one", id=call.params["approval"])
        self._at(call, approval["scope"])
        if call.params["decision"] == "refuse":
            await self._money.refuse(approval["id"], call.actor.id)
            self._redirects.forget(approval["id"])
            return {"state": "refused"}
        if approval["action"] == REDIRECT:
            return await self._redirects.approved(approval, call.actor.id)
        counter = self._money.approved(approval["id"], call.actor.id)
        return await DEEDS[approval["action"]](counter, json.loads(approval["params_json"]), approval["asked_by"])

    async def _do(self, call: Call, about: str, scope: str, params: Mapping[str, Any], fen: int) -> dict[str, Any]:
        """Carry a deed out; over the limit keep it for a second person, and return ``approval``, its number."""
        if not self._needs_second(call, fen):
            return await DEEDS[call.action.name](self._counter, params, call.actor.id)
        return {"approval": (await self._money.ask_second(self._deed(call, about, scope, params, fen)))["id"]}

    def _needs_second(self, call: Call, fen: int) -> bool:
        limit = self._money.policy.two_people_fen
        return 0 < limit < fen and call.actor.id.startswith("user:")

    def _deed(self, call: Call, about: str, scope: str, params: Mapping[str, Any], fen: int) -> Deed:
        reason = str(call.params.get("reason", ""))
        return Deed(call.action.name, about, scope, params, fen, reason, _key(call), call.actor.id)

    async def test(self, call: Call) -> dict[str, Any]:
        """Try keys and connection of a merchant account; no money moves."""
        return {"says": await self._money.merchants.get(call.params["account"]).account.test()}

    async def _allowed(self, call: Call, order_no: str) -> str:
        """The right is checked at the place of the order. Money without an order is the operator's own."""
        rows = await self._money.all("money.order", no=order_no)
        scope = str(rows[0]["scope"] if rows else self._money.policy.operator)
        self._at(call, scope)
        return scope

    async def _account_allowed(self, call: Call) -> Row:
        account = await self._money.one("money.account", id=call.params["account"])
        self._at(call, account["scope"])
        return account

    def _at(self, call: Call, scope: str) -> None:
        if not call.actor.may(call.action.permission, scope):
            raise NotAllowed("you may not do this here", hint=f"it needs {call.action.permission}")

    def _utility(self, device: Any) -> str:
        meanings = [entity.definition.meaning for entity in device.entities]
        return next((UTILITIES[one] for one in meanings if one in UTILITIES), "energy")


def _key(call: Call) -> str:
    """What names the wish of a call for ever."""
    return (call.run.key or call.run.id) if call.run is not None else ""
