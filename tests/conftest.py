"""What a test needs of the machine, and the closing words on what was left out for want of it."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("meterhub", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("meterhub")  # a busy machine is no failure, and a found case prints what repeats it

NEEDS = {
    "chromium": "there is no Chromium here; install it with: apt-get install chromium",
}
"""Programs that a test can ask for with ``@pytest.mark.needs("chromium")``, and what to say where one is missing."""


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(*programs): run only where these programs are installed")


def pytest_collection_modifyitems(items):
    for item in items:
        for mark in item.iter_markers("needs"):
            for program in mark.args:
                if shutil.which(program) is None:
                    item.add_marker(pytest.mark.skip(reason=NEEDS[program]))


def pytest_terminal_summary(terminalreporter):
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    terminalreporter.section("left out on this machine")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count} test{'s' if count > 1 else ''}: {reason}")
    if not reasons:
        terminalreporter.write_line("nothing")


def _reason(report):
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")
