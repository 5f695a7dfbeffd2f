"""The users of the hub: who there is, their roles, and every change of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from meterhub.clock import Clock
from meterhub.errors import BadInput, Conflict, NotAllowed, NotFound
from meterhub.people.audit import Entry
from meterhub.people.changes import Changes
from meterhub.people.passwords import Passwords, check_password
from meterhub.people.roles import BUILT_IN, Permissions, Rule, covers, narrowed
from meterhub.people.user import MAIN, Caller, User
from meterhub.store.engine import Store, Transaction

NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,39}")
MAX_TITLE = 60
MAX_SCOPE = 300
LANGUAGES = ("", "zh-CN", "en", "ja")
"""What a user may choose; "" is the hub's own."""


class Users:
    """All users, in memory; changes are stored with their audit row and count at the next question.

    ``by`` is who asks. He needs ``user.manage`` for the whole operator, and may neither give rights that he lacks nor
    touch a user who may more than he. Raises ``NotAllowed``, ``NotFound``, ``BadInput`` or ``Conflict``.
    """

    def __init__(
        self, store: Store, clock: Clock, changes: Changes, passwords: Passwords, permissions: Permissions
    ) -> None:
        self._store = store
        self._clock = clock
        self._changes = changes
        self._passwords = passwords
        self._permissions = permissions
        self._users: dict[str, User] = {}
        self._rules: dict[tuple[str, str], list[Rule]] = {}
        changes.listen(self.reload)

    def __iter__(self) -> Iterator[User]:
        return iter(self._users.values())

    def find(self, name: str) -> User | None:
        """The user with this login name, disabled or not."""
        return self._users.get(name)

    def get(self, name: str) -> User:
        """The same; raises ``NotFound``."""
        user = self._users.get(name)
        if user is None:
            raise NotFound(f"there is no user {name!r}"[:200])
        return user

    def roles(self, operator: str) -> list[str]:
        """The names of the roles of an operator, the built-in ones first."""
        return [*BUILT_IN, *sorted({role for owner, role in self._rules if owner == operator} - set(BUILT_IN))]

    async def reload(self) -> None:
        """Read all users and their roles from the store."""
        rules: dict[tuple[str, str], list[Rule]] = {}
        for row in await self._store.query("people.grants"):
            rule = Rule(row["role"], row["permission"], row["scope"], bool(row["allow"]), row["reason"])
            rules.setdefault((row["operator"], row["role"]), []).append(rule)
        held: dict[str, list[tuple[str, str]]] = {}
        for row in await self._store.query("people.user_roles"):
            held.setdefault(row["user"], []).append((row["role"], row["scope"]))
        rows = {row["id"]: row for row in await self._store.query("people.users")}
        self._rules = rules
        for name in set(self._users) - set(rows):
            self._set(self._users.pop(name), {"disabled": 1}, [])
        for name, row in rows.items():
            user = self._users.setdefault(name, User(name, row["operator"]))
            self._set(user, row, held.get(name, []))

    def _set(self, user: User, row: dict[str, Any], roles: list[tuple[str, str]]) -> None:
        user.active = not row["disabled"]
        user.title = row.get("name") or user.name
        user.language = row.get("language") or ""
        user.updated_ms = row.get("updated_ms") or 0
        user.roles = tuple(roles)
        user.put_rules(rule for role, scope in roles for rule in self._rules_at(user.operator, role, scope))

    def _rules_at(self, operator: str, role: str, scope: str) -> list[Rule]:
        rules = [*self._permissions.built_in_rules(role), *self._rules.get((operator, role), [])]
        return [rule for one in rules if (rule := narrowed(one, scope)) is not None]

    async def add(
        self,
        name: str,
        password: str | None,
        role: str,
        *,
        by: Caller,
        operator: str = MAIN,
        scope: str = "",
        language: str = "",
        title: str = "",
        address: str = "",
    ) -> User:
        """Add a user who holds ``role`` at ``scope`` ("": the whole operator).

        Without a password he gets in by a login link and sets his own then.
        """
        if not NAME.fullmatch(name):
            raise BadInput(
                "a user name is 2 to 40 small letters, digits and hyphens, and begins with no hyphen", where="name"
            )
        self._may_manage(by, operator)
        scope = self._checked_scope(operator, role, scope or operator)
        self._may_give(by, operator, role, scope)
        now_ms = self._clock.now()
        row: dict[str, Any] = {
            "id": name,
            "operator": operator,
            **checked_profile({"language": language, "name": title}),
        }
        row |= {"created_ms": now_ms, "updated_ms": now_ms, "password_hash": "", "password_ms": None}
        if name in self._users:
            raise Conflict(f"there is a user {name} already", where="name")
        if password is not None:
            check_password(password, name)
            row |= {"password_hash": await self._passwords.hash(password), "password_ms": now_ms}

        def change(tx: Transaction) -> None:
            tx.insert("users", row)
            tx.insert("user_roles", self._role_row(name, operator, role, scope))

        entry = Entry("user.add", f"user:{name}", by.id, operator, None, {"roles": [[role, scope]]}, address=address)
        await self._changes.apply(entry, change)
        return self.get(name)

    async def set_roles(self, name: str, roles: list[tuple[str, str]], *, by: Caller, address: str = "") -> None:
        """Replace a user's roles by these pairs of role and scope ("": the whole operator)."""
        user = self.managed(by, name)
        wanted = [(role, self._checked_scope(user.operator, role, scope or user.operator)) for role, scope in roles]
        for role, scope in wanted:
            self._may_give(by, user.operator, role, scope)

        def change(tx: Transaction) -> None:
            tx.execute("people.forget_roles", {"user": name})
            for role, scope in dict.fromkeys(wanted):
                tx.insert("user_roles", self._role_row(name, user.operator, role, scope))
            tx.update("users", {"id": name}, {"updated_ms": self._clock.now()})

        entry = Entry(
            "user.roles", user.id, by.id, user.operator, {"roles": user.roles}, {"roles": wanted}, address=address
        )
        await self._changes.apply(entry, self._keeping_an_owner(user, change))

    async def set_password(self, name: str, password: str, *, by: Caller, address: str = "") -> None:
        """Give another user a new password; ends all his sessions, tokens and login links."""
        user = self.managed(by, name)
        await self._store_password(user, password, by, address, keep_session=0, keep_tokens=False)

    async def set_own_password(self, user: User, password: str, *, keep_session: int = 0, address: str = "") -> None:
        """The new password of a user who has proved to be himself (``Logins.change_password``); ends other sessions."""
        await self._store_password(user, password, user, address, keep_session=keep_session, keep_tokens=True)

    async def _store_password(
        self, user: User, password: str, by: Caller, address: str, *, keep_session: int, keep_tokens: bool
    ) -> None:
        check_password(password, user.name)
        now_ms = self._clock.now()
        row = {"password_hash": await self._passwords.hash(password), "password_ms": now_ms, "updated_ms": now_ms}

        def change(tx: Transaction) -> None:
            tx.update("users", {"id": user.name}, row)
            tx.execute("people.revoke_sessions", {"user": user.name, "keep": keep_session, "now_ms": now_ms})
            if not keep_tokens:
                tx.execute("people.revoke_tokens", {"user": user.name, "now_ms": now_ms})

        await self._changes.apply(Entry("user.password", user.id, by.id, user.operator, address=address), change)

    async def disable(self, name: str, *, by: Caller, address: str = "") -> None:
        """Shut a user out: his sessions end now, his tokens do not work until he is enabled again."""
        user = self.managed(by, name)

        def change(tx: Transaction) -> None:
            now_ms = self._clock.now()
            tx.update("users", {"id": name}, {"disabled": 1, "updated_ms": now_ms})
            tx.execute("people.revoke_sessions", {"user": name, "keep": 0, "now_ms": now_ms})

        entry = Entry("user.disable", user.id, by.id, user.operator, address=address)
        await self._changes.apply(entry, self._keeping_an_owner(user, change))

    async def enable(self, name: str, *, by: Caller, address: str = "") -> None:
        """Let a disabled user in again."""
        user = self.managed(by, name)
        changes = {"disabled": 0, "updated_ms": self._clock.now()}
        entry = Entry("user.enable", user.id, by.id, user.operator, address=address)
        await self._changes.apply(entry, lambda tx: tx.update("users", {"id": name}, changes))

    async def delete(self, name: str, *, by: Caller, address: str = "") -> None:
        """Take a user away, with his sessions and tokens; login history and audit keep his name."""
        user = self.managed(by, name)

        def change(tx: Transaction) -> None:
            now_ms = self._clock.now()
            tx.execute("people.revoke_sessions", {"user": name, "keep": 0, "now_ms": now_ms})
            tx.execute("people.revoke_tokens", {"user": name, "now_ms": now_ms})
            tx.execute("people.forget_roles", {"user": name})
            tx.execute("people.delete_user", {"user": name})

        entry = Entry("user.delete", user.id, by.id, user.operator, {"roles": user.roles}, address=address)
        await self._changes.apply(entry, self._keeping_an_owner(user, change))

    async def set_profile(
        self, name: str, *, by: Caller, language: str | None = None, title: str | None = None, address: str = ""
    ) -> None:
        """Change the language or the shown name, one's own or another's."""
        user = self.get(name) if by.id == f"user:{name}" else self.managed(by, name)
        given = {"language": language, "name": title}
        changes = checked_profile({key: value for key, value in given.items() if value is not None})
        row = {**changes, "updated_ms": self._clock.now()}
        entry = Entry(
            "user.profile", user.id, by.id, user.operator, None, {"changed": sorted(changes)}, address=address
        )
        await self._changes.apply(entry, lambda tx: tx.update("users", {"id": name}, row))

    def managed(self, by: Caller, name: str) -> User:
        """The user with this name, if ``by`` may change him."""
        user = self.get(name)
        if isinstance(by, User) and by.operator != user.operator:
            raise NotFound(f"there is no user {name!r}"[:200])
        self._may_manage(by, user.operator)
        for role, scope in user.roles:
            self._may_give(by, user.operator, role, scope)
        return user

    def _may_manage(self, by: Caller, operator: str) -> None:
        if not by.may("user.manage", operator):
            raise NotAllowed("you may not manage users", hint="it needs user.manage")

    def _may_give(self, by: Caller, operator: str, role: str, scope: str) -> None:
        """Nobody hands out, or takes, what he does not hold himself."""
        for rule in self._rules_at(operator, role, scope):
            names = [one.name for one in self._permissions if rule.about(one.name)] or [rule.permission]
            missing = [name for name in names if rule.allow and not by.may(name, rule.scope)]
            if missing:
                raise NotAllowed(f"you do not hold all rights of the role {role} there", hint=f"it needs {missing[0]}")

    def _checked_scope(self, operator: str, role: str, scope: str) -> str:
        if role not in self.roles(operator):
            raise BadInput(
                f"there is no role {role!r}"[:200], where="role", hint="roles: " + ", ".join(self.roles(operator))
            )
        if not covers(operator, scope) or "" in scope.split("/") or len(scope) > MAX_SCOPE or not scope.isprintable():
            raise BadInput(
                "a scope is a path such as main/main/Block A", where="scope", hint=f"it begins with {operator}"
            )
        return scope

    def _role_row(self, user: str, operator: str, role: str, scope: str) -> dict[str, Any]:
        return {"user": user, "role": role, "scope": scope, "operator": operator, "created_ms": self._clock.now()}

    @staticmethod
    def _keeping_an_owner(user: User, change: Callable[[Transaction], None]) -> Callable[[Transaction], None]:
        """``change``, undone when it takes the last owner's rights."""

        def run(tx: Transaction) -> None:
            before = tx.one("people.owners", {"operator": user.operator})
            change(tx)
            after = tx.one("people.owners", {"operator": user.operator})
            if before and before["owners"] and after and not after["owners"]:
                raise Conflict("one owner must remain", where=user.name, hint="make somebody else an owner first")

        return run


def checked_profile(values: dict[str, str]) -> dict[str, str]:
    """A shown name without control characters and a known language; raises ``BadInput``."""
    if values.get("language", "") not in LANGUAGES:
        raise BadInput("unknown language", where="language", hint="languages: " + ", ".join(LANGUAGES[1:]))
    title = values.get("name", "")
    if len(title) > MAX_TITLE or not title.isprintable():
        raise BadInput(f"a shown name is at most {MAX_TITLE} printable characters", where="title")
    return values
