"""The catalogue: every row can be found, and its layout makes sense."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meterhub_dlt645.catalogue import EDITIONS, catalogue

ROWS = {edition: catalogue(edition).rows for edition in EDITIONS}


def first_of(row) -> str:
    identifier = row.pattern
    for one in row.variables:
        identifier = identifier.replace(one.name, f"{one.least:0{len(one.name)}X}")
    return identifier


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_row_is_found_and_decodes(edition):
    for row in ROWS[edition]:
        layout = catalogue(edition).find(first_of(row))
        assert layout is not None, row
        assert re.fullmatch("[a-z0-9_]+", layout.key) and layout.name and layout.name_zh
        assert "{" not in layout.name, layout.name
        if layout.kind == "fields":
            assert layout.fields, row
        keys = [field.key for field, _ in layout.items(240)]
        assert len(keys) == len(set(keys)), row


def test_ranges_are_kept():
    known = catalogue("2007")
    assert known.find("00013F0C") is not None
    assert known.find("00014000") is None
    assert known.find("0001000D") is None
    assert known.find("0001FFFF") is None
    assert catalogue("1997").find("901E") is not None


def test_blocks_know_their_members():
    known = catalogue("2007")
    assert known.block_of("00010300") == ("0001FF00", 3)
    assert known.block_of("02010200") == ("0201FF00", 1)
    assert known.block_of("04000503") == ("040005FF", 2)
    assert known.block_of("00900200") is None
    assert catalogue("1997").block_of("9012") == ("901F", 2)


@pytest.mark.parametrize(
    ("edition", "identifier", "size"),
    [
        ("2007", "00010000", 4),
        ("2007", "01010000", 8),
        ("2007", "02010100", 2),
        ("2007", "02020100", 3),
        ("2007", "03010101", 131),
        ("2007", "0333FF01", 23),
        ("2007", "04000403", 32),
        ("2007", "04010000", 42),
        ("2007", "070104FF", 143),
        ("2007", "028011FF", 65),
        ("1997", "9010", 4),
        ("1997", "B611", 2),
        ("1997", "C032", 6),
        ("1997", "C119", 4),
    ],
)
def test_lengths(edition, identifier, size):
    assert catalogue(edition).find(identifier).fixed() == size


def test_tariffs_and_settlements_are_in_the_names():
    known = catalogue("2007")
    assert known.find("00010000").name == "Forward active energy"
    assert known.find("00010203").name == "Forward active energy, tariff 2, settlement 3"
    assert known.find("040501FF").name == "Tariff price, set 1"


def test_the_documents_have_every_identifier():
    page = (Path(__file__).parents[3] / "docs" / "dlt645-identifiers.md").read_text("utf-8")
    for edition in EDITIONS:
        for row in ROWS[edition]:
            assert f"`{row.pattern}`" in page
            assert re.sub(r"\{(\w+)\}", r"\1", row.name_zh) in page


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_item_and_bit_has_a_chinese_name(edition):
    for row in ROWS[edition]:
        layout = catalogue(edition).find(first_of(row))
        names = [one.name_zh for field in layout.fields for one in (field, *field.bits)]
        for name in (layout.name_zh, *names):
            left = re.sub("[ABC]相|AB|AC|BC|CA|ABC|JoyMeter|[A-Z0-9/]+|bit", "", name)
            assert not re.search("[A-Za-z{]{2}", left) and re.search("[一-鿿]", name), (row.pattern, name)


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("00010203", "正向有功电能 费率2 上3结算日"),
        ("03010102", "上2次A相失压记录"),
        ("00FE0003", "上3结算日结算时间"),
        ("040502FF", "第二套费率电价"),
        ("020A01FF", "A相电压谐波含量"),
    ],
)
def test_chinese_names_hold_their_numbers(identifier, name):
    assert catalogue("2007").find(identifier).name_zh == name
