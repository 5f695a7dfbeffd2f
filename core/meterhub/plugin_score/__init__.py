"""``meterhub check --plugin PATH``: scores a plugin against rules that a machine can check, one line per rule."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from meterhub.plugin_score.loaded import load
from meterhub.plugin_score.rules import Rule
from meterhub.plugin_score.rules_of_plugins import PLUGIN_RULES
from meterhub.plugin_score.rules_of_projects import PROJECT_RULES
from meterhub.plugin_score.rules_of_source import SOURCE_RULES
from meterhub.plugin_score.rules_of_tests import TEST_RULES
from meterhub.plugin_score.subject import find_subject

RULES: tuple[Rule, ...] = (*PLUGIN_RULES, *SOURCE_RULES, *PROJECT_RULES, *TEST_RULES)


class Score:
    """The outcome: ``lines`` to show, and whether every rule that must be kept is kept (``good``)."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.good = True


def score(path: Path, tests: Path | None = None) -> Score:
    """Score the plugin at ``path``: a file, a folder, a project folder with ``pyproject.toml``, or one profile.

    ``tests`` is where its tests stand, if not beside it. The plugin's code is run. Raises ``NotFound`` when there is
    no plugin at ``path``.
    """
    logging.getLogger("meterhub").addHandler(logging.NullHandler())  # what went wrong stands in the score
    loaded = load(find_subject(path, tests))
    found = Score()
    kept = asked = broken = 0
    for rule in RULES:
        mistakes = rule.check(loaded)
        if mistakes is not None:
            asked += 1
            kept += not mistakes
            broken += bool(mistakes) and rule.must
        found.lines += _line(rule, mistakes)
    found.good = broken == 0
    verdict = "no rule that must be kept is broken" if found.good else f"{broken} that must be kept are broken"
    found.lines.append(f"{path}: {kept} of {asked} rules kept; {verdict}")
    return found


def _line(rule: Rule, mistakes: list[str] | None) -> Iterator[str]:
    if mistakes is None:
        yield f"-     {rule.name}: does not apply"
    elif not mistakes:
        yield f"pass  {rule.name}: {rule.text}"
    else:
        more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
        yield f"{'FAIL' if rule.must else 'miss'}  {rule.name}: {' '.join(mistakes[0].split())}{more}"
