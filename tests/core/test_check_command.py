"""``meterhub check``: what it says of a site file, its plugins and its profiles."""

from __future__ import annotations

import pytest

from meterhub.cli import main
from meterhub.config.site import load_site
from meterhub.errors import ConfigError
from meterhub.hub import Hub

SITE = """\
hub: {name: Test Court, time_zone: Asia/Shanghai, language: en, currency: CNY}
plugins: {dlt645: , gprs: }
links: [{id: field, type: gprs, listen: "127.0.0.1:0"}]
"""
PROFILE = """\
id: mine
protocol: dlt645-2007
name: {en: Mine, zh: 我的表, ja: 私の計器}
entities:
  voltage: {name: {en: Voltage, zh: 电压, ja: 電圧}, unit: V, scale: 1, point: {id: "02010100"}}
vectors:
  - {entity: voltage, frame: "6843100011340068910633343435CA55EE16", value: "229.7"}
  - {entity: voltage, frame: "6843100011340068910633343435CA55EE16", value: 22.97}
  - {entity: volts, frame: "68", value: "1"}
"""


@pytest.fixture
def check(tmp_path, capsys):
    def run(profile):
        (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
        (tmp_path / "profiles").mkdir()
        (tmp_path / "profiles" / "mine.yaml").write_text(profile, encoding="utf-8")
        code = main(["check", "-c", str(tmp_path / "site.yaml")])
        said = capsys.readouterr()
        return code, said.out, said.err.splitlines()

    return run


def test_vectors_are_decoded_and_the_wrong_ones_named_with_file_and_line(check):
    code, _, errors = check(PROFILE)
    assert code == 1 and len(errors) == 2
    assert "profiles/mine.yaml:8: the frame means voltage = 229.7, not 22.97" in errors[0]
    assert "profiles/mine.yaml:9: there is no entity volts" in errors[1]


def test_a_profile_whose_vectors_are_right_passes(check):
    code, out, errors = check("".join(PROFILE.splitlines(keepends=True)[:-2]))
    assert (code, errors) == (0, []) and "right" in out


def test_the_vectors_of_a_profile_that_extends_another_are_named_at_their_own_line(check):
    code, _, errors = check(
        """\
id: mine
extends: dlt645-2007-single-phase
name: {en: Mine}
vectors:
  - {entity: voltage, frame: "6843100011340068910633343435CA55EE16", value: "229.7"}
  - {entity: voltage, frame: "6843100011340068910633343435CA55EE16", value: 22.97}
"""
    )
    assert code == 1 and len(errors) == 1
    assert "profiles/mine.yaml:6: the frame means voltage = 229.7, not 22.97" in errors[0]


ESTATE = (
    SITE
    + """\
collectors:
  - {id: c1, link: field, registration: ONE, lines: [{id: c1-a}]}
meters:
  - {id: a-101, line: c1-a, profile: dlt645-2007-single-phase, address: "101"}
"""
)


@pytest.fixture
def said(tmp_path, capsys):
    """What ``check`` says of a site file: its exit code and the errors."""

    def run(text):
        (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
        code = main(["check", "-c", str(tmp_path / "site.yaml")])
        return code, capsys.readouterr().err.splitlines()

    return run


def test_mistakes_that_only_plugins_see_are_told_beside_those_of_the_file(said):
    code, errors = said(
        ESTATE.replace("language:", "langage:").replace("registration:", "registraton:") + "metres: []\n"
    )
    assert code == 1
    assert [one.split(" (")[0] for one in errors] == [
        "site.yaml:1: there is no key hub.langage",
        "site.yaml:5: there is no key collectors[c1].registraton",
        "site.yaml:8: there is no key metres",
    ]


def test_an_unknown_plugin_is_one_mistake_and_not_one_for_each_thing_it_would_bring(said):
    code, errors = said(ESTATE.replace("gprs: }", "gpsr: }"))
    assert (code, errors) == (1, ["site.yaml:2: there is no plugin gpsr (did you mean gprs?)"])


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            '  - {id: a-102, line: c1-a, profile: dlt645-2007-single-phase, address: "000000000101"}\n',
            "site.yaml:8: the line c1-a has the address 000000000101 twice: a-101 and a-102",
        ),
        (
            "schedules: [{id: s, every: 1h, action: meter.raed}]\n",
            "site.yaml:8: schedules[s]: there is no action meter.raed (did you mean meter.read?)",
        ),
        (
            "schedules: [{id: s, every: 1h, target: {all: collectors}}]\n",
            "site.yaml:8: schedules[s]: meter.read cannot act on a collector",
        ),
        (
            "schedules: [{id: s, every: 1h, params: {entitties: [voltage]}}]\n",
            "site.yaml:8: there is no key schedules[s].params.entitties (did you mean entities?)",
        ),
        (
            "schedules: [{id: s, every: 1h, params: {entities: voltage}}]\n",
            "site.yaml:8: schedules[s].params.entities is 'voltage'; a list is needed",
        ),
    ],
)
def test_what_could_never_work_is_named(said, more, expected):
    code, errors = said(ESTATE + more)
    assert code == 1 and len(errors) == 1 and errors[0].startswith(expected)


