"""Plugin life: a plugin that fails is named with file and line, and the others go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from meterhub.clock import Clock
from meterhub.plugins import Plugins, PluginState

MARKED = "from meterhub import hookimpl\n@hookimpl\n"
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "acme.py"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "acme.py").write_text(EXAMPLE.read_text())
    return folder


@pytest.fixture
def load(folder, tmp_path):
    def start(listed, disabled=()):
        plugins = Plugins(Clock(), tmp_path, lambda owner, coroutine: coroutine.close(), folder)
        plugins.find()
        return plugins, plugins.set_up(dict.fromkeys(listed, (None, "site.yaml:3")), disabled)

    return start


def test_a_file_of_sixty_lines_adds_a_protocol(load):
    assert len(EXAMPLE.read_text().splitlines()) <= 60
    plugins, mistakes = load(["acme"])
    assert mistakes == []
    assert [one.name for _, one in plugins.call("register_protocols")] == ["acme"]
    assert plugins.get("acme").registered == {"register_protocols": ["acme"]}


def test_a_plugin_that_is_not_listed_does_nothing(load):
    plugins, _ = load([])
    assert plugins.call("register_protocols") == []
    assert plugins.get("acme").state is PluginState.NOT_LISTED


@pytest.mark.parametrize(
    ("source", "line", "says"),
    [
        ("import meterhub\n\n1 / 0\n", 3, "ZeroDivisionError"),
        ("def broken(:\n", 1, "SyntaxError"),
        (
            "from meterhub import hookimpl\n@hookimpl\ndef register_protocol():\n    return []\n",
            2,
            "register_protocols?",
        ),
        ("def register_links():\n    return []\n", 1, "not marked with @hookimpl"),
        (MARKED + "def register_links(hub):\n    return []\n", 2, "no argument hub"),
        ("requires_api = 99\n", 0, "it needs plugin API 99"),
    ],
)
def test_a_broken_plugin_is_named_with_file_and_line(load, folder, source, line, says):
    (folder / "broken.py").write_text(source)
    plugins, mistakes = load(["broken", "acme"])
    broken = plugins.get("broken")
    assert mistakes == []
    assert broken.state is PluginState.FAILED
    assert says in broken.reason
    assert not line or broken.where == f"{folder / 'broken.py'}:{line}"
    assert plugins.get("acme").state is PluginState.RUNNING


def test_a_hook_that_raises_hurts_nobody_else(load, folder):
    (folder / "broken.py").write_text(MARKED + "def register_protocols():\n    raise RuntimeError('no licence')\n")
    plugins, _ = load(["broken", "acme"])
    assert [one.name for _, one in plugins.call("register_protocols")] == ["acme"]
    assert plugins.get("broken").where == f"{folder / 'broken.py'}:4"
    assert plugins.get("broken").reason == "RuntimeError: no licence"


def test_a_hook_that_returns_no_list_is_told_so(load, folder):
    (folder / "broken.py").write_text(MARKED + "def register_links():\n    return 'x'\n")
    plugins, _ = load(["broken"])
    assert plugins.call("register_links") == []
    assert "must return a list" in plugins.get("broken").reason


def test_a_misspelt_plugin_is_answered_with_the_right_word(load):
    _, mistakes = load(["acmee"])
    assert str(mistakes[0]) == "site.yaml:3: there is no plugin acmee (did you mean acme?)"


def test_a_plugin_that_blocked_the_hub_is_left_out(load):
    plugins, _ = load(["acme"], disabled=["acme"])
    assert plugins.get("acme").state is PluginState.DISABLED
    assert plugins.call("register_protocols") == []


def test_an_error_on_the_stack_is_put_down_to_its_plugin(load, folder):
    plugins, _ = load(["acme"])
    blamed = plugins.blame(["/usr/lib/python3/time.py", str(folder / "acme.py")], "it blocked the loop")
    assert blamed is plugins.get("acme") and blamed.last_error == "it blocked the loop"
