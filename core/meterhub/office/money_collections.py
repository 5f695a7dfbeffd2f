"""The collections of money: accounts, orders, payments, deliveries, refunds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from meterhub.collections import Collection, Field
from meterhub.money.ledger import CASH
from meterhub.office.money_search import HOLDER, PHONE, PLACE, MoneySource, Whereabouts
from meterhub.store.engine import Store
from meterhub.texts import mark

Text = Mapping[str, str]
VIEW = "money.view"
GROUP = mark("Money")


def _text(en: str, zh: str, ja: str) -> Text:
    return {"en": en, "zh": zh, "ja": ja}


STATES: Mapping[str, Text] = {
    "created": _text("Created", "已创建", "作成済み"),
    "paying": _text("Being paid", "支付中", "支払中"),
    "paid": _text("Paid", "已支付", "支払済み"),
    "fulfilled": _text("Done", "已完成", "完了"),
    "refunding": _text("Being given back", "退款中", "返金中"),
    "refunded": _text("Given back", "已退款", "返金済み"),
    "expired": _text("Time over", "已过期", "期限切れ"),
    "planned": _text("Waits for the meter", "待下发", "送信待ち"),
    "sending": _text("Being sent", "下发中", "送信中"),
    "unknown": _text("In doubt", "结果未知", "結果不明"),
    "confirmed": _text("On the meter", "已到表", "メーター着"),
    "not_delivered": _text("Not delivered", "未到表", "未着"),
    "requested": _text("Requested", "已申请", "申請済み"),
    "processing": _text("At work", "处理中", "処理中"),
    "done": _text("Done", "已完成", "完了"),
    "abnormal": _text("Needs a person", "异常", "要対応"),
    "closed": _text("Closed", "已关闭", "終了"),
    "open": _text("Open", "正常", "利用中"),
    "closing": _text("Being closed", "销户中", "閉鎖中"),
    "first": _text("For its order", "正常付款", "通常"),
    "second": _text("Second payment", "重复付款", "二重払い"),
    "late": _text("Late payment", "迟到付款", "遅延入金"),
    "unmatched": _text("Without an order", "无对应订单", "注文なし"),
    "meter": _text("In the meter", "表内余额", "メーター内"),
    "server": _text("On the server", "服务器余额", "サーバー残高"),
    "postpaid": _text("Paid later", "后付费", "後払い"),
}


TONES: Mapping[str, str] = {
    **dict.fromkeys(("fulfilled", "confirmed", "done", "open", "first"), "ok"),
    **dict.fromkeys(
        ("paying", "paid", "refunding", "planned", "sending", "requested", "processing", "closing"), "info"
    ),
    **dict.fromkeys(("unknown", "second", "late", "unmatched"), "warn"),
    **dict.fromkeys(("not_delivered", "abnormal"), "bad"),
    **dict.fromkeys(("created", "refunded", "expired", "closed"), "off"),
}


def _choice(name: str, label: Text, *words: str) -> Field:
    labels = {word: STATES[word] for word in words}
    tones = {word: TONES[word] for word in words if word in TONES}
    return Field(name, label, "choice", choices=words, choice_labels=labels, choice_tones=tones, filter=True)


STATE, AMOUNT = _text("State", "状态", "状態"), _text("Amount", "金额", "金額")
ORDER, METER = _text("Order", "订单", "注文"), _text("Meter", "表计", "メーター")
TIME, ACCOUNT = _text("Time", "时间", "日時"), _text("Account", "账户", "口座")
COMPANY = _text("Company", "支付渠道", "決済会社")
NUMBER = _text("Number", "编号", "番号")

CREATED = _text("Created", "创建时间", "作成日時")
AT_COMPANY = _text("Number at the company", "渠道交易号", "会社側の番号")
OUR_NUMBER = _text("Our number at the company", "商户单号", "加盟店側の番号")

ACCOUNTS = (
    Field("id", ACCOUNT, search=True),
    Field("meter", METER, search=True),
    PLACE,
    HOLDER,
    PHONE,
    _choice("mode", _text("Credit", "余额位置", "残高の場所"), "meter", "server", "postpaid"),
    _choice("state", STATE, "open", "closing", "closed"),
    Field("link", _text("Tenant's page", "缴费链接", "支払ページ"), sort=False, column=False),
    Field("opened_ms", _text("Opened", "开户时间", "開設日時"), "time"),
)
ORDERS = (
    Field("id", ORDER, search=True),
    HOLDER,
    PLACE,
    PHONE,
    Field("account", ACCOUNT, search=True, column=False),
    Field("meter", METER, search=True),
    Field("amount_fen", AMOUNT, "money", search=True),
    _choice("state", STATE, "created", "paying", "paid", "fulfilled", "refunding", "refunded", "expired"),
    Field("created_ms", CREATED, "time", search=True),
    Field("paid_ms", _text("Paid", "支付时间", "支払日時"), "time"),
    Field("transactions", AT_COMPANY, search=True, sort=False, column=False),
    Field("attempts", OUR_NUMBER, search=True, sort=False, column=False),
    Field("created_by", _text("By", "操作者", "操作者"), column=False),
)
PAYMENTS = (
    Field("order_no", ORDER, search=True),
    Field("id", NUMBER, column=False),
    HOLDER,
    replace(PLACE, column=False),
    PHONE,
    Field("provider", COMPANY, "choice", filter=True),
    Field("transaction_id", AT_COMPANY, search=True),
    Field("attempt", OUR_NUMBER, search=True, column=False),
    Field("amount_fen", AMOUNT, "money", search=True),
    _choice("kind", _text("Kind", "类型", "種別"), "first", "second", "late", "unmatched"),
    Field(
        "source",
        _text("Told by", "来源", "通知元"),
        "choice",
        filter=True,
        column=False,
        choice_labels={
            "notice": _text("Notice of the company", "支付渠道通知", "会社の通知"),
            "query": _text("Answer of the company", "支付渠道查询", "会社の回答"),
            "bill": _text("Bill of the company", "支付渠道账单", "会社の明細"),
            "cash": _text("Counter", "柜台", "窓口"),
        },
    ),
    Field("paid_ms", TIME, "time", search=True),
)
DELIVERIES = (
    Field("order_no", ORDER, search=True),
    Field("id", NUMBER, column=False),
    HOLDER,
    replace(PLACE, column=False),
    PHONE,
    Field("meter", METER, search=True),
    Field("amount_fen", AMOUNT, "money", search=True),
    Field("number", _text("Purchase number", "购电次数", "購入番号"), search=True),
    _choice("state", STATE, "planned", "sending", "unknown", "confirmed", "not_delivered"),
    Field("needs_person", _text("Needs a person", "需人工处理", "要対応"), "boolean", filter=True, column=False),
    Field("error", _text("Reason", "原因", "理由"), "sentence", search=True),
    Field("created_ms", CREATED, "time", search=True, column=False),
    Field("confirmed_ms", _text("On the meter", "到表时间", "到着日時"), "time"),
)
REFUND_REASONS: Mapping[str, Text] = {
    "second_payment": _text("Paid twice", "重复付款", "二重払い"),
    "late_payment": _text("Paid too late", "逾期付款", "期限後の入金"),
}
"""Why the hub itself gives money back; people write their own reasons."""
REFUNDS = (
    Field("id", NUMBER, search=True),
    Field("order_no", ORDER, search=True, column=False),
    HOLDER,
    PLACE,
    PHONE,
    Field("amount_fen", AMOUNT, "money", search=True),
    _choice("state", STATE, "requested", "unknown", "processing", "done", "abnormal", "closed"),
    Field("reason", _text("Reason", "原因", "理由"), "choice", choice_labels=REFUND_REASONS, search=True),
    Field("created_by", _text("By", "操作者", "操作者"), search=True),
    Field("created_ms", TIME, "time", search=True),
    Field("transactions", AT_COMPANY, search=True, sort=False, column=False),
)
CASES = (
    Field("id", NUMBER),
    Field("kind", _text("Kind", "类型", "種別"), "choice", filter=True),
    _choice("state", STATE, "open", "closed"),
    Field("order_no", ORDER, search=True),
    Field("ref", _text("About", "对象", "対象"), search=True),
    Field("detail", _text("Detail", "说明", "詳細"), "sentence"),
    Field("at_ms", TIME, "time"),
    Field("solved_ms", _text("Closed", "结案时间", "終了日時"), "time"),
    Field("solved_by", _text("By", "操作者", "操作者")),
)


def money_collections(store: Store, companies: Mapping[str, Text], where: Whereabouts) -> list[Collection]:
    """The collections; whoever sees money sees that of the whole operator. ``companies``: their titles by type.

    A row leads to its order, that of an account to its own page.
    """

    titles = {**companies, CASH: _text("Cash", "现金", "現金")}
    payments = [replace(one, choice_labels=titles) if one.name == "provider" else one for one in PAYMENTS]

    def make(name: str, title: Text, fields: Sequence[Field], sort: str, icon: str, order: str) -> Collection:
        source = MoneySource(store, f"money.list_{name}", fields, VIEW, sort, where)
        link = (lambda row: f"/orders/{row[order]}") if order else lambda row: f"/accounts/{row['id']}"
        return Collection(name, title, fields, source, VIEW, group=GROUP if icon else "", icon=icon, row_link=link)

    return [
        make("orders", _text("Orders", "订单", "注文"), ORDERS, "-created_ms", "order", "id"),
        make("payments", _text("Payments", "付款", "入金"), payments, "-id", "money", "order_no"),
        make("deliveries", _text("Deliveries", "充值下发", "入金配信"), DELIVERIES, "-id", "delivery", "order_no"),
        make("refunds", _text("Refunds", "退款", "返金"), REFUNDS, "-created_ms", "refund", "order_no"),
        make("cases", _text("Cases", "待处理事项", "案件"), CASES, "-id", "", "order_no"),  # their page is /cases
        make("accounts", _text("Accounts", "账户", "口座"), ACCOUNTS, "-opened_ms", "wallet", ""),
    ]
