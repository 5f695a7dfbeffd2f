"""The collections of people: users, their sessions, the login history and the audit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from meterhub.actions import Actor
from meterhub.clock import Clock
from meterhub.collections import Collection, Field
from meterhub.errors import BadInput, NotAllowed, NotFound
from meterhub.office.collection_table import TableSource
from meterhub.people.passwords import check_password
from meterhub.people.people import People
from meterhub.people.roles import BUILT_IN
from meterhub.people.sessions import IDLE_MS
from meterhub.people.user import User, operator_of
from meterhub.people.users import LANGUAGES, checked_profile
from meterhub.store.engine import Row, Store

Text = Mapping[str, str]


def _text(en: str, zh: str, ja: str) -> Text:
    return {"en": en, "zh": zh, "ja": ja}


ACTIVE, DISABLED = "active", "disabled"
STATUSES = {ACTIVE: _text("Active", "启用", "有効"), DISABLED: _text("Disabled", "停用", "無効")}
OUTCOMES = {"ok": _text("Logged in", "登录成功", "成功"), "failed": _text("Refused", "被拒绝", "拒否")}
REASONS = {
    "wrong_password": _text("Wrong password", "密码错误", "パスワード誤り"),
    "unknown_user": _text("Unknown name", "用户不存在", "不明な名前"),
    "disabled": _text("Account disabled", "账号已停用", "無効なアカウント"),
    "link_over": _text("Link used or over", "链接已失效", "リンク失効"),
    "": _text("–", "–", "–"),
}
METHODS = {
    "password": _text("Password", "密码", "パスワード"),
    "link": _text("Login link", "登录链接", "ログインリンク"),
}
VERBS = {
    "user.add": _text("Added a user", "添加用户", "利用者を追加"),
    "user.delete": _text("Deleted a user", "删除用户", "利用者を削除"),
    "user.disable": _text("Disabled a user", "停用用户", "利用者を無効化"),
    "user.enable": _text("Enabled a user", "启用用户", "利用者を有効化"),
    "user.password": _text("Changed a password", "修改密码", "パスワードを変更"),
    "user.profile": _text("Changed a user", "修改用户资料", "利用者情報を変更"),
    "user.roles": _text("Changed rights", "修改权限", "権限を変更"),
    "session.revoke": _text("Ended a session", "结束会话", "セッションを終了"),
    "session.revoke_all": _text("Ended all sessions", "结束全部会话", "全セッションを終了"),
    "token.create": _text("Made a token", "创建令牌", "トークンを発行"),
    "token.link": _text("Made a login link", "创建登录链接", "ログインリンクを発行"),
    "token.revoke": _text("Revoked a token", "撤销令牌", "トークンを取消"),
    "meter.add": _text("Added a meter", "添加表计", "メーターを追加"),
    "meter.move": _text("Moved a meter to another line", "把表计移到另一条线路", "メーターを別の回線へ移動"),
    "meter.remove": _text("Removed a meter", "移除表计", "メーターを撤去"),
    "money.open_account": _text("Opened an account", "开立账户", "口座を開設"),
    "money.close_account": _text("Closed an account", "销户", "口座を解約"),
    "money.freeze": _text("Froze an account", "冻结账户", "口座を凍結"),
    "money.cash": _text("Took cash", "收取现金", "現金を受領"),
    "money.refund": _text("Gave money back", "退款", "返金"),
    "money.redirect_refund": _text("Sent a refund to a bank card", "改退至银行卡", "返金を銀行カードへ送金"),
    "money.receipt": _text("Printed a receipt", "打印收据", "領収書を印刷"),
    "money.apply_late": _text("Used a late payment", "补记迟到付款", "遅れた入金を充当"),
    "money.delivery.arrived": _text("Decided: it arrived", "裁定：已到账", "判定：到達"),
    "money.delivery.not_arrived": _text("Decided: it did not arrive", "裁定：未到账", "判定：未到達"),
    "money.delivery.adopt_count": _text(
        "Decided: take the meter's count", "裁定：采用表计次数", "判定：計器の回数を採用"
    ),
    "money.delivery.send_again": _text("Decided: send it again", "裁定：重新下发", "判定：再送"),
}
"""What the audit calls what was done; another word, such as an action's name, is shown as it is."""
LANGUAGE_NAMES = {
    "": _text("As the hub", "与系统相同", "システムと同じ"),
    "zh-CN": _text("简体中文", "简体中文", "简体中文"),
    "en": _text("English", "English", "English"),
    "ja": _text("日本語", "日本語", "日本語"),
}

USER = _text("User", "用户", "利用者")
ADDRESS = _text("IP address", "IP 地址", "IP アドレス")
DEVICE = _text("Browser", "浏览器", "ブラウザー")
TIME = _text("Time", "时间", "日時")

