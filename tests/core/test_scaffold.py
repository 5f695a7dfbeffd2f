"""``meterhub new`` writes plugins that work: they keep every rule of ``check --plugin``, their own tests included."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from meterhub.cli import main

ROOT = Path(__file__).parents[2]
PLAIN = {
    "protocol": ("plugins/heat_x.py", ["plugins", "profiles", "tests"]),
    "link": ("plugins/heat_x.py", ["plugins", "tests"]),
    "payment": ("plugins/heat_x.py", ["plugins", "tests"]),
    "profile": ("profiles/heat-x.yaml", ["profiles", "tests"]),
}


def judged(capsys, *arguments):
    code = main(["check", "--plugin", *map(str, arguments)])
    *rules, verdict = capsys.readouterr().out.splitlines()
    return code, [one for one in rules if not one.startswith(("pass", "-"))], verdict


@pytest.mark.parametrize("kind", PLAIN)
def test_a_new_plugin_of_a_deployer_keeps_every_rule(kind, tmp_path, capsys):
    path, folders = PLAIN[kind]
    assert main(["new", kind, "heat-x", "--into", str(tmp_path)]) == 0
    written = capsys.readouterr().out.split()
    assert sorted(one.name for one in tmp_path.iterdir()) == folders
    assert str(tmp_path / path) in written
    assert judged(capsys, tmp_path / path)[:2] == (0, [])


@pytest.mark.parametrize("kind", PLAIN)
def test_a_new_package_keeps_every_rule(kind, tmp_path, capsys):
    assert main(["new", kind, f"water-{kind}", "--package", "--into", str(tmp_path)]) == 0
    project = tmp_path / f"meterhub-water-{kind}"
    assert (project / "README.md").exists() and (project / f"meterhub_water_{kind}" / "py.typed").exists()
    capsys.readouterr()
    assert judged(capsys, project)[:2] == (0, [])


def test_what_is_written_is_in_form(tmp_path):
    for kind in PLAIN:
        main(["new", kind, f"a-{kind}", "--into", str(tmp_path / "plain")])
        main(["new", kind, f"a-{kind}", "--package", "--into", str(tmp_path)])
    for what in (["check", "--select", "E,F,W,B,UP"], ["format", "--check"]):
        ended = subprocess.run(
            [sys.executable, "-m", "ruff", *what, "--line-length", "120", "--no-cache", "--isolated", str(tmp_path)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("name", ["Acme", "9meters", "a--b", "json", "a b", "../up"])
def test_a_name_that_cannot_be_one_is_refused(name, tmp_path, capsys):
    assert main(["new", "protocol", "--into", str(tmp_path), "--", name]) == 1
    assert "cannot be the name" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path, capsys):
    assert main(["new", "link", "bridge", "--into", str(tmp_path)]) == 0
    (tmp_path / "plugins" / "bridge.py").write_text("mine", encoding="utf-8")
    assert main(["new", "link", "bridge", "--into", str(tmp_path)]) == 1
    assert "bridge.py: this file is there already" in capsys.readouterr().err
    assert (tmp_path / "plugins" / "bridge.py").read_text(encoding="utf-8") == "mine"


def test_a_profile_is_copied_from_the_model_that_is_named(tmp_path, capsys):
    model = "dlt645-2007-three-phase"
    assert main(["new", "profile", "mine", "--model", model, "--into", str(tmp_path)]) == 0
    text = (tmp_path / "profiles" / "mine.yaml").read_text(encoding="utf-8")
    assert "id: mine\n" in text and "voltage_a" in text
    assert main(["new", "profile", "other", "--model", "nope", "--into", str(tmp_path)]) == 1
    assert model in capsys.readouterr().err
