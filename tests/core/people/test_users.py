from __future__ import annotations

import pytest
from crowd import HOME, PASSWORD, Everybody

from meterhub.errors import BadInput, Conflict, NotAllowed, NotFound, NotLoggedIn
from meterhub.people.people import People
from meterhub.people.sessions import Session
from meterhub.people.user import User
from meterhub.store.engine import Transaction
from meterhub.store.sqlite import SqliteStore
from meterhub.testing.clock import MovableClock

MATRIX = {
    "device.view": {"owner", "manager", "viewer"},
    "device.read": {"owner", "manager", "viewer"},
    "meter.control": {"owner", "manager"},
    "meter.write": {"owner"},
    "user.manage": {"owner"},
    "audit.view": {"owner"},
}


@pytest.mark.parametrize("role", ["owner", "manager", "viewer"])
async def test_what_the_built_in_roles_may(people: People, system: Everybody, role: str) -> None:
    user = await people.users.add("ben", PASSWORD, role, by=system, scope="main/main/Block A")
    for permission, roles in MATRIX.items():
        assert user.may(permission, "main/main/Block A/1") == (role in roles)
        assert not user.may(permission, "main/main/Block AB")
        assert not user.may(permission, "main")


@pytest.mark.parametrize(
    "name", ["", "a", "-a", "Anna", "an na", "a" * 41, "<b>", "anna\n", "安娜", "../etc", "a'; drop table users; --"]
)
async def test_hostile_names_are_refused(people: People, system: Everybody, name: str) -> None:
    with pytest.raises(BadInput):
        await people.users.add(name, PASSWORD, "viewer", by=system)


@pytest.mark.parametrize("title", ["x" * 61, "two\nlines", "\x1b[31m", "right‮left"])
async def test_hostile_shown_names_are_refused(people: People, system: Everybody, title: str) -> None:
    with pytest.raises(BadInput):
        await people.users.add("ben", PASSWORD, "viewer", by=system, title=title)


@pytest.mark.parametrize("scope", ["other", "mainland", "main//x", "main/", "/main", "main/\n", "main/" + "x" * 300])
async def test_scopes_outside_the_operator_are_refused(people: People, system: Everybody, scope: str) -> None:
    with pytest.raises(BadInput):
        await people.users.add("ben", PASSWORD, "viewer", by=system, scope=scope)


@pytest.mark.parametrize("password", ["short", "x" * 201, "benbenbenben", "ben1234567", "password123", "aaaaaaaaaaaa"])
async def test_poor_passwords_are_refused(people: People, system: Everybody, password: str) -> None:
    with pytest.raises(BadInput, match="password"):
        await people.users.add("ben", password, "viewer", by=system)


async def test_unknown_role_names_those_there_are(people: People, system: Everybody) -> None:
    with pytest.raises(BadInput, match="owner, manager, viewer"):
        await people.users.add("ben", PASSWORD, "boss", by=system)


async def test_a_name_is_given_once(people: People, anna: User, system: Everybody) -> None:
    with pytest.raises(Conflict):
        await people.users.add("anna", PASSWORD, "viewer", by=system, operator="second")


async def test_disabled_users_are_out_at_once_and_back_when_enabled(
    people: People, session: Session, system: Everybody, anna: User
) -> None:
    await people.users.add("ben", PASSWORD, "owner", by=anna)
    token = await people.tokens.create(anna, "script", by=anna)
    assert await people.tokens.find(token) is anna
    await people.users.disable("anna", by=system)
    assert not anna.may("device.view", "main")
    with pytest.raises(NotLoggedIn):
        await people.sessions.find(session.token)
    with pytest.raises(NotLoggedIn):
        await people.tokens.find(token)
    with pytest.raises(NotLoggedIn, match="disabled"):
        await people.logins.with_password("anna", PASSWORD, HOME)
    await people.users.enable("anna", by=system)
    assert await people.tokens.find(token) is anna
    with pytest.raises(NotLoggedIn):
        await people.sessions.find(session.token)
    assert (await people.logins.with_password("anna", PASSWORD, HOME)).user is anna


async def test_deleted_users_are_gone_but_not_from_the_history(people: People, anna: User, store: SqliteStore) -> None:
    ben = await people.users.add("ben", PASSWORD, "viewer", by=anna)
    token = await people.tokens.create(ben, "script", by=ben)
    session = await people.logins.with_password("ben", PASSWORD, HOME)
    await people.users.delete("ben", by=anna)
    assert not ben.may("device.view", "main")
    with pytest.raises(NotLoggedIn):
        await people.sessions.find(session.token)
    with pytest.raises(NotLoggedIn):
        await people.tokens.find(token)
    with pytest.raises(NotFound):
        people.users.get("ben")
    logins = await store.query("people.list_logins", {"operator": "main"})
    assert [row["user"] for row in logins] == ["ben"]
    again = await people.users.add("ben", PASSWORD, "viewer", by=anna)
    assert again is not ben
    with pytest.raises(NotLoggedIn):
        await people.tokens.find(token)


async def test_one_owner_remains(people: People, anna: User, system: Everybody) -> None:
    await people.users.add("ben", PASSWORD, "owner", by=anna, scope="main/main")
    for change in (
        people.users.disable("anna", by=system),
        people.users.delete("anna", by=system),
        people.users.set_roles("anna", [("manager", "")], by=system),
    ):
        with pytest.raises(Conflict, match="one owner must remain"):
            await change
    assert anna.may("user.manage", "main")
    await people.users.add("cleo", PASSWORD, "owner", by=anna)
    await people.users.disable("anna", by=system)


