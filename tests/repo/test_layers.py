"""The rooms import downwards only; the floors stand in pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

linter = pytest.importorskip("importlinter.cli", reason="import-linter is not installed: the layers are not checked")

ROOT = Path(__file__).resolve().parents[2]


def test_the_layers_of_the_house_hold(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(ROOT)
    status = linter.lint_imports(cache_dir=str(tmp_path))
    assert status == 0, capsys.readouterr().out


def test_the_linter_knows_every_plugin():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    plugins = {path.name for path in ROOT.glob("plugins/*/meterhub_*") if path.is_dir()}
    contracts = {contract["type"]: contract for contract in settings["contracts"]}
    assert set(settings["root_packages"]) == {"meterhub"} | plugins
    assert set(contracts["forbidden"]["forbidden_modules"]) == plugins
    assert set(contracts["independence"]["modules"]) == plugins
