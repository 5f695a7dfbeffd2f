"""Rules of the house that no linter knows. Each test names file and line, and what to write instead."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from meterhub.web.device_parts import GROUP_WORDS

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for folder in ("core", "plugins") for path in (ROOT / folder).rglob("*.py"))
TEMPLATES = sorted(path for folder in ("core", "plugins") for path in (ROOT / folder).rglob("*.html"))
CLOCKS = {"core/meterhub/clock.py", "core/meterhub/testing/clock.py"}
"""The only files that may ask for time, wait, or draw random numbers themselves."""

OWN_TIME = {
    "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.sleep",
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "asyncio.sleep", "asyncio.timeout",
    "asyncio.timeout_at", "asyncio.wait_for",
}  # fmt: skip
THREADS = {"core/meterhub/watchdog.py": {"time.monotonic", "time.sleep"}}
"""What a thread beside the loop may use: it has to see real time when the loop stands still."""

MAX_LINES, MAX_FUNCTION_LINES = 350, 40
MARKUP = {
    r"<script(?![^>]*\bsrc=)": "an inline script; the pages' policy forbids it: put it in static/",
    r"<style\b": "an inline style sheet; the pages' policy forbids it: put it in static/app.css",
    r"\sstyle\s*=": "a style attribute; the pages' policy forbids it: use a class",
    r"\shx-on\b": "hx-on; the pages' policy forbids it: listen in a script of static/",
    r"\son[a-z]+\s*=\s*[\"']": "an inline event handler; the pages' policy forbids it: listen in a script of static/",
    r"(?:src|href)=[\"']https?:": "something from elsewhere; pages load from the hub alone",
    r"\|\s*safe\b": "an unescaped text; build markup with Markup in Python, from escaped parts",
}


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def name(path):
    return path.relative_to(ROOT).as_posix()


def dotted(node):
    """``a.b`` of a call to ``x.a.b``; the last two names are enough to know it."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    return ".".join(reversed(parts[:2]))


def at_run_time(node):
    """Every node but those that only the type checker sees."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and dotted(child.test) == "TYPE_CHECKING"):
            yield child
            yield from at_run_time(child)


def none_of(found):
    listed = sorted(found)
    assert not listed, "\n" + "\n".join(listed)


def test_the_clock_is_the_only_source_of_time_and_waiting():
    none_of(
        f"{name(path)}:{node.lineno}: {dotted(node)}: take a Clock"
        for path in SOURCES
        if name(path) not in CLOCKS
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and dotted(node) in OWN_TIME - THREADS.get(name(path), set())
    )


def test_timers_are_set_through_the_clock():
    none_of(
        f"{name(path)}:{node.lineno}: {dotted(node.func)}: take a Clock and its call_later or call_at"
        for path in SOURCES
        if name(path) not in CLOCKS
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("call_later", "call_at")
        and "clock" not in dotted(node.func).lower()
    )


def test_random_numbers_come_from_the_clock():
    none_of(
        f"{name(path)}:{node.lineno}: imports random: take clock.random, or meterhub.clock.seeded"
        for path in SOURCES
        if name(path) not in CLOCKS
        for node in at_run_time(tree(path))
        if (isinstance(node, ast.Import) and any(one.name == "random" for one in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "random")
    )


def test_a_broad_except_says_which_boundary_it_is():
    none_of(
        f"{name(path)}:{number}: say why it may catch everything: # noqa: BLE001 - the boundary to ..."
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "noqa: BLE001" in line and not re.search(r"# noqa: BLE001 - \w{2}", line)
    )


def test_nothing_is_printed_but_by_the_command_line():
    none_of(
        f"{name(path)}:{node.lineno}: print: use the log, or return the text to cli.py"
        for path in SOURCES
        if path.name != "cli.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and dotted(node.func) == "print"
    )


def test_every_public_thing_has_a_docstring():
    found = []
    for path in SOURCES:
        if not path.read_text(encoding="utf-8").strip():
            continue
        if not ast.get_docstring(tree(path)):
            found.append(f"{name(path)}:1: the module has no docstring: one sentence on what it is for")
        found += [f"{name(path)}:{node.lineno}: {node.name} has no docstring" for node in public(tree(path))]
    none_of(found)


def public(node):
    """Classes and functions that others may use and that have no docstring."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if child.name.startswith("_") or _says_no_more(child):
            continue
        if not ast.get_docstring(child):
            yield child
        if isinstance(child, ast.ClassDef):
            yield from public(child)


def _says_no_more(node):
    """A setter, an overload, or a method that overrides a documented one."""
    marks = {dotted(one.func if isinstance(one, ast.Call) else one) for one in getattr(node, "decorator_list", [])}
    return any(mark.endswith((".setter", "overload", "override", "hookimpl")) for mark in marks)


def test_files_and_functions_are_short():
    found = []
    for path in SOURCES:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_LINES:
            found.append(f"{name(path)}: {lines} lines, {MAX_LINES} is the ceiling: is it two concepts?")
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = body_lines(node)
                if length > MAX_FUNCTION_LINES:
                    found.append(f"{name(path)}:{node.lineno}: {node.name} has {length} lines: say it in steps")
    none_of(found)


def body_lines(function):
    """The lines of a function without its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("pattern", MARKUP)
def test_templates_keep_to_the_policy_of_the_pages(pattern):
    none_of(
        f"{name(path)}:{number}: {MARKUP[pattern]}"
        for path in TEMPLATES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(pattern, line)
    )


def test_the_rules_find_what_they_look_for():
    code = ast.parse("import datetime\ndatetime.datetime.now()\nself.loop.call_later(1, f)\n")
    calls = [dotted(node.func) for node in ast.walk(code) if isinstance(node, ast.Call)]
    assert calls == ["datetime.now", "loop.call_later"]
    bad = '<script> <style> <p style="x" hx-on:click="y" onclick="z"> src="http://x" {{ x|safe }}'
    assert [pattern for pattern in MARKUP if not re.search(pattern, bad)] == []


def test_every_group_of_a_shipped_profile_has_a_name_in_words():
    shipped = ROOT.glob("plugins/*/*/profiles/*.yaml")
    used = {group for path in shipped for group in re.findall(r"\bgroup: (\w+)", path.read_text(encoding="utf-8"))}
    assert used and used <= set(GROUP_WORDS)
