"""Mutation testing: makes one small mistake after the other in a module and sees whether a test notices.

    script/mutate [--sample N] [--seed S] [--budget SECONDS] [--tests PATH ...] MODULE.py ...

First the tests run once, to learn which of them pass through which line. Then each mutant meets the tests that pass
through its line, the fastest first, until one fails: the mutant is killed. The working tree is not touched: a mutant
lives in the memory of a process of its own. Prints every survivor, then the score; exits with 1 when there are any.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.abc
import importlib.util
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import pytest
from mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = [ROOT / "core", *sorted((ROOT / "plugins").iterdir())]
SLOWER = 10.0
"""A mutant whose tests take so much longer than they did is in an endless loop: killed."""
HEAVY = ("aiohttp.web", "hypothesis", "jinja2", "sqlite_utils", "voluptuous", "Crypto.PublicKey.RSA", "pytest_asyncio")
"""Imported once, before the processes part, because it takes long."""


class Known:
    """Which tests pass through which line, and how long each takes."""

    def __init__(self, lines: dict[str, dict[str, list[str]]], seconds: dict[str, float]) -> None:
        self._lines = lines
        self.seconds = seconds

    def tests(self, mutant: Mutant, budget_s: float) -> list[str]:
        """Tests for a mutant, fastest first, as many as fit; those of the file, or all, for what runs at its import."""
        lines = self._lines.get(str(mutant.path), {})
        found = set(lines.get(str(mutant.line), ())) or {test for tests in lines.values() for test in tests}
        found = found or set(self.seconds)
        chosen, left = [], budget_s
        for test in sorted(found, key=lambda one: self.seconds.get(one, 0.0)):
            left -= self.seconds.get(test, 0.0)
            if chosen and left < 0:
                break
            chosen.append(test)
        return chosen


class Watcher:
    """A pytest plugin: notes the lines of each test, and its seconds."""

    def __init__(self, cover: object) -> None:
        self._cover = cover
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """What runs from here on runs for this test."""
        self._cover.switch_context(item.nodeid)  # type: ignore[attr-defined]
        yield

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Set-up, call and end of one test."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration


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
    files = [path.resolve() for path in options.modules]
    known = _learn(files, options.tests)
    chance = random.Random(options.seed)
    survivors, total = [], 0
    for path in files:
        every = mutants(path)
        some = sorted(chance.sample(every, min(options.sample, len(every))), key=lambda one: one.line)
        alive = [one for one in some if not _killed(one, known, options.budget)]
        total += len(some)
        survivors += alive
        print(f"{path.relative_to(ROOT)}: {len(some) - len(alive)} of {len(some)} killed ({len(every)} in all)")
        for one in alive:
            print(f"  {path.relative_to(ROOT)}:{one.line}: {one.what}", flush=True)
    print(f"score {100 * (total - len(survivors)) / max(total, 1):.1f} %: {total - len(survivors)} of {total} killed")
    return 1 if survivors else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="script/mutate", description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="+", type=Path, metavar="MODULE.py")
    parser.add_argument("--tests", nargs="+", default=["tests/core/money"], metavar="PATH")
    parser.add_argument(
        "--sample", type=int, default=10**6, help="mutants of each module, by chance; all when not given"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--budget", type=float, default=20.0, help="seconds of tests for one mutant")
    return parser


def _learn(files: list[Path], tests: list[str]) -> Known:
    """Run the tests once without a mistake."""
    reading, writing = os.pipe()

    def run() -> int:
        import coverage

        cover = coverage.Coverage(data_file=None, include=[str(path) for path in files], config_file=False)
        watcher = Watcher(cover)
        cover.start()
        code = int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", *tests], plugins=[watcher]))
        cover.stop()
        data = cover.get_data()
        lines = {str(path): data.contexts_by_lineno(str(path)) for path in files}
        with os.fdopen(writing, "w") as out:
            json.dump([lines, watcher.seconds], out)
        return code

    child = _fork(run, silent=False)
    os.close(writing)
    with os.fdopen(reading) as answer:
        told = answer.read()
    if _ended(child, 3600.0) != 0:
        raise SystemExit("the tests fail without any mutant: see them first")
    lines, seconds = json.loads(told)
    clean = {path: {line: [one for one in tests if one] for line, tests in by.items()} for path, by in lines.items()}
    return Known({path: {line: tests for line, tests in by.items() if tests} for path, by in clean.items()}, seconds)


def _killed(mutant: Mutant, known: Known, budget_s: float) -> bool:
    """Whether a test fails, or hangs, with this mutant."""
    tests = known.tests(mutant, budget_s)
    if not tests:
        return False
    (folder,) = (one for one in FOLDERS if mutant.path.is_relative_to(one))
    name = ".".join(mutant.path.relative_to(folder).with_suffix("").parts)

    def run() -> int:
        # Before pytest's own importer, which takes every module of a package with pytest plugins.
        sys.meta_path.insert(0, Injected(name, mutant))
        importlib.import_module(name)
        return int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", *tests]))

    allowed_s = 20.0 + SLOWER * sum(known.seconds.get(one, 0.0) for one in tests)
    return _ended(_fork(run), allowed_s) != 0


def _fork(run: Callable[[], int], *, silent: bool = True) -> int:
    """A process of its own, and group, for ``run``; returns its number."""
    child = os.fork()
    if child:
        return child
    code = 3
    try:
        os.setpgid(0, 0)
        silence = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2) if silent else (0,):
            os.dup2(silence, number)
        code = run()
    finally:
        os._exit(code)


def _ended(child: int, allowed_s: float) -> int:
    """The exit code of a process; -1 when it had to be ended."""
    until = time.monotonic() + allowed_s
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
