"""The tables of the docs are what the code says, and no section, link or action is left out."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from meterhub.config.site_schema import SECTIONS

ROOT = Path(__file__).resolve().parents[2]
MAKER = runpy.run_path(str(ROOT / "script" / "docs_tables.py"))
PAGES = "".join(page.read_text(encoding="utf-8") for page in MAKER["pages"]())


def test_the_tables_of_the_docs_are_up_to_date():
    stale = [page.relative_to(ROOT).as_posix() for page in MAKER["out_of_date"]()]
    assert not stale, f"run script/docs: {', '.join(stale)}"


@pytest.mark.parametrize("table", MAKER["TABLES"])
def test_every_table_stands_in_some_page(table):
    assert f"<!-- table: {table} -->" in PAGES, f"{table} is documented nowhere"


@pytest.mark.parametrize("section", [name for name in SECTIONS if name != "automations"])
def test_every_section_of_the_site_file_has_its_chapter(section):
    """But automations, which the loader refuses until they exist."""
    assert f"## `{section}:`" in PAGES


def test_every_command_of_the_command_line_is_documented():
    shown = {" ".join(one.prog.split()) for one in MAKER["command_parsers"](MAKER["cli"].parser())}
    assert {"meterhub check", "meterhub new", "meterhub user add", "meterhub restore"} <= shown
    assert [name for name in shown if f"`{name} " not in PAGES] == []
