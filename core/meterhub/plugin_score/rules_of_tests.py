"""Rules on a plugin's tests: they are there, they hold the conformance suites, they pass."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from meterhub.plugin_score.loaded import Loaded
from meterhub.plugin_score.rules import Rule
from meterhub.plugin_score.rules_of_source import tree_of

MOST_SECONDS = 600
SUITES = {
    "register_protocols": "ProtocolConformance",
    "register_links": "LinkConformance",
    "register_payments": "PaymentConformance",
}


def has_tests(loaded: Loaded) -> list[str] | None:
    """There are tests."""
    where = "tests/ or test_NAME.py beside it, or --tests PATH"
    return [] if loaded.subject.tests else [f"there are no tests ({where})"]


def conforms(loaded: Loaded) -> list[str] | None:
    """Its tests hold the conformance suite of each kind of thing that it brings."""
    wanted = [suite for hook, suite in SUITES.items() if loaded.brought.get(hook)]
    if not wanted:
        return None
    held = {base for file in _files(loaded) for base in _bases(file)}
    return [f"none of its tests is a class {suite}" for suite in wanted if suite not in held]


def tests_pass(loaded: Loaded) -> list[str] | None:
    """Its tests pass; not asked where pytest is not installed."""
    if not loaded.subject.tests or importlib.util.find_spec("pytest") is None:
        return None
    module = loaded.subject.module
    paths = [*([str(module.parent)] if module is not None else []), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *map(str, loaded.subject.tests)]
    try:
        ended = subprocess.run(
            command,
            cwd=loaded.subject.tests[0].parent,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [f"its tests did not end within {MOST_SECONDS} s"]
    if ended.returncode == 0:
        return []
    said = [line for line in ended.stdout.splitlines() if line.startswith(("FAILED", "ERROR", "E  "))]
    return said[-1:] or [f"pytest ended with {ended.returncode}: {(ended.stdout + ended.stderr).strip()[-200:]}"]


def _files(loaded: Loaded) -> Iterator[Path]:
    for path in loaded.subject.tests:
        yield from path.rglob("test_*.py") if path.is_dir() else [path]


def _bases(file: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.ClassDef):
            yield from (ast.unparse(base).rpartition(".")[2] for base in node.bases)


TEST_RULES = (
    Rule("tests", False, "it has tests", has_tests),
    Rule("conformance", True, "its tests hold the conformance suites", conforms),
    Rule("tests_pass", True, "its tests pass", tests_pass),
)
