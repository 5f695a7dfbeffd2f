"""Every text of the code stands translated in every catalogue, and the compiled catalogues are the written ones."""

from __future__ import annotations

import io
import runpy
from pathlib import Path

import pytest

pytest.importorskip("babel", reason="Babel is not installed: the catalogues are not compared with the code")

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = runpy.run_path(str(ROOT / "script" / "catalogues.py"))


def test_the_catalogues_are_complete():
    problems = list(CATALOGUES["problems"]())
    assert not problems, "\n".join([f"{len(problems)} texts; run script/texts and translate:", *problems[:20]])


def test_marked_texts_of_a_python_file_are_found():
    lines = ['_("One")', 'texts(mark("Two"))', 'self.texts("Three")', 'texts.count("a", "b", 2)', 'b"x".count(b"y")']
    found = CATALOGUES["calls"](io.BytesIO("\n".join(lines).encode()), None, None, None)
    assert [texts for _, _, texts, _ in sorted(found)] == ["One", "Two", "Three", ["a", "b"]]


def test_what_an_error_says_and_hints_is_found_with_names_for_its_values():
    lines = [
        'raise NotFound(f"there is no {kind!r} {row[\'id\']}"[:200], hint="look " + where if where else "ask")',
        'raise ConfigError("for deployers")',
        'device.detail = f"asked {job.tried} times, {other.tried:.1f} s"',
    ]
    found = CATALOGUES["calls"](io.BytesIO("\n".join(lines).encode()), None, None, None)
    assert sorted(texts for _, _, texts, _ in found) == [
        "ask",
        "asked {tried} times, {tried_2} s",
        "look {where}",
        "there is no {kind} {id}",
    ]