USER_FIELDS = (
    Field("id", _text("Login name", "登录名", "ログイン名"), required=True, search=True, edit=True,
          help=_text("2 to 40 small letters, digits and hyphens", "2 到 40 个小写字母、数字或连字符",
                     "英小文字・数字・ハイフンで 2～40 字")),
    Field("name", _text("Shown name", "显示名", "表示名"), search=True, edit=True),
    Field("role", _text("Role", "角色", "役割"), "choice", required=True, choices=tuple(BUILT_IN),
          choice_labels=BUILT_IN, filter=True, edit=True),
    Field("scope", _text("Where", "范围", "範囲"), edit=True,
          help=_text("A path such as main/main/Block A; empty for everything",
                     "路径，如 main/main/Block A；留空为全部", "main/main/Block A のような経路。空欄はすべて")),
    Field("status", _text("Status", "状态", "状態"), "choice", choices=tuple(STATUSES), choice_labels=STATUSES,
          filter=True, edit=True),
    Field("language", _text("Language", "语言", "言語"), "choice", choices=LANGUAGES, choice_labels=LANGUAGE_NAMES,
          edit=True, column=False),
    Field("password", _text("Password", "密码", "パスワード"), "secret", sort=False, edit=True, column=False,
          help=_text("At least 10 characters; left empty, it stays as it is", "至少 10 个字符；留空则不变",
                     "10 文字以上。空欄なら変わりません")),
    Field("last_login_ms", _text("Last login", "上次登录", "最終ログイン"), "time"),
    Field("created_ms", _text("Added", "添加时间", "追加日時"), "time", column=False),
)  # fmt: skip

SESSION_FIELDS = (
    Field("user", USER, search=True, filter=True),
    Field("agent", DEVICE, search=True),
    Field("address", ADDRESS, search=True),
    Field("created_ms", _text("Logged in", "登录时间", "ログイン日時"), "time"),
    Field("seen_ms", _text("Last seen", "上次活动", "最終利用"), "time"),
    Field("expires_ms", _text("Ends at the latest", "最晚结束", "最長期限"), "time", column=False),
)

LOGIN_FIELDS = (
    Field("at_ms", TIME, "time"),
    Field("user", USER, search=True, filter=True),
    Field("outcome", _text("Outcome", "结果", "結果"), "choice", choices=tuple(OUTCOMES), choice_labels=OUTCOMES,
          filter=True),
    Field("detail", _text("Reason", "原因", "理由"), "choice", choices=tuple(REASONS), choice_labels=REASONS,
          filter=True),
    Field("method", _text("Way", "方式", "方法"), "choice", choices=tuple(METHODS), choice_labels=METHODS,
          column=False),
    Field("address", ADDRESS, search=True),
    Field("place", _text("Place", "地点", "場所"), "sentence"),
    Field("carrier", _text("Carrier", "运营商", "回線事業者"), column=False),
    Field("agent", DEVICE, search=True),
)  # fmt: skip

AUDIT_FIELDS = (
    Field("id", _text("Number", "编号", "番号"), "number"),
    Field("at_ms", TIME, "time"),
    Field("actor", _text("Who", "操作者", "実行者"), search=True, filter=True),
    Field("action", _text("What", "操作", "操作"), "choice", choice_labels=VERBS, search=True, filter=True),
    Field("target", _text("On what", "对象", "対象"), search=True),
    Field("before", _text("Before", "之前", "変更前"), "json", sort=False),
    Field("after", _text("After", "之后", "変更後"), "json", sort=False),
    Field("cause", _text("Cause", "起因", "原因"), column=False),
    Field("address", ADDRESS, search=True, column=False),
)


