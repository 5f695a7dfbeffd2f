"""What the log holds goes to the file beside the writer, and the writer goes on whatever becomes of that."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

from meterhub.store.checkpoints import Checkpoints
from meterhub.store.files import connect


@pytest.fixture
def path(tmp_path):
    return tmp_path / "hub.db"


@pytest.fixture
def conn(path):
    conn = connect(path)
    conn.execute("create table words (word text)")
    yield conn
    conn.close()


def in_file_alone(path):
    """The words that the file has without its log."""
    alone = path.with_name("alone.db")
    shutil.copy(path, alone)
    found = sqlite3.connect(alone)
    try:
        return [word for (word,) in found.execute("select word from words")]
    except sqlite3.OperationalError:
        return None
    finally:
        found.close()


def test_what_was_committed_goes_to_the_file_while_the_writer_has_it_open(path, conn):
    checkpoints = Checkpoints(path, every_rows=1)
    conn.execute("insert into words values ('first')")
    checkpoints.note(conn.total_changes)
    conn.execute("begin immediate")  # a transaction under way is no hindrance
    conn.execute("insert into words values ('second')")
    checkpoints.close()
    assert in_file_alone(path) == ["first"]
    conn.execute("commit")
    assert conn.execute("select count(*) from words").fetchone() == (2,)


def test_a_few_rows_are_left_in_the_log(path, conn):
    checkpoints = Checkpoints(path, every_rows=100)
    conn.execute("insert into words values ('first')")
    checkpoints.note(conn.total_changes)
    checkpoints.close()
    assert in_file_alone(path) is None


def test_without_a_connection_of_its_own_nobody_is_stopped(tmp_path):
    checkpoints = Checkpoints(tmp_path / "missing" / "hub.db", every_rows=1)
    checkpoints.note(1)
    checkpoints.close()
    assert not (tmp_path / "missing").exists()
