"""A filled file of every earlier version is brought up to date: not a row changes, and money goes on where it was."""

from __future__ import annotations

import sqlite3

import pytest
from till_house import Till

from meterhub.money.states import Mode
from meterhub.store.files import connect
from meterhub.store.migrate import HUB_STEPS, migrate

TABLES = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name"


def columns(conn, table):
    return [row[1] for row in conn.execute(f"pragma table_info({table})")]


def contents(conn, shape):
    """Every row of the tables and columns of ``shape``."""
    return {
        table: sorted(conn.execute(f"select {', '.join(names)} from {table}").fetchall(), key=repr)
        for table, names in shape.items()
    }


async def lived(folder, clock):
    """A file in which money has lived: on the server, on a meter, given back, in doubt when the power went."""
    till = await Till(folder, clock).open()
    await till.account("a-101", Mode.SERVER)
    await till.paid_order("a-101-1", 2000, "k1")
    await till.account("a-102")
    await till.paid_order("a-102-1", 3000, "k2")
    await till.until_quiet()
    till.meters.fail["meter.credit"] = ["after"]
    till.meters.fail["meter.balance"] = [None, *["before"] * 9]
    doubtful = await till.paid_order("a-102-1", 4000, "k3")
    await till.until_quiet(1)
    assert (await till.delivery(doubtful))["state"] == "unknown"
    await till.close()
    till.meters.fail.clear()
    return till, doubtful


def older(folder, version, source):
    """The same rows in a file as that version had it."""
    folder.mkdir()
    new = connect(folder / "hub.db")
    migrate(new, folder / "hub.db", HUB_STEPS[:version], keep_copy=False)
    new.execute("pragma foreign_keys = off")
    there = {name for (name,) in source.execute(TABLES)}
    shape = {}
    for (table,) in new.execute(TABLES).fetchall():
        if table in there:
            known = columns(source, table)
            names = shape[table] = [one for one in columns(new, table) if one in known]
            rows = source.execute(f"select {', '.join(names)} from {table}").fetchall()
            new.executemany(f"insert into {table} ({', '.join(names)}) values ({', '.join('?' * len(names))})", rows)
    kept = contents(new, shape)
    new.close()
    return shape, kept


@pytest.mark.parametrize("version", range(1, len(HUB_STEPS)))
async def test_a_filled_file_of_an_earlier_version_loses_nothing_and_goes_on(tmp_path, clock, version):
    till, doubtful = await lived(tmp_path / "new", clock)
    source = sqlite3.connect(tmp_path / "new" / "hub.db")
    shape, kept = older(tmp_path / "old", version, source)
    source.close()
    assert version < 2 or (len(kept["orders"]), len(kept["ledger"]), len(kept["deliveries"])) == (3, 6, 2)

    conn = connect(tmp_path / "old" / "hub.db")
    migrate(conn, tmp_path / "old" / "hub.db", HUB_STEPS, keep_copy=True)
    assert contents(conn, shape) == kept
    assert conn.execute("pragma integrity_check").fetchall() == [("ok",)]
    assert conn.execute("pragma foreign_key_check").fetchall() == []
    conn.close()
    copy = sqlite3.connect(tmp_path / "old" / f"hub.db.before-{version + 1}")
    assert contents(copy, shape) == kept
    copy.close()

    till.folder = tmp_path / "old"
    await till.open()
    if version >= 2:
        await clock.advance(3600)
        assert await till.state(doubtful) == "fulfilled"
        assert till.meters.purses["a-102"].ledger == [(1, 3000), (2, 4000)]
        assert (await till.books())["meter/a-102-1"] == 7000
    await till.account("a-103")
    no = await till.paid_order("a-103-1", 1000, "k9")
    await till.until_quiet()
    assert await till.state(no) == "fulfilled"
    await till.close()
    assert till.errors == []
