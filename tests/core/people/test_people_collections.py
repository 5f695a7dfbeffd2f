from __future__ import annotations

import pytest
from crowd import HOME, PASSWORD, Everybody

from meterhub.collections import Collection, Query
from meterhub.errors import BadInput, NotAllowed, NotFound, NotLoggedIn
from meterhub.office.people_collections import people_collections
from meterhub.people.people import People
from meterhub.people.user import User
from meterhub.store.sqlite import SqliteStore
from meterhub.testing.clock import MovableClock


@pytest.fixture
def lists(store: SqliteStore, people: People, clock: MovableClock) -> dict[str, Collection]:
    return {one.name: one for one in people_collections(store, people, clock)}


async def test_users_are_added_found_changed_and_taken_away(
    lists: dict[str, Collection], people: People, anna: User
) -> None:
    users = lists["users"].source
    row = await users.create(anna, {"id": "ben", "password": PASSWORD, "role": "viewer", "name": "Ben 本"})
    assert (row["id"], row["role"], row["scope"], row["status"]) == ("ben", "viewer", "main", "active")
    assert not any("password" in key for key in row)
    page = await users.page(Query(anna, search="本"))
    assert [one["id"] for one in page.rows] == ["ben"]
    row = await users.update(
        anna, "ben", {"role": "manager", "scope": "main/main", "status": "disabled", "password": ""}
    )
    assert (row["role"], row["scope"], row["status"]) == ("manager", "main/main", "disabled")
    page = await users.page(Query(anna, filters={"status": ["disabled"]}))
    assert (page.total, page.facets["status"]) == (1, {"active": 1, "disabled": 1})
    await users.delete(anna, "ben")
    assert people.users.find("ben") is None


async def test_a_bad_form_changes_nothing(lists: dict[str, Collection], people: People, anna: User) -> None:
    users = lists["users"].source
    await users.create(anna, {"id": "ben", "password": PASSWORD, "role": "viewer"})
    for bad in (
        {"password": "short"},
        {"status": "gone"},
        {"language": "tlh"},
        {"id": "benno"},
        {"name": 5},
        {"role": []},
    ):
        with pytest.raises(BadInput):
            await users.update(anna, "ben", {"role": "manager", "name": "New", **bad})
    assert (await users.get(anna, "ben"))["role"] == "viewer"


async def test_lists_hold_only_ones_own_operator(
    lists: dict[str, Collection], people: People, anna: User, system: Everybody
) -> None:
    await people.logins.with_password("anna", PASSWORD, HOME)
    otto = await people.users.add("otto", PASSWORD, "owner", by=system, operator="second")
    for name, collection in lists.items():
        mine = await collection.source.page(Query(anna))
        theirs = await collection.source.page(Query(otto))
        assert mine.total >= 1
        assert "anna" not in repr(theirs.rows)
        with pytest.raises(NotFound):
            await collection.source.get(otto, mine.rows[0]["id"])
        assert (await collection.source.get(anna, mine.rows[0]["id"]))["id"] == mine.rows[0]["id"]
        if name in ("users", "sessions"):
            with pytest.raises(NotFound):
                await collection.source.delete(otto, mine.rows[0]["id"])


async def test_viewers_see_nothing_but_their_own_sessions(
    lists: dict[str, Collection], people: People, anna: User
) -> None:
    ben = await people.users.add("ben", PASSWORD, "viewer", by=anna, scope="main/main")
    session = await people.logins.with_password("ben", PASSWORD, HOME)
    await people.logins.with_password("anna", PASSWORD, HOME)
    totals = {name: (await one.source.page(Query(ben))).total for name, one in lists.items()}
    assert totals == {"users": 0, "sessions": 1, "logins": 0, "audit": 0}
    assert (await lists["sessions"].source.page(Query(anna))).total == 2
    with pytest.raises(NotFound):
        await lists["users"].source.get(ben, "anna")
    with pytest.raises(NotAllowed):
        await lists["users"].source.create(ben, {"id": "eve", "password": PASSWORD, "role": "viewer"})
    await lists["sessions"].source.delete(ben, str(session.id))
    with pytest.raises(NotLoggedIn):
        await people.sessions.find(session.token)


@pytest.mark.parametrize("row_id", ["", "0", "x", "-1", "1 or 1=1", "9" * 30, "²"])
async def test_unknown_rows_are_not_found(lists: dict[str, Collection], anna: User, row_id: str) -> None:
    for collection in lists.values():
        with pytest.raises(NotFound):
            await collection.source.get(anna, row_id)
    with pytest.raises(NotFound):
        await lists["sessions"].source.delete(anna, row_id)


async def test_only_known_columns_are_sorted_and_filtered_by(lists: dict[str, Collection], anna: User) -> None:
    for bad in ({"sort": "password_hash"}, {"sort": "-id; drop table users"}, {"filters": {"password_hash": ["x"]}}):
        for collection in lists.values():
            with pytest.raises(BadInput):
                await collection.source.page(Query(anna, **bad))


async def test_every_sortable_column_sorts(lists: dict[str, Collection], people: People, anna: User) -> None:
    await people.logins.with_password("anna", PASSWORD, HOME)
    for collection in lists.values():
        for field in collection.fields:
            if field.sort:
                assert (await collection.source.page(Query(anna, sort=f"-{field.name}"))).total >= 1


async def test_audit_rows_show_what_changed(lists: dict[str, Collection], people: People, anna: User) -> None:
    await people.users.add("ben", PASSWORD, "viewer", by=anna)
    await people.users.set_roles("ben", [("manager", "")], by=anna)
    page = await lists["audit"].source.page(Query(anna, filters={"actor": ["user:anna"]}))
    newest = page.rows[0]
    assert (newest["action"], newest["target"]) == ("user.roles", "user:ben")
    assert newest["before"] == {"roles": [["viewer", "main"]]}
    assert newest["after"] == {"roles": [["manager", "main"]]}
    assert page.facets["action"] == {"user.add": 1, "user.roles": 1}


async def test_titles_and_labels_are_there_in_three_languages(lists: dict[str, Collection]) -> None:
    for collection in lists.values():
        texts = [collection.title, *(field.label for field in collection.fields)]
        texts += [label for field in collection.fields for label in field.choice_labels.values()]
        assert all(set(text) == {"en", "zh", "ja"} for text in texts)
