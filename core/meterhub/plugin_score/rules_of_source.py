"""Rules on how a plugin is written: nothing blocks the loop, time comes from the clock, it is documented and typed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from meterhub.plugin_score.loaded import Loaded
from meterhub.plugin_score.rules import Rule

BLOCKING = {
    "time.sleep": "await ctx.clock.sleep()",
    "os.system": "asyncio.create_subprocess_exec",
    "subprocess.run": "asyncio.create_subprocess_exec",
    "subprocess.call": "asyncio.create_subprocess_exec",
    "subprocess.check_call": "asyncio.create_subprocess_exec",
    "subprocess.check_output": "asyncio.create_subprocess_exec",
    "urllib.request.urlopen": "aiohttp",
    "requests.get": "aiohttp",
    "requests.post": "aiohttp",
    "requests.request": "aiohttp",
    "socket.create_connection": "loop.create_connection",
    "sqlite3.connect": "the hub's store",
    "input": "settings in the site file",
}
OWN_TIME = (
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.perf_counter",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.date.today",
    "asyncio.sleep",
    "asyncio.wait_for",
    "asyncio.timeout",
    "random.",
)
"""What the clock gives in place of these repeats in tests and simulations."""

Finder = Callable[[ast.Module], Iterator[tuple[int, str]]]
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """Every call with the full name of what is called, import aliases resolved."""
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known.update({one.asname or one.name.partition(".")[0]: one.asname and one.name for one in node.names})
        elif isinstance(node, ast.ImportFrom) and node.module:
            known.update({one.asname or one.name: f"{node.module}.{one.name}" for one in node.names})
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            first, _, rest = ast.unparse(node.func).partition(".")
            if first in known or not rest:  # else a method of some object, not of a module
                yield node, ".".join(filter(None, [known.get(first) or first, rest]))


def blocking(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Calls that stop every meter of the hub while they last."""
    for node, name in calls(tree):
        if name in BLOCKING:
            yield node.lineno, f"{name} blocks the loop: use {BLOCKING[name]}"


def own_time(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Time, waiting and chance that do not come from the clock."""
    for node, name in calls(tree):
        if any(name == one or (one[-1] == "." and name.startswith(one)) for one in OWN_TIME):
            yield node.lineno, f"{name}: take ctx.clock, so that tests can move time"


def prints(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Output that nobody sees."""
    yield from ((node.lineno, "print: use ctx.log") for node, name in calls(tree) if name == "print")


def undocumented(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The module, its public classes and functions; methods may override documented ones."""
    if tree.body and not ast.get_docstring(tree):
        yield 1, "the module has no docstring"
    for node in tree.body:
        if isinstance(node, FunctionNode | ast.ClassDef) and node.name[0] != "_" and not ast.get_docstring(node):
            yield node.lineno, f"{node.name} has no docstring"


def untyped(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Functions whose arguments or result have no type."""
    for node in ast.walk(tree):
        if isinstance(node, FunctionNode):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            bare = [one.arg for one in arguments if one.annotation is None and one.arg not in ("self", "cls")]
            if bare or node.returns is None:
                what = f"no type for {', '.join(bare)}" if bare else "no type for its result"
                yield node.lineno, f"{node.name} has {what}"


def _in_sources(find: Finder, loaded: Loaded) -> list[str] | None:
    """Apply a finder to every source file; None for a profile alone."""
    if not loaded.subject.sources:
        return None
    return [
        f"{loaded.place(file, line)}: {text}"
        for file in loaded.subject.sources
        for line, text in sorted(find(tree_of(file)))
    ]


def tree_of(file: Path) -> ast.Module:
    """The syntax tree of a file, an empty one when it cannot be read."""
    try:
        return ast.parse(file.read_text(encoding="utf-8"))
    except SyntaxError:
        return ast.Module([], [])  # the rule ``loads`` tells it


def _readme(loaded: Loaded) -> list[str] | None:
    module = loaded.subject.module
    if module is None or module.is_file():
        return None
    return [] if loaded.subject.readme is not None else ["there is no README.md for whoever deploys it"]


def _marked_as_typed(loaded: Loaded) -> list[str] | None:
    module = loaded.subject.module
    if module is None or module.is_file():
        return None
    return [] if (module / "py.typed").exists() else ["there is no py.typed: type checkers ignore its types"]


SOURCE_RULES = (
    Rule("blocking", True, "nothing in it blocks the loop", partial(_in_sources, blocking)),
    Rule("clock", False, "time, waiting and chance come from the clock", partial(_in_sources, own_time)),
    Rule("print", False, "it logs and does not print", partial(_in_sources, prints)),
    Rule("docstrings", False, "what is public says what it is for", partial(_in_sources, undocumented)),
    Rule("types", False, "every function is typed", partial(_in_sources, untyped)),
    Rule("py_typed", False, "its types are offered to others", _marked_as_typed),
    Rule("readme", False, "it has a README for deployers", _readme),
)
