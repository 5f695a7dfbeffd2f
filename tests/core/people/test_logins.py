from __future__ import annotations

from pathlib import Path

import pytest
from crowd import HOME, PASSWORD, Everybody

from meterhub.errors import NotLoggedIn, TooMany
from meterhub.people import commands
from meterhub.people.history import Visitor, place, summary
from meterhub.people.keys import csrf_fits, csrf_token
from meterhub.people.people import People
from meterhub.people.sessions import IDLE_MS, LONGEST_MS, Session
from meterhub.people.throttle import MAX_KEYS, Buckets, network
from meterhub.people.user import User
from meterhub.store.sqlite import SqliteStore
from meterhub.testing.clock import MovableClock

HOUR_S = 3600


async def test_login_and_the_session_lets_in(people: People, session: Session, anna: User) -> None:
    found = await people.sessions.find(session.token)
    assert found.user is anna
    assert [(row["agent"], row["address"]) for row in await people.sessions.of_user(anna)] == [
        ("Firefox, Linux", "127.0.0.1")
    ]


async def test_whoever_was_added_beside_the_running_hub_gets_in(
    people: People, clock: MovableClock, tmp_path: Path
) -> None:
    await commands.add_user(tmp_path / "data", "kim", "owner", PASSWORD)
    await clock.advance(3)
    found = await people.logins.with_password("kim", PASSWORD, HOME)
    assert found.user.name == "kim"


async def test_only_a_hash_of_the_token_is_stored(store: SqliteStore, session: Session) -> None:
    rows = await store.query("SELECT * FROM sessions")
    assert session.token not in repr(rows)
    assert session.token not in repr(session)


@pytest.mark.parametrize("name", ["anna", "nobody", "", "An na", "<script>alert(1)</script>", "x" * 10_000, "анна"])
async def test_wrong_names_and_passwords_are_answered_alike(people: People, anna: User, name: str) -> None:
    with pytest.raises(NotLoggedIn, match="the name or the password is wrong"):
        await people.logins.with_password(name, "not the password", HOME)


async def test_history_has_good_and_bad_logins_and_no_text_typed_into_the_wrong_field(
    people: People, store: SqliteStore, session: Session
) -> None:
    for name in ("anna", "nobody", "My Secret Password!"):
        with pytest.raises(NotLoggedIn):
            await people.logins.with_password(name, "wrong password", Visitor("8.8.4.4", "curl/8"))
    rows = await store.query("people.list_logins", {"operator": "main"})
    assert [(row["user"], row["outcome"], row["detail"], row["place"]) for row in rows] == [
        ("anna", "ok", "", "local network"),
        ("anna", "failed", "wrong_password", ""),
        ("nobody", "failed", "unknown_user", ""),
        ("", "failed", "unknown_user", ""),
    ]


async def test_session_ends_when_unused(people: People, session: Session, clock: MovableClock) -> None:
    await clock.advance(IDLE_MS / 1000 - 10)
    await people.sessions.find(session.token)
    await clock.advance(IDLE_MS / 1000 - 10)
    await people.sessions.find(session.token)
    await clock.advance(IDLE_MS / 1000)
    with pytest.raises(NotLoggedIn):
        await people.sessions.find(session.token)


