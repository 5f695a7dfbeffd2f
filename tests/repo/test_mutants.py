"""The small mistakes that mutation testing makes: one each, where it matters, and always a program."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "script"))
from mutants import mutants

SOURCE = '''
"""Words."""
MOST: int = 3

def pay(fen: int, books: dict) -> int:
    """More words."""
    assert fen is not None
    if fen < 1 or not books:
        raise ValueError(f"{fen + 1} is wrong")
    books["paid"] = {"fen": -fen, "kept": True}
    log.info("paid")
    return fen * 2
'''


@pytest.fixture
def found(tmp_path):
    path = tmp_path / "pay.py"
    path.write_text(SOURCE, encoding="utf-8")
    return mutants(path)


def test_each_mutant_is_a_program_that_differs(found):
    sources = [one.source for one in found]
    assert len(set(sources)) == len(sources) and SOURCE not in sources
    for one in sources:
        ast.parse(one)


def test_the_mistakes_are_those_that_a_person_makes(found):
    wrong = {one.what for one in found if one.line == 8}
    both = "fen < 1 or not books -> (fen < 1 and (not books))"
    assert wrong == {both, "fen < 1 -> (fen <= 1)", "not books -> (books)", "1 -> (2)"}
    assert {"without 'fen'", "without 'kept'", "-fen -> (fen)", "True -> (False)"} <= {one.what for one in found}
    assert {"fen * 2 -> (fen // 2)", "3 -> (4)"} <= {one.what for one in found}


def test_words_logs_and_checks_for_the_type_checker_stay(found):
    assert not [one for one in found if one.line in (2, 7, 11)]
    assert all("{fen + 1}" in one.source for one in found if "ValueError" in one.source)


def test_a_mistake_knows_its_function_and_its_line(found):
    assert {one.function for one in found if one.line >= 8} == {"pay"}
    assert {one.function for one in found if one.line == 3} == {""}
    assert {one.code for one in found if one.line == 3} == {"MOST: int = 3"}
