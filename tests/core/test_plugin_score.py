"""``meterhub check --plugin``: what it finds, how it says so, and when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from meterhub.cli import main
from meterhub.plugin_score.rules_of_projects import allows

ROOT = Path(__file__).parents[2]
GOOD = '''"""A plugin."""

from meterhub import hookimpl


@hookimpl
def register_profiles():
    """None yet."""
    return []
'''


@pytest.fixture
def score(tmp_path, capsys):
    def run(text, *, profile="", tests=""):
        (tmp_path / "mine.py").write_text(text, encoding="utf-8")
        if profile:
            (tmp_path / "mine.yaml").write_text(profile, encoding="utf-8")
        if tests:
            (tmp_path / "test_mine.py").write_text(tests, encoding="utf-8")
        code = main(["check", "--plugin", str(tmp_path / "mine.py")])
        lines = capsys.readouterr().out.splitlines()
        said = dict(line[6:].split(": ", 1) for line in lines[:-1])
        marks = {line[6:].split(":")[0]: line[:5].strip() for line in lines[:-1]}
        return code, marks, said, lines[-1]

    return run


def test_one_line_per_rule_and_a_total(score):
    code, marks, said, verdict = score(GOOD)
    assert code == 1 and marks["loads"] == "pass" and marks["brings"] == "FAIL"
    assert said["brings"] == "none of its hooks brings anything"
    assert "must be kept are broken" in verdict


def instead(old, new):
    return lambda text: text.replace(old, new)


@pytest.mark.parametrize(
    ("spoil", "rule", "mark", "words"),
    [
        (instead("_profiles", "_profile"), "loads", "FAIL", "mine.py:6: there is no hook register_profile"),
        (instead("return []", "return 1 / 0"), "loads", "FAIL", "mine.py:9: ZeroDivisionError"),
        (instead("return []", "return ["), "loads", "FAIL", "SyntaxError"),
        (instead("@hookimpl", "requires_api = 99\n@hookimpl"), "loads", "FAIL", "it needs plugin API 99"),
        (instead("[]", "[1]"), "brings", "FAIL", "register_profiles brings int"),
        (instead("", ""), "requires_api", "miss", "requires_api = 1"),
        (instead("return", "import time as t\n    t.sleep(0)\n    return"), "blocking", "FAIL",
         "mine.py:10: time.sleep blocks the loop"),
        (instead("return", "from random import random\n    random()\n    return"), "clock", "miss",
         "mine.py:10: random.random: take ctx.clock"),
        (instead("return", "print(end='')\n    return"), "print", "miss", "mine.py:9: print: use ctx.log"),
        (instead('    """None yet."""\n', ""), "docstrings", "miss", "register_profiles has no docstring"),
        (instead("", ""), "types", "miss", "mine.py:7: register_profiles has no type for its result"),
        (instead("", ""), "tests", "miss", "there are no tests"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_file_and_line(score, spoil, rule, mark, words):
    _, marks, said, _ = score(spoil(GOOD))
    assert marks[rule] == mark and words in said[rule]


def test_a_protocol_without_the_suite_fails_and_one_whose_tests_fail(score):
    acme = (ROOT / "docs" / "examples" / "acme.py").read_text(encoding="utf-8")
    code, marks, said, _ = score(acme)
    assert (code, marks["conformance"]) == (1, "FAIL") and "ProtocolConformance" in said["conformance"]
    code, marks, said, _ = score(acme, tests="def test_it():\n    assert 2 == 3\n")
    assert (code, marks["tests_pass"]) == (1, "FAIL") and "2 == 3" in said["tests_pass"]


def test_a_vector_that_means_something_else_fails(tmp_path, capsys):
    main(["new", "protocol", "flow", "--into", str(tmp_path)])
    (tmp_path / "tests" / "test_flow.py").unlink()
    file = tmp_path / "profiles" / "flow-sample.yaml"
    text = file.read_text(encoding="utf-8").replace('value: "1.500"', 'value: "15.00"')
    file.write_text(text, encoding="utf-8")
    capsys.readouterr()
    assert main(["check", "--plugin", str(tmp_path / "plugins" / "flow.py")]) == 1
    assert "FAIL  vectors: flow-sample.yaml:" in capsys.readouterr().out


def test_a_profile_that_is_wrong_fails_with_file_and_line(tmp_path, capsys):
    main(["new", "profile", "flow", "--into", str(tmp_path)])
    file = tmp_path / "profiles" / "flow.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("entities:", "entitys:"), encoding="utf-8")
    capsys.readouterr()
    assert main(["check", "--plugin", str(file)]) == 1
    assert "FAIL  profiles: flow.yaml:" in (out := capsys.readouterr().out) and "entities" in out


@pytest.mark.parametrize("name", ["dlt645", "gprs", "serial"])
def test_our_own_plugins_keep_every_rule(name, capsys, tmp_path):
    """But for their tests, which the suite runs anyway."""
    (tmp_path / "test_none.py").write_text(
        "class P(ProtocolConformance): ...\nclass L(LinkConformance): ...\ndef test(): ...\n"
        .replace("class", "ProtocolConformance = LinkConformance = object\nclass", 1), encoding="utf-8",
    )  # fmt: skip
    assert main(["check", "--plugin", str(ROOT / "plugins" / name), "--tests", str(tmp_path)]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith(("FAIL", "miss"))] == []


def test_where_there_is_no_plugin_it_is_said(tmp_path, capsys):
    assert main(["check", "--plugin", str(tmp_path)]) == 1
    assert "there is no plugin here" in capsys.readouterr().err
    with pytest.raises(SystemExit) as wrong_use:
        main(["check"])
    assert wrong_use.value.code == 2


@pytest.mark.parametrize(
    ("clauses", "installed", "kept"),
    [
        ("", "3.14.1", True), (">=3.14,<4", "3.14.1", True), (">=3.15", "3.14.1", False), ("<3", "3.14.1", False),
        ("==3.14", "3.14.0", True), ("==3.14.*", "3.14.7", True), ("==3.14.*", "3.15.0", False),
        ("~=3.14", "3.20", True),
        ("~=3.14.1", "3.15", False), ("!=3.14.1", "3.14.1", False), (">3.14", "3.14", False),
        ("<=3.14", "3.14.0rc1", True),
    ],
)  # fmt: skip
def test_a_version_is_compared_with_clauses(clauses, installed, kept):
    assert allows(clauses, installed) is kept


def test_a_project_that_excludes_what_the_hub_uses_fails(tmp_path, capsys):
    main(["new", "link", "narrow", "--package", "--into", str(tmp_path)])
    project = tmp_path / "meterhub-narrow"
    settings = (project / "pyproject.toml").read_text(encoding="utf-8")
    needs = '"meterhub", "pluggy[x] < 1 ; python_version > \'3\'", "requests<1"'
    (project / "pyproject.toml").write_text(settings.replace('"meterhub"]', needs + "]"), encoding="utf-8")
    capsys.readouterr()
    assert main(["check", "--plugin", str(project)]) == 1
    [failed] = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("FAIL", "miss"))]
    assert failed.startswith("FAIL  dependencies: pyproject.toml:") and "excludes pluggy" in failed
