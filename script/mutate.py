"""Mutation testing: makes one small mistake after the other in a module and sees whether a test notices.

    script/mutate [--budget SECONDS] [--tests PATH ...] MODULE.py[:LINE] ...

A process collects the tests and runs them once, to learn which of them pass through which line. From it a process of
its own parts for each mutant: there the functions of the module get the code with the mistake, and the tests that pass
through its line run until one fails: the mutant is killed. Mistakes in what runs at the import of a module meet a
process that has not imported it yet. The working tree is not touched.

Prints every survivor, then a table. ``equivalent.tsv`` beside this script lists mutants that change nothing which
anybody could notice, with the reason: module, function, line of code, mistake, why. They are not tried. Exits with 1
when another one survives, or the list names a mutant that there is not.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.abc
import importlib.util
import inspect
import json
import os
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest
from mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parent.parent
EQUIVALENT = Path(__file__).with_name("equivalent.tsv")
TESTS = [
    "tests/core/money",
    "--ignore=tests/core/money/test_crash_points.py",
    "--ignore=tests/core/money/test_simulation.py",
    "--ignore=tests/core/money/test_over_the_wire.py",
]
"""The tests of money without those that take minutes, and those in real time, which a busy machine can fail."""
FOLDERS = [ROOT / "core", *sorted((ROOT / "plugins").iterdir())]
SLOWER, AT_LEAST_S = 5, 3
"""A test that takes so much more time of the processor than it did is in an endless loop: killed."""
WAITING_S = 20
"""One that takes so much longer still without the processor waits for ever. Time in which all stands still is none."""
HEAVY = ("aiohttp.web", "hypothesis", "jinja2", "sqlite_utils", "voluptuous", "Crypto.PublicKey.RSA", "pytest_asyncio")
"""Imported once, before the processes part, because it takes long."""


class Known:
    """Which tests pass through which line, and how much time of the processor each takes."""

    def __init__(self, lines: dict[str, dict[str, list[str]]], seconds: dict[str, float]) -> None:
        self.lines = lines
        self.seconds = seconds
        self._left_s = 0.0

    def tests(self, mutant: Mutant, budget_s: float) -> list[str]:
        """Tests for a mutant, as many as fit: quick ones first, and those that pass through much of the file.

        For what runs at the import those of the file, or all.
        """
        lines = self.lines.get(str(mutant.path), {})
        passed = Counter(test for tests in lines.values() for test in tests)
        found = set(lines.get(str(mutant.line), ())) if mutant.function else set(passed) or set(self.seconds)
        chosen, left = [], budget_s
        for test in sorted(found, key=lambda one: self.seconds[one] / (1 + passed[one])):
            left -= self.seconds[test]
            if chosen and left < 0:
                break
            chosen.append(test)
        return chosen

    def allow(self, *tests: str) -> None:
        """End this process, made for one mutant, when the tests that begin now take much more time than they did."""
        seconds = AT_LEAST_S + SLOWER * sum(self.seconds[one] for one in tests)
        soft = round(time.process_time() + seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
        watched, self._left_s = self._left_s > 0, WAITING_S + SLOWER * seconds
        if not watched:
            threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        while self._left_s > 0:
            time.sleep(1)
            self._left_s -= 1
        os._exit(1)


class Asker:
    """A pytest plugin: when the tests are collected it learns, then asks them about ``asked``; ``told`` gets both."""

    def __init__(self, files: set[Path], asked: list[Mutant], budget_s: float) -> None:
        self._files, self._asked, self._budget_s = sorted(files), asked, budget_s
        self.told: tuple[Known, list[bool]] | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of running all tests here."""
        lines, seconds = _answer_of(lambda: self._learned(session))
        known = Known(lines, seconds)
        self.told = known, [self._killed(session, one, known) for one in self._asked]
        return True

    def _learned(self, session: pytest.Session) -> object:
        import coverage

        cover = coverage.Coverage(data_file=None, include=[str(path) for path in self._files], config_file=False)
        seconds = {}

        def begins(test: str) -> None:
            cover.switch_context(test)
            seconds[test] = time.process_time()

        cover.start()
        if not _passed(session, session.items, begins):
            raise SystemExit("the tests fail without any mutant: see them first")
        cover.stop()
        ends = [*list(seconds.values())[1:], time.process_time()]
        seconds = {test: end - begin for (test, begin), end in zip(seconds.items(), ends, strict=True)}
        data = cover.get_data()
        lines = {str(path): data.contexts_by_lineno(str(path)) for path in self._files}
        clean = {
            path: {line: [one for one in tests if one] for line, tests in by.items()} for path, by in lines.items()
        }
        return clean, seconds

    def _killed(self, session: pytest.Session, mutant: Mutant, known: Known) -> bool:
        tests = known.tests(mutant, self._budget_s)
        items = {item.nodeid: item for item in session.items}

        def run() -> bool:
            _put_in(mutant)
            return _passed(session, [items[one] for one in tests], known.allow)

        return not _survives(run, mutant)


