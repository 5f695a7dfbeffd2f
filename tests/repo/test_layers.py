"""The rooms import downwards only; the floors stand in pyproject.toml."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT = "import sys; from importlinter import cli; sys.exit(cli.lint_imports(cache_dir=sys.argv[1]))"

if importlib.util.find_spec("importlinter") is None:
    pytest.skip("import-linter is not installed: the layers are not checked", allow_module_level=True)


def test_the_layers_of_the_house_hold(tmp_path):
    """In a process of its own: the linter silences all logs of the one it runs in."""
    linted = subprocess.run([sys.executable, "-c", LINT, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_the_linter_knows_every_plugin():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    plugins = {path.name for path in ROOT.glob("plugins/*/meterhub_*") if path.is_dir()}
    contracts = {contract["type"]: contract for contract in settings["contracts"]}
    assert set(settings["root_packages"]) == {"meterhub"} | plugins
    assert set(contracts["forbidden"]["forbidden_modules"]) == plugins
    assert set(contracts["independence"]["modules"]) == plugins
