"""A site as a deployer runs it: two processes, real TCP, a read, a command, a kill -9."""

from __future__ import annotations

import signal
import urllib.error

import pytest


async def test_a_site_is_read_switched_and_survives_a_kill(house):
    hub = await house.start("run", "-c", "site.yaml")
    await house.start("simulate", "-c", "site.yaml")
    await house.until("/healthz", lambda answer: answer["status"] == "ok")
    await house.log_in()
    await house.until("/api/v1/devices/c1", lambda one: one["status"] == "online")
    meter = await house.until("/api/v1/devices/a-101", lambda one: one["status"] == "online")
    assert meter["address"] == "000000012345"
    await house.until("/api/v1/devices/a-102", lambda one: one["status"] == "online")

    run = await house.ask("/api/v1/actions/meter.open_circuit?wait=30", {"target": "a-101", "key": "cut-1"})
    assert run["state"] == "confirmed" and run["result"]["read_back"] == {"relay": False}
    again = await house.ask("/api/v1/actions/meter.open_circuit?wait=30", {"target": "a-101", "key": "cut-1"})
    assert again["id"] == run["id"]
    with pytest.raises(urllib.error.HTTPError) as conflict:
        await house.ask("/api/v1/actions/meter.open_circuit", {"target": "a-102", "key": "cut-1"})
    assert conflict.value.code in (400, 409)

    stored = await house.until(
        "/api/v1/readings?entity=a-101.energy_total&step=raw", lambda one: len(one["points"]) > 1
    )
    hub.send_signal(signal.SIGKILL)
    await hub.wait()
    await house.start("run", "-c", "site.yaml")
    kept = await house.until("/api/v1/readings?entity=a-101.energy_total&step=raw", lambda one: one["points"])
    assert kept["points"][: len(stored["points"])] == stored["points"]
    assert (await house.ask(f"/api/v1/actions/{run['id']}"))["state"] == "confirmed"
    await house.until("/api/v1/devices/c1", lambda one: one["status"] == "online")


async def test_an_orderly_stop_ends_in_good_time_with_code_0(house):
    hub = await house.start("run", "-c", "site.yaml")
    await house.until("/healthz", lambda answer: answer["status"] == "ok")
    hub.send_signal(signal.SIGTERM)
    assert await hub.wait() == 0


async def test_a_second_hub_on_the_same_data_is_refused_in_words(house):
    await house.start("run", "-c", "site.yaml")
    await house.until("/healthz", lambda answer: answer["status"] == "ok")
    code, _, err = await house.command("run", "-c", "site.yaml")
    assert code == 1 and "another hub" in err and "Traceback" not in err


async def test_check_says_that_the_file_is_right(house):
    code, out, _ = await house.command("check", "-c", "site.yaml")
    assert code == 0 and "2 meters" in out


async def test_check_answers_a_misspelt_key_in_an_included_file_with_the_right_word(house):
    (house.folder / "meters.yaml").write_text(
        "- {id: a-1, line: c1-a, profil: x, address: 1}\n- {id: a-2, lin: c1-a}\n"
    )
    text = house.file.read_text()
    house.file.write_text(text[: text.index("meters:\n")] + "meters: !include meters.yaml\n")
    code, _, err = await house.command("check", "-c", "site.yaml")
    assert code == 1
    assert any(line.startswith("meters.yaml:1: ") and "did you mean profile?" in line for line in err.splitlines())
    assert any(line.startswith("meters.yaml:2: ") and "did you mean line?" in line for line in err.splitlines())


async def test_a_link_of_an_unlisted_plugin_names_it(house):
    house.file.write_text(house.file.read_text().replace("  gprs:\n", ""))
    code, _, err = await house.command("check", "-c", "site.yaml")
    assert code == 1 and "plugin gprs is not listed" in err


async def test_decode_explains_each_line_and_never_shows_a_traceback(house):
    frames = "FEFEFEFE68431000113400689106333434 35CA55EE16\nzz\n68\n".replace(" ", "")
    code, out, err = await house.command("decode", "dlt645-2007", stdin=frames)
    assert code == 1 and err == ""
    first, second, third = out.splitlines()
    assert '"ok": true' in first and "229.7" in first
    assert '"ok": false' in second and '"ok": false' in third


async def test_a_plugin_that_raises_takes_only_its_own_meters_with_it(house):
    (house.folder / "plugins").mkdir()
    (house.folder / "plugins" / "broken.py").write_text("\nraise RuntimeError('no licence')\n")
    house.file.write_text(house.file.read_text().replace("  gprs:\n", "  gprs:\n  broken:\n"))
    await house.start("run", "-c", "site.yaml")
    await house.start("simulate", "-c", "site.yaml")
    await house.until("/healthz", lambda answer: answer["status"] == "ok")
    await house.log_in()
    await house.until("/api/v1/devices/a-101", lambda one: one["status"] == "online")


async def test_a_plugin_of_one_file_adds_a_protocol_and_its_meters(house):
    from pathlib import Path

    examples = Path(__file__).parents[2] / "docs" / "examples"
    for folder, name in (("plugins", "acme.py"), ("profiles", "acme-t1.yaml")):
        (house.folder / folder).mkdir()
        (house.folder / folder / name).write_text((examples / name).read_text(encoding="utf-8"), encoding="utf-8")
    text = house.file.read_text().replace("  gprs:\n", "  gprs:\n  acme:\n")
    house.file.write_text(
        text.replace("schedules:\n", "  - {id: t-1, line: c1-a, profile: acme-t1, address: 17}\nschedules:\n")
    )
    await house.start("run", "-c", "site.yaml")
    await house.start("simulate", "-c", "site.yaml")
    await house.until("/healthz", lambda answer: answer["status"] == "ok")
    await house.log_in()
    meter = await house.until("/api/v1/devices/t-1", lambda one: one["status"] == "online")
    assert meter["plugin"] == "acme"