def _must_be_texts(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if value is not None and not isinstance(value, str):
            raise BadInput("a text is wanted", where=name)


class UserSource(TableSource):
    """Users of the actor's operator; what is changed goes through ``Users``, which checks and writes the audit."""

    def __init__(self, store: Store, people: People) -> None:
        super().__init__(store, "people.list_users", USER_FIELDS, "user.manage", "id")
        self._users = people.users

    async def create(self, actor: Actor, values: Mapping[str, Any]) -> dict[str, Any]:
        """Add a user; one without a password gets in by a login link."""
        _must_be_texts(values)
        await self._users.add(
            str(values.get("id") or ""),
            values.get("password") or None,
            str(values.get("role") or ""),
            by=actor,
            operator=operator_of(actor),
            scope=values.get("scope") or "",
            language=values.get("language") or "",
            title=values.get("name") or "",
        )
        if values.get("status") == DISABLED:
            await self._users.disable(str(values["id"]), by=actor)
        return await self.get(actor, str(values["id"]))

    async def update(self, actor: Actor, row_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Change what is given and differs; an empty password is none given."""
        _must_be_texts(values)
        before = await self.get(actor, row_id)
        wanted = {key: value for key, value in values.items() if value is not None and value != before.get(key)}
        if "id" in wanted:
            raise BadInput("a login name cannot be changed", where="id", hint="add another user")
        if wanted.get("status", ACTIVE) not in STATUSES:
            raise BadInput("the status is active or disabled", where="status")
        # All that can be wrong is found before anything is changed.
        profile = checked_profile({key: wanted[key] for key in ("language", "name") if key in wanted})
        if wanted.get("password"):
            check_password(wanted["password"], row_id)
        if "role" in wanted or "scope" in wanted:
            pair = (wanted.get("role", before["role"]), wanted.get("scope", before["scope"]) or "")
            await self._users.set_roles(row_id, [pair], by=actor)
        if wanted.get("password"):
            await self._users.set_password(row_id, wanted["password"], by=actor)
        if profile:
            await self._users.set_profile(row_id, by=actor, language=profile.get("language"), title=profile.get("name"))
        if "status" in wanted:
            change = self._users.disable if wanted["status"] == DISABLED else self._users.enable
            await change(row_id, by=actor)
        return await self.get(actor, row_id)

    async def delete(self, actor: Actor, row_id: str) -> None:
        """Take a user away; the history keeps the name."""
        await self.get(actor, row_id)
        await self._users.delete(row_id, by=actor)


class SessionSource(TableSource):
    """Live sessions: one's own, and those of the whole operator for whoever manages users. Deleting one ends it."""

    def __init__(self, store: Store, people: People, clock: Clock) -> None:
        super().__init__(store, "people.list_sessions", SESSION_FIELDS, "", "-seen_ms")
        self._sessions = people.sessions
        self._clock = clock

    def params(self, actor: Actor) -> dict[str, Any]:
        """Whose sessions: "" is everybody's."""
        now_ms = self._clock.now()
        everybody = actor.may("user.manage", operator_of(actor))
        owner = "" if everybody else getattr(actor, "name", actor.id)
        return {**super().params(actor), "user": owner, "now_ms": now_ms, "idle_ms": now_ms - IDLE_MS}

    async def delete(self, actor: Actor, row_id: str) -> None:
        """End a session; raises ``NotFound``."""
        if not isinstance(actor, User):
            raise NotAllowed("only users end sessions here")
        if not row_id.isascii() or not row_id.isdecimal() or len(row_id) > 18:
            raise NotFound("there is no such session")
        await self._sessions.revoke(int(row_id), by=actor)


class AuditSource(TableSource):
    """The audit of the actor's operator."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "audit.list", AUDIT_FIELDS, "audit.view", "-id")

    def row(self, row: Row) -> dict[str, Any]:
        """The row with ``before`` and ``after`` as objects."""
        shown = super().row(row)
        for name in ("before", "after"):
            text = shown.pop(f"{name}_json")
            shown[name] = None if text is None else json.loads(text)
        return shown


def people_collections(store: Store, people: People, clock: Clock) -> list[Collection]:
    """The collections ``users``, ``sessions``, ``logins`` and ``audit``."""
    return [_users(store, people), _sessions(store, people, clock), _logins(store), _audit(store)]


def _users(store: Store, people: People) -> Collection:
    return Collection(
        "users",
        _text("Users", "用户", "利用者"),
        USER_FIELDS,
        UserSource(store, people),
        "user.manage",
        "user.manage",
        group="People",
        icon="users",
        can_create=True,
        can_delete=True,
        description=_text("Who may log in, and what they may do", "谁可以登录，可以做什么", "ログインできる人と権限"),
    )


def _sessions(store: Store, people: People, clock: Clock) -> Collection:
    return Collection(
        "sessions",
        _text("Sessions", "会话", "セッション"),
        SESSION_FIELDS,
        SessionSource(store, people, clock),
        "session.own",
        "session.own",
        group="People",
        icon="account",
        can_delete=True,
        description=_text("Where you are logged in", "您在哪些设备上登录", "ログイン中の端末"),
    )


def _logins(store: Store) -> Collection:
    return Collection(
        "logins",
        _text("Login history", "登录记录", "ログイン履歴"),
        LOGIN_FIELDS,
        TableSource(store, "people.list_logins", LOGIN_FIELDS, "login.view", "-at_ms"),
        "login.view",
        group="People",
        icon="logins",
    )


def _audit(store: Store) -> Collection:
    return Collection(
        "audit",
        _text("Audit", "审计记录", "監査記録"),
        AUDIT_FIELDS,
        AuditSource(store),
        "audit.view",
        group="People",
        icon="audit",
        description=_text(
            "Who did what, and when; it cannot be changed", "谁在何时做了什么；不可更改", "誰がいつ何をしたか。変更不可"
        ),
    )
