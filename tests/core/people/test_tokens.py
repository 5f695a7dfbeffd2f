from __future__ import annotations

from pathlib import Path

import pytest
from crowd import PASSWORD, Everybody

from meterhub.errors import BadInput, Conflict, NotFound, NotLoggedIn
from meterhub.people import commands
from meterhub.people.people import People
from meterhub.people.user import User
from meterhub.store.sqlite import SqliteStore
from meterhub.testing.clock import MovableClock


async def test_token_has_its_users_rights_and_is_stored_as_a_hash(
    people: People, anna: User, store: SqliteStore
) -> None:
    token = await people.tokens.create(anna, "export", by=anna)
    assert token.startswith("mh_")
    assert await people.tokens.find(token) is anna
    for table in ("tokens", "audit"):
        assert token not in repr(await store.query(f"SELECT * FROM {table}"))


@pytest.mark.parametrize("wrong", ["", "mh_", "mh_" + "x" * 43, "x" * 100_000, "mh_é", "' or 1=1 --"])
async def test_unknown_tokens_are_refused(people: People, anna: User, wrong: str) -> None:
    with pytest.raises(NotLoggedIn):
        await people.tokens.find(wrong)


async def test_a_session_token_is_no_api_token_and_a_link_neither(people: People, anna: User) -> None:
    with pytest.raises(NotLoggedIn):
        await people.tokens.find(await people.tokens.create_link(anna, by=anna))
    with pytest.raises(NotLoggedIn):
        await people.sessions.find(await people.tokens.create(anna, "export", by=anna))


async def test_revoked_token_ends_at_once(people: People, anna: User) -> None:
    token = await people.tokens.create(anna, "export", by=anna)
    await people.tokens.find(token)
    [row] = await people.tokens.of_user(anna)
    await people.tokens.revoke(anna, row["id"], by=anna)
    with pytest.raises(NotLoggedIn):
        await people.tokens.find(token)
    with pytest.raises(NotFound):
        await people.tokens.revoke(anna, row["id"], by=anna)
    assert await people.tokens.of_user(anna) == []


async def test_last_use_is_noted_once_a_minute(
    people: People, anna: User, store: SqliteStore, clock: MovableClock
) -> None:
    token = await people.tokens.create(anna, "export", by=anna)
    await people.tokens.find(token)
    first = (await people.tokens.of_user(anna))[0]["used_ms"]
    assert first == clock.now()
    await clock.advance(59)
    await people.tokens.find(token)
    assert (await people.tokens.of_user(anna))[0]["used_ms"] == first
    await clock.advance(1)
    await people.tokens.find(token)
    assert (await people.tokens.of_user(anna))[0]["used_ms"] == first + 60_000


@pytest.mark.parametrize("name", ["", "x" * 61, "two\nlines"])
async def test_token_names_are_short_and_printable(people: People, anna: User, name: str) -> None:
    with pytest.raises(BadInput):
        await people.tokens.create(anna, name, by=anna)


async def test_commands_make_a_user_and_a_token_on_a_fresh_folder(tmp_path: Path) -> None:
    await commands.add_user(tmp_path / "fresh", "ben", "viewer", PASSWORD)
    token = await commands.create_token(tmp_path / "fresh", "ben", "export")
    async with commands.opened(tmp_path / "fresh") as people:
        assert (await people.tokens.find(token)).name == "ben"
        assert (await people.audit.verify()).rows == 2
    with pytest.raises(Conflict):
        await commands.add_user(tmp_path / "fresh", "ben", "viewer", PASSWORD)
    with pytest.raises(NotFound):
        await commands.create_token(tmp_path / "fresh", "nobody", "export")


async def test_a_running_hub_notices_what_commands_do(
    people: People, anna: User, tmp_path: Path, clock: MovableClock, system: Everybody
) -> None:
    old = await people.tokens.create(anna, "old", by=anna)
    await people.tokens.find(old)
    token = await commands.create_token(tmp_path / "data", "anna", "export")
    await commands.add_user(tmp_path / "data", "ben", "owner", PASSWORD)
    async with commands.opened(tmp_path / "data") as beside:
        await beside.users.disable("anna", by=system)
    await clock.advance(2)
    for one in (old, token):
        with pytest.raises(NotLoggedIn):
            await people.tokens.find(one)
    assert people.users.get("ben").may("user.manage", "main")
    await people.users.enable("anna", by=system)
    assert await people.tokens.find(token) is anna
    assert (await people.audit.verify()).broken == 0