def test_a_meter_that_is_disabled_may_keep_the_address_of_its_successor(said):
    more = '  - {id: old, line: c1-a, profile: dlt645-2007-single-phase, address: "101", disabled: true}\n'
    assert said(ESTATE + more) == (0, [])


def test_a_collector_with_a_second_wire_is_named_where_it_stands(said):
    code, errors = said(ESTATE.replace("lines: [{id: c1-a}]", "lines: [{id: c1-a}, {id: c1-b}]"))
    assert code == 1 and len(errors) == 2
    assert errors[0].startswith("site.yaml:5: lines[c1-a].channel is missing")
    two = "lines: [{id: c1-a, channel: ONE-1}, {id: c1-b, channel: ONE-2}]"
    assert said(ESTATE.replace("lines: [{id: c1-a}]", two)) == (0, [])
    code, errors = said(ESTATE.replace("lines: [{id: c1-a}]", two.replace("ONE-2", "ONE-1")))
    assert code == 1 and "site.yaml:5: the lines c1-a and c1-b have the same channel" in errors[0]
    code, errors = said(ESTATE.replace("lines: [{id: c1-a}]", two.replace("ONE-2", "hex:XY")))
    assert code == 1 and "lines[c1-b].channel is 'hex:XY'" in errors[0]


@pytest.mark.parametrize(
    ("port", "lines", "words"),
    [
        (
            "/dev/ttyUSB0",
            "{id: c1-a}, {id: c1-b}",
            "lines[c1-b]: cellar has one wire; its serial link knows no channels",
        ),
        (
            "/dev/ttyUSB0",
            "{id: c1-a, channel: 1}",
            "lines[c1-a]: cellar has one wire; its serial link knows no channels",
        ),
        ("socket://h:{channel}", "{id: c1-a, channel: 1}, {id: c1-b}", "lines[c1-b].channel is missing"),
        ("socket://h:{channel}", "{id: c1-a, channel: 1}, {id: c1-b, channel: 2}", ""),
    ],
)
def test_the_ports_of_a_serial_link_are_told_apart_by_channels(said, port, lines, words):
    link = f'links: [{{id: cellar, type: serial, port: "{port}", lines: [{lines}]}}]\n'
    begin, end = ESTATE.index("links:"), ESTATE.index("meters:")
    code, errors = said(ESTATE[:begin].replace("gprs: }", "serial: }") + link + ESTATE[end:])
    assert (code, len(errors)) == (1 if words else 0, 1 if words else 0) and words in (errors or [""])[0]


