"""Modules that call themselves pure are: they reach no file, no wire, no clock and no task."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAYS_PURE = re.compile(r"\bPure\b")
IMPURE = {
    "aiohttp", "asyncio", "http", "io.open", "os", "pathlib", "random", "secrets", "select", "shutil", "socket",
    "sqlite3", "subprocess", "tempfile", "threading", "time", "yarl",
}  # fmt: skip
PROMISED = {
    "plugins/alipay/meterhub_alipay/crypto.py",
    "plugins/wechat/meterhub_wechat/crypto.py",
    "plugins/sms/meterhub_sms/crypto.py",
}
"""Those that outsiders rely on to be so."""


def pure_modules():
    for folder in ("core", "plugins"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            if SAYS_PURE.search(ast.get_docstring(tree) or ""):
                yield pytest.param(tree, id=str(path.relative_to(ROOT)))


PURE = list(pure_modules())


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("tree", PURE)
def test_a_pure_module_has_no_way_out(tree):
    assert {one.partition(".")[0] for one in imported(tree)} & IMPURE == set()
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Await | ast.AsyncFunctionDef)]
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not [one for one in calls if isinstance(one, ast.Name) and one.id in ("open", "print", "input")]


def test_what_outsiders_call_is_pure():
    assert {one.id for one in PURE} >= PROMISED
