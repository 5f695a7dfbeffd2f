"""The sample site in config/ is right, runs, and its own plugin and profile are good examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from meterhub.cli import main

CONFIG = Path(__file__).parents[2] / "config"


def test_the_sample_is_right(capsys):
    assert main(["check", "-c", str(CONFIG / "site.yaml")]) == 0
    assert "3 meters" in capsys.readouterr().out


async def test_the_sample_runs_with_its_own_plugin_and_profile(hub, clock):
    home = await hub(CONFIG / "site.yaml")
    run = await home.act("clock_check.compare", "a-pump")
    assert run.state == "failed" and "not read yet" in run.error["message"]
    await clock.advance(16 * 60)
    assert {one.id: str(one.status) for one in home.estate.values() if one.kind == "meter"} == {
        "a-101": "online", "a-102": "online", "a-pump": "online",
    }  # fmt: skip
    run = await home.act("clock_check.compare", "a-pump")
    assert run.state == "confirmed" and abs(run.result["seconds_ahead"]) < 120


@pytest.mark.parametrize("own", ["plugins/clock_check.py", "profiles/dlt645-2007-energy.yaml"])
def test_its_own_plugin_and_profile_miss_nothing_but_tests_of_their_own(own, capsys):
    assert main(["check", "--plugin", str(CONFIG / own)]) == 0
    missed = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("FAIL", "miss"))]
    assert [line for line in missed if not line.startswith("miss  tests")] == []
