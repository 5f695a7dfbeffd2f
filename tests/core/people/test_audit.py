from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from crowd import PASSWORD

from meterhub.errors import MeterHubError
from meterhub.people.audit import PART, Entry
from meterhub.people.people import People
from meterhub.people.user import User
from meterhub.store.engine import Transaction
from meterhub.store.sqlite import SqliteStore


def tamper(data_dir: Path, sql: str) -> None:
    """What somebody with the file in his hands can do."""
    conn = sqlite3.connect(data_dir / "hub.db")
    conn.executescript(f"DROP TRIGGER audit_no_UPDATE; DROP TRIGGER audit_no_DELETE; {sql}")
    conn.close()


async def fill(people: People, count: int) -> None:
    for number in range(count):
        await people.audit.record(Entry("price.change", f"price:{number}", "user:anna", after={"fen": number}))


async def test_whole_chain_is_sound(people: People) -> None:
    assert (await people.audit.verify()).rows == 0
    await fill(people, 3)
    verdict = await people.audit.verify()
    assert (verdict.rows, verdict.broken) == (3, 0)


@pytest.mark.parametrize(
    ("sql", "broken"),
    [
        ("UPDATE audit SET after_json = '{\"fen\":9}' WHERE id = 3", 3),
        ("UPDATE audit SET actor = 'user:eve' WHERE id = 1", 1),
        ("UPDATE audit SET address = '8.8.8.8' WHERE id = 5", 5),
        ("DELETE FROM audit WHERE id = 2", 2),
        ("DELETE FROM audit WHERE id = 1", 1),
        ("DELETE FROM audit WHERE id >= 4", 4),
        ("UPDATE audit SET id = 99 WHERE id = 4", 4),
        ("UPDATE audit SET hash = 'x' WHERE id = 4", 4),
    ],
)
async def test_tampering_is_found_at_its_first_row(people: People, tmp_path: Path, sql: str, broken: int) -> None:
    await fill(people, 5)
    tamper(tmp_path / "data", sql)
    verdict = await people.audit.verify()
    assert verdict.broken == broken
    assert verdict.problem


async def test_long_chains_are_walked_in_parts(people: People, store: SqliteStore) -> None:
    def many(tx: Transaction) -> None:
        for number in range(PART + 2):
            people.audit.write(tx, Entry("x", str(number), "system"))

    await store.transact(many)
    assert (await people.audit.verify()).rows == PART + 2


async def test_rows_cannot_be_changed_through_the_store(people: People, store: SqliteStore) -> None:
    await fill(people, 1)
    for sql in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
        with pytest.raises(MeterHubError):
            await store.transact(lambda tx, sql=sql: tx.execute(sql))


async def test_change_and_row_are_kept_or_lost_together(people: People, store: SqliteStore) -> None:
    def change(tx: Transaction) -> None:
        tx.insert("settings", {"operator": "main", "key": "a", "value_json": "1", "updated_ms": 1})
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        await people.changes.apply(Entry("setting.change", "a", "system"), change)
    assert await store.query("SELECT * FROM settings") == []
    assert (await people.audit.verify()).rows == 0


async def test_secrets_and_personal_data_stay_out(people: People, anna: User, store: SqliteStore) -> None:
    after = {"password": "p4ss", "nested": {"API_Token": "t0k", "list": [{"phone": "139"}]}, "price": 3}
    await people.audit.record(Entry("x", "y", "system", after=after))
    await people.users.set_profile("anna", by=anna, title="Anna Secretname")
    text = repr(await store.query("SELECT * FROM audit"))
    assert not any(secret in text for secret in ("p4ss", "t0k", "139", PASSWORD, "argon2", "Secretname"))
    assert '"price":3' in text


async def test_hostile_text_is_kept_as_text(people: People, store: SqliteStore) -> None:
    hostile = "<script>'; DROP TABLE audit; --\n\x00‮"
    await people.audit.record(Entry("x", hostile, "system", after={hostile: hostile}))
    rows = await store.query("audit.list", {"operator": "main"})
    assert rows[0]["target"] == hostile
    assert (await people.audit.verify()).broken == 0