class Injected(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another source."""

    def __init__(self, name: str, mutant: Mutant) -> None:
        self._name = name
        self._mutant = mutant

    def find_spec(self, name: str, path: object, target: ModuleType | None = None) -> object:
        """This module is loaded here, all others elsewhere."""
        return importlib.util.spec_from_loader(name, self, origin="a mutant") if name == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the source with the mistake."""
        exec(compile(self._mutant.source, str(self._mutant.path), "exec"), module.__dict__)


def main(given: Sequence[str]) -> int:
    """Carry out the command; returns the exit code."""
    options = _parser().parse_args(given)
    os.chdir(ROOT)
    for name in HEAVY:
        importlib.import_module(name)
    every = [one for path, line in options.modules for one in mutants(path) if line in (0, one.line)]
    equivalent, strange = _equivalent(every, {path for path, line in options.modules if not line})
    inside = [one for one in every if one not in equivalent and one.function]
    outside = [one for one in every if one not in equivalent and not one.function]
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        arguments = ["-q", "-s", "-x", "-p", "no:cacheprovider", f"--basetemp={folder}/tests", *options.tests]
        (lines, seconds), killed = _answer_of(lambda: _asked({one.path for one in every}, inside, options, arguments))
        known = Known(lines, seconds)
        killed += [_killed_at_import(one, known.tests(one, options.budget), known, arguments) for one in outside]
    alive = [one for one, dead in zip(inside + outside, killed, strict=True) if not dead]
    _table(every, equivalent, alive)
    for row in strange:
        print(f"{EQUIVALENT.name}: there is no such mutant: {row}")
    return 1 if alive or strange else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="script/mutate", description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="+", type=_place, metavar="MODULE.py[:LINE]")
    parser.add_argument("--tests", nargs="+", default=TESTS, metavar="PATH")
    parser.add_argument("--budget", type=float, default=20.0, help="seconds of tests for one mutant")
    return parser


def _place(given: str) -> tuple[Path, int]:
    path, _, line = given.partition(":")
    return Path(path).resolve(), int(line or 0)


def _equivalent(every: list[Mutant], whole: set[Path]) -> tuple[list[Mutant], list[str]]:
    """Those of the mutants that are listed, and the rows about ``whole`` modules that fit to none."""
    rows = [line.split("\t")[:4] for line in EQUIVALENT.read_text(encoding="utf-8").splitlines()]
    names = [[str(one.path.relative_to(ROOT)), one.function, one.code, one.what] for one in every]
    strange = [" ".join(row) for row in rows if ROOT / row[0] in whole and row not in names]
    return [one for one, name in zip(every, names, strict=True) if name in rows], strange


def _asked(files: set[Path], inside: list[Mutant], options: argparse.Namespace, arguments: list[str]) -> object:
    asker = Asker(files, inside, options.budget)
    pytest.main(arguments, plugins=[asker])
    assert asker.told is not None
    known, killed = asker.told
    return (known.lines, known.seconds), killed


