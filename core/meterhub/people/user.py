"""User: an actor with a name, an operator and rights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from meterhub.people.roles import Decision, Rule, decide

MAIN = "main"
"""The operator there is from the start."""

MAX_KNOWN = 50_000
"""Answers that a user keeps; then they are worked out afresh."""


class Caller(Protocol):
    """Who asks for a change: a user, or the system."""

    @property
    def id(self) -> str:
        """``user:anna``, ``system``."""

    def may(self, permission: str, scope: str) -> bool:
        """Whether the caller holds the permission at this place."""


class User:
    """A user as the hub knows him; the same object for as long as the hub runs, so changes count at once.

    ``name`` is the login name, ``title`` the name shown, ``language`` "" when he has not chosen, ``roles`` the pairs
    of role and scope. ``active`` is False once he is disabled or deleted; he may do nothing then.
    """

    __slots__ = ("_known", "_rules", "active", "id", "language", "name", "operator", "roles", "title", "updated_ms")

    def __init__(self, name: str, operator: str) -> None:
        self.id = f"user:{name}"
        self.name = name
        self.operator = operator
        self.title = name
        self.language = ""
        self.active = False
        self.roles: tuple[tuple[str, str], ...] = ()
        self.updated_ms = 0
        self._rules: tuple[Rule, ...] = ()
        self._known: dict[tuple[str, str], bool] = {}

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that count for this user, each at the scope from which it does."""
        return self._rules

    def put_rules(self, rules: Iterable[Rule]) -> None:
        """Replace the rules."""
        self._rules = tuple(rules)
        self._known = {}

    def may(self, permission: str, scope: str) -> bool:
        """Whether the user holds the permission at this place; "" is the whole operator."""
        known = self._known.get((permission, scope))
        if known is None:
            if len(self._known) >= MAX_KNOWN:
                self._known = {}
            known = self._known[permission, scope] = self.decide(permission, scope).allow
        return known

    def decide(self, permission: str, scope: str) -> Decision:
        """Whether, by which rule, and why."""
        if not self.active:
            return Decision(False, None, "the user is disabled")
        return decide(self._rules, permission, scope or self.operator)

    def may_anywhere(self, permission: str) -> bool:
        """Whether the user holds the permission at any place: for menus, and lists whose rows are checked each."""
        return any(rule.allow and rule.about(permission) and self.may(permission, rule.scope) for rule in self._rules)


def operator_of(actor: Caller) -> str:
    """The operator whose rows an actor sees."""
    return actor.operator if isinstance(actor, User) else MAIN
