"""Roles: rows of ``(role, permission, scope, allow, reason)``, denied by default, and how they decide.

A scope is a path ``operator/site/place…``. A user holds a role at a scope, and the role's rules count from there
down. The rule at the most specific scope wins; at the same scope a deny beats an allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from meterhub.errors import Misuse

EVERYTHING = "*"
"""In a rule: every permission, those of plugins too."""

OWNER = "owner"
MANAGER = "manager"
VIEWER = "viewer"

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    OWNER: {"en": "Owner", "zh": "所有者", "ja": "オーナー"},
    MANAGER: {"en": "Manager", "zh": "管理员", "ja": "管理者"},
    VIEWER: {"en": "Viewer", "zh": "查看者", "ja": "閲覧者"},
}
"""The roles that every operator has, with their titles."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Something one may be allowed to do, and the built-in roles that may; the owner always may."""

    name: str
    description: Mapping[str, str]
    roles: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """What a role says about a permission. ``scope`` "" is wherever the role is held."""

    role: str
    permission: str
    scope: str = ""
    allow: bool = True
    reason: str = ""

    def about(self, permission: str) -> bool:
        """Whether the rule speaks of this permission."""
        return self.permission in (permission, EVERYTHING)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether something is allowed, by which rule (None: no rule speaks of it), and why in a sentence."""

    allow: bool
    rule: Rule | None
    reason: str


class Permissions:
    """The registry of permissions; plugins add theirs."""

    def __init__(self) -> None:
        self._known: dict[str, Permission] = {}
        for one in CORE:
            self.register(one)

    def register(self, permission: Permission) -> None:
        """Make a permission known; raises ``Misuse`` when the name is taken."""
        if permission.name in self._known:
            raise Misuse(f"the permission {permission.name} is registered twice")
        self._known[permission.name] = permission

    def __iter__(self) -> Iterator[Permission]:
        return iter(self._known.values())

    def built_in_rules(self, role: str) -> list[Rule]:
        """The rules of a built-in role; none for any other."""
        if role == OWNER:
            return [Rule(OWNER, EVERYTHING, reason="an owner may do everything")]
        return [
            Rule(role, one.name, reason=f"the role {role} holds it")
            for one in self._known.values()
            if role in one.roles
        ]


def covers(outer: str, inner: str) -> bool:
    """Whether the scope ``inner`` is ``outer`` or lies below it, segment by segment."""
    return inner == outer or inner.startswith(outer + "/")


def narrowed(rule: Rule, held_at: str) -> Rule | None:
    """The rule as it counts for a user who holds its role at a scope; None when it does not reach there."""
    if not rule.scope or covers(rule.scope, held_at):
        return replace(rule, scope=held_at)
    return rule if covers(held_at, rule.scope) else None


def decide(rules: Iterable[Rule], permission: str, scope: str) -> Decision:
    """What the rules say about a permission at a scope."""
    heard = (rule for rule in rules if rule.about(permission) and covers(rule.scope, scope))
    best = max(heard, key=lambda rule: (len(rule.scope), not rule.allow), default=None)
    if best is None:
        return Decision(False, None, "no role gives this permission here")
    return Decision(best.allow, best, best.reason or f"the role {best.role} {'allows' if best.allow else 'denies'} it")


CORE = (
    Permission("device.view", {"en": "See devices", "zh": "查看设备", "ja": "機器を見る"}, (MANAGER, VIEWER)),
    Permission(
        "device.read", {"en": "Read devices now", "zh": "立即抄读设备", "ja": "機器を今すぐ読む"}, (MANAGER, VIEWER)
    ),
    Permission(
        "meter.control",
        {"en": "Open and close circuits and valves", "zh": "通断电路和阀门", "ja": "回路と弁を開閉する"},
        (MANAGER,),
    ),
    Permission("meter.write", {"en": "Change meter settings", "zh": "修改表计设置", "ja": "メーター設定を変える"}),
    Permission(
        "meter.credit", {"en": "Credit and refund meters", "zh": "表计充值和退费", "ja": "メーターへの入金と返金"}
    ),
    Permission(
        "meter.edit",
        {"en": "Add and remove meters", "zh": "添加和移除表计", "ja": "メーターを追加・削除する"},
        (MANAGER,),
    ),
    Permission("money.view", {"en": "See money", "zh": "查看账务", "ja": "入出金を見る"}, (MANAGER,)),
    Permission(
        "money.sell",
        {"en": "Open accounts and sell credit", "zh": "开户和售电", "ja": "口座開設と販売"},
        (MANAGER,),
    ),
    Permission(
        "money.decide",
        {"en": "Give money back and decide doubtful cases", "zh": "退款和处理异常", "ja": "返金と要確認の処理"},
        (MANAGER,),
    ),
    Permission("collector.view", {"en": "See collectors", "zh": "查看采集器", "ja": "集中器を見る"}, (MANAGER, VIEWER)),
    Permission(
        "collector.edit", {"en": "Pair collectors", "zh": "配对采集器", "ja": "集約装置を組み合わせる"}, (MANAGER,)
    ),
    Permission("user.manage", {"en": "Manage users", "zh": "管理用户", "ja": "利用者を管理する"}),
    Permission("login.view", {"en": "See the login history", "zh": "查看登录记录", "ja": "ログイン履歴を見る"}),
    Permission("audit.view", {"en": "See the audit", "zh": "查看审计记录", "ja": "監査記録を見る"}),
    Permission("plugin.view", {"en": "See plugins", "zh": "查看插件", "ja": "プラグインを見る"}, (MANAGER,)),
    Permission(
        "system.view", {"en": "See the system's state", "zh": "查看系统状态", "ja": "システム状態を見る"}, (MANAGER,)
    ),
    Permission(
        "session.own",
        {"en": "See and end own sessions", "zh": "管理自己的会话", "ja": "自分のセッションを管理する"},
        (MANAGER, VIEWER),
    ),
)
"""The permissions of the core."""