def _killed_at_import(mutant: Mutant, tests: list[str], known: Known, arguments: list[str]) -> bool:
    (folder,) = (one for one in FOLDERS if mutant.path.is_relative_to(one))
    name = ".".join(mutant.path.relative_to(folder).with_suffix("").parts)

    def run() -> bool:
        known.allow(*tests)
        # Before pytest's own importer, which takes every module of a package with pytest plugins.
        sys.meta_path.insert(0, Injected(name, mutant))
        importlib.import_module(name)
        return pytest.main([*(one for one in arguments if one.startswith("-")), *tests]) == 0

    return not _survives(run, mutant)


def _survives(run: Callable[[], bool], mutant: Mutant) -> bool:
    alive = os.waitpid(_fork(run, silent=True), 0)[1] == 0
    if alive:
        print(f"  {mutant.path.relative_to(ROOT)}:{mutant.line}: {mutant.what}", flush=True)
    return alive


def _put_in(mutant: Mutant) -> None:
    """Give the functions of the mutant's module its code; whoever has imported them has the mistake too."""
    codes = {code.co_qualname: code for code in _codes(compile(mutant.source, str(mutant.path), "exec"))}
    done = set()
    for function in _functions(mutant.path):
        function.__code__ = codes[function.__qualname__]
        done.add(function.__qualname__)
    assert mutant.function in done, mutant.function


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _codes(one)


def _functions(path: Path) -> Iterator[FunctionType]:
    """The functions and methods that a file defines, out of what decorators made of them."""
    (module,) = (one for one in list(sys.modules.values()) if getattr(one, "__file__", None) == str(path))
    places = [vars(module), *(vars(one) for one in vars(module).values() if isinstance(one, type))]
    for value in [one for place in places for one in list(place.values())]:
        bare = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        function = inspect.unwrap(bare)
        if isinstance(function, FunctionType) and function.__code__.co_filename == str(path):
            yield function


def _passed(session: pytest.Session, items: list[pytest.Item], each: Callable[[str], object]) -> bool:
    """Run tests until one fails; ``each`` hears of one before it begins."""
    for item, following in zip(items, [*items[1:], None], strict=True):
        each(item.nodeid)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return False
    return True


def _answer_of(ask: Callable[[], object]) -> tuple:
    """What ``ask`` returns in a process of its own."""
    reading, writing = os.pipe()

    def run() -> bool:
        with os.fdopen(writing, "w") as out:
            json.dump(ask(), out)
        return True

    child = _fork(run)
    os.close(writing)
    with os.fdopen(reading) as answer:
        told = answer.read()
    if os.waitpid(child, 0)[1] != 0:
        raise SystemExit("nothing was learned: see above")
    return tuple(json.loads(told))


def _fork(run: Callable[[], bool], *, silent: bool = False) -> int:
    """A process of its own for ``run``; returns its number."""
    child = os.fork()
    if child:
        return child
    passed = False
    try:
        silence = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2) if silent else ():
            os.dup2(silence, number)
        passed = run()
    finally:
        os._exit(0 if passed else 1)


def _table(every: list[Mutant], equivalent: list[Mutant], alive: list[Mutant]) -> None:
    """A line for each module, and the score over all of them."""
    total, same, left = (Counter(one.path for one in some) for some in (every, equivalent, alive))
    print("| module | mutants | killed | equivalent | survivors |\n|---|---|---|---|---|")
    for path in dict.fromkeys(one.path for one in every):
        figures = total[path], total[path] - same[path] - left[path], same[path], left[path]
        print(f"| {path.stem} | {' | '.join(map(str, figures))} |")
    asked = len(every) - len(equivalent)
    print(f"score {100 * (asked - len(alive)) / max(asked, 1):.1f} %: {asked - len(alive)} of {asked} killed")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