async def test_change_of_roles_counts_in_an_open_session(people: People, anna: User) -> None:
    ben = await people.users.add("ben", PASSWORD, "viewer", by=anna)
    session = await people.logins.with_password("ben", PASSWORD, HOME)
    assert not session.user.may("meter.control", "main/main")
    await people.users.set_roles("ben", [("viewer", ""), ("manager", "main/main")], by=anna)
    user = (await people.sessions.find(session.token)).user
    assert user is ben
    assert user.may("meter.control", "main/main")
    await people.users.set_roles("ben", [], by=anna)
    assert not user.may("device.view", "main")


async def test_nobody_gives_or_touches_more_than_he_holds(people: People, anna: User, store: SqliteStore) -> None:
    def grant(tx: Transaction) -> None:
        for permission in ("user.manage", "device.view"):
            tx.insert("grants", {"operator": "main", "role": "clerk", "permission": permission, "reason": "front desk"})

    await store.transact(grant)
    await people.users.reload()
    clerk = await people.users.add("carl", PASSWORD, "clerk", by=anna)
    assert clerk.decide("user.manage", "main").reason == "front desk"
    with pytest.raises(NotAllowed):
        await people.users.add("eve", PASSWORD, "owner", by=clerk)
    with pytest.raises(NotAllowed):
        await people.users.set_roles("carl", [("owner", "")], by=clerk)
    with pytest.raises(NotAllowed):
        await people.users.set_password("anna", "a stolen account", by=clerk)
    with pytest.raises(NotAllowed):
        await people.tokens.create_link(anna, by=clerk)
    assert (await people.users.add("dora", PASSWORD, "clerk", by=clerk)).name == "dora"


async def test_viewers_manage_nobody(people: People, anna: User) -> None:
    ben = await people.users.add("ben", PASSWORD, "viewer", by=anna)
    with pytest.raises(NotAllowed):
        await people.users.add("eve", PASSWORD, "viewer", by=ben)
    with pytest.raises(NotAllowed):
        await people.users.disable("anna", by=ben)


async def test_an_operator_neither_sees_nor_touches_another(people: People, anna: User, system: Everybody) -> None:
    other = await people.users.add("otto", PASSWORD, "owner", by=system, operator="second")
    assert other.may("user.manage", "second")
    assert not other.may("device.view", "main")
    for change in (
        people.users.disable("anna", by=other),
        people.users.delete("anna", by=other),
        people.tokens.create(anna, "x", by=other),
        people.sessions.revoke_all(anna, by=other),
    ):
        with pytest.raises(NotFound):
            await change
    session = await people.logins.with_password("anna", PASSWORD, HOME)
    with pytest.raises(NotFound):
        await people.sessions.revoke(session.id, by=other)
    with pytest.raises(NotAllowed):
        await people.users.add("eve", PASSWORD, "viewer", by=other, operator="main")


async def test_new_password_ends_the_other_sessions(
    people: People, session: Session, anna: User, clock: MovableClock
) -> None:
    other = await people.logins.with_password("anna", PASSWORD, HOME)
    await clock.advance(1)
    with pytest.raises(NotLoggedIn, match="wrong"):
        await people.logins.change_password(session, "wrong", "a quite new one", HOME)
    with pytest.raises(BadInput, match="too short"):
        await people.logins.change_password(session, PASSWORD, "short", HOME)
    await people.logins.change_password(session, PASSWORD, "a quite new one", HOME)
    assert (await people.sessions.find(session.token)).stale
    with pytest.raises(NotLoggedIn):
        await people.sessions.find(other.token)
    with pytest.raises(NotLoggedIn):
        await people.logins.with_password("anna", PASSWORD, HOME)


async def test_an_invited_user_sets_his_own_password(people: People, anna: User) -> None:
    ben = await people.users.add("ben", None, "viewer", by=anna)
    with pytest.raises(NotLoggedIn):
        await people.logins.with_password("ben", "", HOME)
    session = await people.logins.with_link(await people.tokens.create_link(ben, by=anna), HOME)
    await people.logins.change_password(session, "", "bens own password", HOME)
    assert (await people.logins.with_password("ben", "bens own password", HOME)).user is ben


async def test_language_and_shown_name_are_ones_own(people: People, anna: User) -> None:
    ben = await people.users.add("ben", PASSWORD, "viewer", by=anna)
    await people.users.set_profile("ben", by=ben, language="ja", title="<b>Ben</b> 安娜")
    assert (ben.language, ben.title) == ("ja", "<b>Ben</b> 安娜")
    with pytest.raises(BadInput):
        await people.users.set_profile("ben", by=ben, language="tlh")
    with pytest.raises(NotAllowed):
        await people.users.set_profile("anna", by=ben, language="en")


async def test_users_are_there_after_a_restart(
    people: People, anna: User, store: SqliteStore, clock: MovableClock
) -> None:
    again = await People.open(store, clock)
    found = again.users.get("anna")
    assert found.roles == (("owner", "main"),)
    assert found.may("user.manage", "main")
    again.close()
