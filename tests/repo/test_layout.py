"""The folders stand where users, packagers and plugin authors expect them."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PLUGINS = sorted(path.name for path in (ROOT / "plugins").iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", ["core/meterhub", "plugins", "config", "tests", "docs", "docs/decisions", "script"])
def test_a_folder_of_the_house_is_there(folder):
    assert (ROOT / folder).is_dir()


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_folder_is_in_every_list(name):
    package, folder = f"plugins/{name}/meterhub_{name}", f"plugins/{name}"
    build = SETTINGS["tool"]["hatch"]["build"]
    assert package in build["targets"]["wheel"]["packages"]
    assert folder in build["dev-mode-dirs"]
    assert SETTINGS["project"]["entry-points"]["meterhub.plugins"][name] == f"meterhub_{name}"
    assert folder in SETTINGS["tool"]["mypy"]["mypy_path"]
    assert folder in SETTINGS["tool"]["ruff"]["src"]


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_folder_has_its_package_and_a_readme_for_deployers(name):
    package = ROOT / "plugins" / name / f"meterhub_{name}"
    assert (package / "__init__.py").is_file()
    assert (package / "py.typed").is_file(), "without py.typed a third party's type checker ignores the package"
    readme = ROOT / "plugins" / name / "README.md"
    assert readme.is_file() and len(readme.read_text(encoding="utf-8")) > 300


def test_test_files_have_names_of_their_own():
    names: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        names.setdefault(path.name, []).append(str(path.relative_to(ROOT)))
    assert [paths for paths in names.values() if len(paths) > 1] == []


def test_constraints_are_names_and_versions_only():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not _is_pinned(line)] == []


@pytest.mark.parametrize("script", ["setup", "test", "lint", "texts", "bench", "docs"])
def test_a_script_can_be_run_as_it_is(script):
    listed = subprocess.run(
        ["git", "ls-files", "--stage", f"script/{script}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no git work tree: the files' modes are not known")
    assert listed.stdout.startswith("100755")


def _is_pinned(line):
    name, _, version = line.partition("==")
    return name.replace("-", "").replace("_", "").replace(".", "").isalnum() and version.replace(".", "").isalnum()
