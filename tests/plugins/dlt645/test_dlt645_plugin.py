"""The plugin as the hub finds it."""

from __future__ import annotations

import json
from pathlib import Path

from meterhub.clock import Clock
from meterhub.decode import explain_all, find_decoder
from meterhub.plugins import Plugins


def installed() -> Plugins:
    plugins = Plugins(Clock(), Path("."), lambda name, task: task.close(), None)
    plugins.find()
    return plugins


def test_it_is_found_and_brings_its_protocols_and_profiles():
    plugins = installed()
    assert plugins.set_up({"dlt645": (None, "site.yaml:3")}) == []
    protocols = [kind.name for _, kind in plugins.call("register_protocols")]
    assert protocols == ["dlt645-2007", "dlt645-1997"]
    profiles = [path.stem for _, path in plugins.call("register_profiles")]
    assert "dlt645-2007-single-phase" in profiles


def test_decode_from_the_command_line():
    decoder = find_decoder(installed(), "dlt645-2007")
    lines = ["FE FE 68 43 10 00 11 34 00 68 91 06 33 34 34 35 CA 55 EE 16", "\n", "68 01", "frame"]
    answers = [json.loads(text) for _, text in explain_all(decoder, lines)]
    assert [one["ok"] for one in answers] == [True, False, False, False]
    assert answers[1]["error"] == "there is no frame on this line"
    assert answers[0]["values"][0]["value"] == "229.7"
    assert all("Traceback" not in one.get("error", "") for one in answers)