async def test_session_ends_after_thirty_days_of_use(people: People, session: Session, clock: MovableClock) -> None:
    for _ in range(LONGEST_MS // 1000 // (11 * HOUR_S)):
        await people.sessions.find(session.token)
        await clock.advance(11 * HOUR_S)
    await clock.advance(11 * HOUR_S)
    with pytest.raises(NotLoggedIn):
        await people.sessions.find(session.token)


async def test_last_use_survives_a_restart(
    people: People, session: Session, store: SqliteStore, clock: MovableClock
) -> None:
    await clock.advance(11 * HOUR_S)
    await people.sessions.find(session.token)
    await clock.advance(11 * HOUR_S)
    again = await People.open(store, clock)
    assert (await again.sessions.find(session.token)).user.name == "anna"
    again.close()


async def test_login_ends_the_session_the_browser_had(people: People, session: Session) -> None:
    second = await people.logins.with_password("anna", PASSWORD, HOME, old_token=session.token)
    assert second.token != session.token
    with pytest.raises(NotLoggedIn):
        await people.sessions.find(session.token)


async def test_two_devices_are_listed_and_ended_one_by_one(people: People, session: Session, anna: User) -> None:
    phone = await people.logins.with_password("anna", PASSWORD, Visitor("192.168.1.7", "x iPhone Safari"))
    assert len(await people.sessions.of_user(anna)) == 2
    await people.sessions.revoke(session.id, by=anna)
    with pytest.raises(NotLoggedIn):
        await people.sessions.find(session.token)
    assert (await people.sessions.find(phone.token)).agent == "Safari, iPhone"


async def test_revoke_all_but_this_one_and_log_out(people: People, session: Session, anna: User) -> None:
    other = await people.logins.with_password("anna", PASSWORD, HOME)
    await people.sessions.revoke_all(anna, by=anna, keep=session.id)
    with pytest.raises(NotLoggedIn):
        await people.sessions.find(other.token)
    await people.sessions.end(await people.sessions.find(session.token))
    with pytest.raises(NotLoggedIn):
        await people.sessions.find(session.token)


async def test_token_changes_with_the_rights(
    people: People, session: Session, anna: User, system: Everybody, clock: MovableClock
) -> None:
    assert not (await people.sessions.find(session.token)).stale
    await clock.advance(1)
    await people.users.set_roles("anna", [("owner", ""), ("viewer", "main/main")], by=system)
    old = await people.sessions.find(session.token)
    assert old.stale
    new = await people.sessions.renew(old)
    assert new is not None
    assert await people.sessions.renew(old) is None
    # Requests under way with the old cookie still pass, for a short while.
    assert not (await people.sessions.find(session.token)).stale
    await clock.advance(31)
    with pytest.raises(NotLoggedIn):
        await people.sessions.find(session.token)
    assert (await people.sessions.find(new.token)).expires_ms == session.expires_ms


async def test_a_revoked_session_does_not_come_back_under_a_new_token(
    people: People, session: Session, anna: User
) -> None:
    found = await people.sessions.find(session.token)
    await people.sessions.revoke(session.id, by=anna)
    assert await people.sessions.renew(found) is None
    assert await people.sessions.of_user(anna) == []


async def test_login_link_works_once(people: People, anna: User, system: Everybody) -> None:
    secret = await people.tokens.create_link(anna, by=system)
    assert (await people.logins.with_link(secret, HOME)).user is anna
    with pytest.raises(NotLoggedIn):
        await people.logins.with_link(secret, HOME)
    for wrong in ("", "x", "é" * 5000):
        with pytest.raises(NotLoggedIn):
            await people.logins.with_link(wrong, HOME)


async def test_login_link_ends_after_a_quarter_hour(
    people: People, anna: User, system: Everybody, clock: MovableClock
) -> None:
    secret = await people.tokens.create_link(anna, by=system)
    await clock.advance(15 * 60)
    with pytest.raises(NotLoggedIn):
        await people.logins.with_link(secret, HOME)


async def test_a_guesser_is_told_to_wait_before_any_hash_is_made(
    people: People, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []

    async def verify(stored: str | None, password: str) -> bool:
        hashed.append(password)
        return False

    monkeypatch.setattr(people._passwords, "verify", verify)
    outcomes = []
    for number in range(200):
        with pytest.raises((NotLoggedIn, TooMany)) as caught:
            await people.logins.with_password(f"user-{number}", "guess", Visitor("203.0.113.9"))
        outcomes.append(caught.type)
    assert outcomes.count(TooMany) > 150
    assert len(hashed) == outcomes.count(NotLoggedIn)
    assert "try again in" in caught.value.hint


async def test_an_account_is_locked_whatever_the_address_and_after_a_restart(
    people: People, anna: User, store: SqliteStore, clock: MovableClock
) -> None:
    for number in range(10):
        await clock.advance(11)
        with pytest.raises(NotLoggedIn):
            await people.logins.with_password("anna", "wrong", Visitor(f"203.0.113.{number}"))
    again = await People.open(store, clock)
    with pytest.raises(TooMany, match="30 s") as locked:
        await again.logins.with_password("anna", PASSWORD, Visitor("198.51.100.1"))
    assert locked.value.wait_s == 30
    await clock.advance(31)
    assert (await again.logins.with_password("anna", PASSWORD, HOME)).user.name == "anna"
    again.close()


async def test_a_new_password_unlocks(people: People, anna: User, system: Everybody, clock: MovableClock) -> None:
    for _ in range(10):
        await clock.advance(11)
        with pytest.raises(NotLoggedIn):
            await people.logins.with_password("anna", "wrong", HOME)
    await people.users.set_password("anna", "another good one", by=system)
    assert (await people.logins.with_password("anna", "another good one", HOME)).user is anna


async def test_memory_of_the_throttle_is_bounded(clock: MovableClock) -> None:
    buckets = Buckets(clock, burst=1, refill_s=60)
    for number in range(MAX_KEYS + 100):
        assert buckets.take(str(number)) == 0
    assert len(buckets._levels) == MAX_KEYS
    assert 0 < buckets.take(str(MAX_KEYS)) <= 60


def test_addresses_of_one_ipv6_subscriber_count_as_one() -> None:
    assert network("2001:db8::1") == network("2001:db8::ffff:1") != network("2001:db8:0:1::1")
    assert network("::ffff:203.0.113.9") == network("203.0.113.9")


async def test_password_can_be_asked_again(people: People, anna: User) -> None:
    await people.logins.confirm(anna, PASSWORD, HOME)
    with pytest.raises(NotLoggedIn):
        await people.logins.confirm(anna, "wrong", HOME)


async def test_forms_of_another_session_do_not_fit(people: People, session: Session) -> None:
    other = await people.logins.with_password("anna", PASSWORD, HOME)
    assert csrf_fits(session.token, csrf_token(session.token))
    assert not csrf_fits(session.token, csrf_token(other.token))
    assert not csrf_fits(session.token, "ü")


@pytest.mark.parametrize(
    ("address", "where"),
    [("127.0.0.1", "local network"), ("::1", "local network"), ("10.1.2.3", "local network"),
     ("::ffff:192.168.0.1", "local network"), ("8.8.8.8", ""), ("<b>", ""), ("", "")],
)  # fmt: skip
def test_place_of_an_address(address: str, where: str) -> None:
    assert place(address) == where


def test_unknown_agents_are_cut_and_cleaned() -> None:
    assert summary("\x1b[31mstrange\n" + "x" * 1000).startswith("[31mstrange")
    assert len(summary("x" * 1000)) == 40


async def test_old_rows_are_let_go(people: People, session: Session, store: SqliteStore, clock: MovableClock) -> None:
    await clock.advance(401 * 24 * HOUR_S)
    await people.prune()
    assert await store.query("SELECT * FROM sessions") == []
    assert await store.query("SELECT * FROM login_history") == []


def test_no_password_is_in_the_data_folder(session: Session, tmp_path: Path) -> None:
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    assert not any(PASSWORD.encode() in file.read_bytes() for file in files)