@pytest.mark.parametrize(
    ("plugin", "link", "more"),
    [
        ("mesh", 'type: mesh, listen: "127.0.0.1:9200"', ""),
        ("lora_wifi", 'type: lora_wifi, listen: "127.0.0.1:9200"', ""),
        ("lora_wifi", 'type: lorawan, server: "127.0.0.1:1883"', 'dev_eui: "0102030405060708"'),
    ],
)
def test_a_channel_behind_an_envelope_is_refused_where_it_stands_with_what_to_do(said, plugin, link, more):
    begin, end = ESTATE.index("links:"), ESTATE.index("meters:")
    site = ESTATE[:begin].replace("gprs: }", f"{plugin}: }}") + (
        f"links: [{{id: air, {link}}}]\n"
        f"collectors:\n  - id: g1\n    link: air\n    {more}\n    lines:\n      - {{id: c1-a, channel: 18}}\n"
    )
    where = 1 + site[: site.index("channel: 18")].count("\n")
    code, errors = said(site + ESTATE[end:])
    kind = link.split()[1][:-1]
    assert code == 1 and errors == [
        f"site.yaml:{where}: lines[c1-a]: g1 has one wire; its {kind} link knows no channels "
        "(take channel: out; that of a radio belongs under envelope:)"
    ]


def test_an_envelope_that_nobody_brings_is_named_with_its_near_miss(said):
    site = ESTATE.replace("gprs: }", "gprs: , mesh: }")
    code, errors = said(site.replace("{id: c1-a}", "{id: c1-a, envelope: mehs}"))
    assert code == 1 and "lines[c1-a].envelope is mehs" in errors[0] and "mesh" in errors[0]
    code, errors = said(site.replace("{id: c1-a}", "{id: c1-a, envelope: {type: mesh, mediun: plc}}"))
    assert code == 1 and "mediun" in errors[0] and "medium" in errors[0]
    assert said(site.replace("{id: c1-a}", "{id: c1-a, envelope: mesh}")) == (0, [])
    assert said(site.replace("{id: c1-a}", "{id: c1-a, envelope: none}")) == (0, [])


def test_two_collectors_with_one_registration_are_named(said):
    twice = "lines: [{id: c1-a}]}\n  - {id: c2, link: field, registration: ONE}\n"
    code, errors = said(ESTATE.replace("lines: [{id: c1-a}]}\n", twice))
    assert code == 1 and "site.yaml:6: the collectors c1 and c2 have the same registration" in errors[0]


def test_an_empty_file_is_a_mistake(said):
    assert said("# later\n") == (1, ["site.yaml:1: the file is empty (it begins with hub:, plugins:, links:)"])


def test_a_plugin_that_fails_is_a_mistake_and_what_it_would_bring_is_not(said, tmp_path):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "toy.py").write_text("raise ValueError('broken toy')\n", encoding="utf-8")
    more = "schedules: [{id: s, every: 1h, action: toy.play}]\n"
    code, errors = said(ESTATE.replace("gprs: }", "gprs: , toy: }") + more)
    told = [one for one in errors if one.startswith("site.yaml:")]
    assert code == 1 and len(told) == 1
    assert (
        told[0].startswith("site.yaml:2: the plugin toy failed: ValueError: broken toy (at ") and "toy.py:1" in told[0]
    )


async def test_a_hub_refuses_a_schedule_that_could_never_work(tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text(ESTATE + "schedules: [{id: s, every: 1h, action: meter.raed}]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"site.yaml:8: schedules\[s\]: there is no action meter.raed"):
        await Hub(load_site(file)).start()


async def test_the_parameters_of_a_schedule_become_what_the_action_wants(tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text(
        ESTATE + "schedules: [{id: s, every: 1h, action: meter.keep_power, params: {on: yes}}]\n", encoding="utf-8"
    )
    hub = Hub(load_site(file))
    await hub.start()
    try:
        assert [one.params for one in hub.schedules] == [{"on": True}]
    finally:
        await hub.stop()
