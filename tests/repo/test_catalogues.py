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
