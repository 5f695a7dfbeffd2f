"""A rule on a plugin's project: it can be installed beside MeterHub without changing what the hub itself needs."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version

from meterhub.plugin_score.loaded import Loaded
from meterhub.plugin_score.rules import Rule

REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^]]*\])?\s*\(?([^;)]*)")
CLAUSE = re.compile(r"(===|==|!=|~=|<=|>=|<|>)\s*v?([0-9]+(?:\.[0-9]+)*)(\.\*)?")


def _parts(text: str) -> tuple[str, str]:
    """Name in its normal form and version clauses of a requirement such as ``aiohttp >=3.14,<4``."""
    found = REQUIREMENT.match(text)
    return (re.sub(r"[-_.]+", "-", found[1]).lower(), found[2]) if found else ("", "")


def _numbers(text: str) -> list[int]:
    return [int(one) for one in re.findall(r"\d+", re.split(r"[^\d.]", text)[0])]


def allows(clauses: str, installed: str) -> bool:
    """Whether an installed version satisfies all clauses; pre-releases count as their release."""
    have = _numbers(installed)
    for operator, text, wildcard in CLAUSE.findall(clauses):
        want = _numbers(text)
        size = max(len(have), len(want))
        left, right = (one + [0] * (size - len(one)) for one in (have, want))
        same = have[: len(want)] == want if wildcard else left == right
        series = have[: len(want) - 1] == want[:-1]
        kept = {
            "==": same,
            "===": same,
            "!=": not same,
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
            "~=": left >= right and series,
        }
        if not kept[operator]:
            return False
    return True


def lives_beside(loaded: Loaded) -> list[str] | None:
    """No dependency of its project excludes a version that the hub is pinned to."""
    if not loaded.subject.project:
        return None
    file = loaded.subject.path / "pyproject.toml"
    mine = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {}).get("dependencies", [])
    ours = {"meterhub", *(_parts(one)[0] for one in requires("meterhub") or ())}
    mistakes = []
    for requirement in mine:
        name, clauses = _parts(requirement)
        try:
            installed = version(name) if name in ours else ""
        except PackageNotFoundError:
            continue
        if installed and not allows(clauses, installed):
            mistakes.append(f"pyproject.toml: {requirement!r} excludes {name} {installed}, which the hub uses")
    return mistakes


PROJECT_RULES = (Rule("dependencies", True, "it can be installed beside the hub's own packages", lives_beside),)
