"""A site file as deployers write it, and each of their mistakes answered at its place."""

from __future__ import annotations

import dataclasses
import json
from zoneinfo import ZoneInfo

import pytest
import voluptuous as vol
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterhub.config.cross import check_link_types, check_profiles
from meterhub.config.site import check_options, load_site
from meterhub.config.types import host_port, packet, seconds
from meterhub.demo.site import site_text
from meterhub.errors import ConfigError, ConfigErrors
from meterhub.field.line_config import LineConfig

WHOLE = """\
hub: {name: Sunrise Court, time_zone: Asia/Shanghai, language: zh-CN, currency: CNY, data: ./data}
web: {listen: 127.0.0.1:8645, trusted_proxies: [10.0.0.0/8]}
plugins:
  dlt645:
  gprs:
  sms: {provider: aliyun, key: !secret sms_key}
links:
  - {id: field, type: gprs, listen: 0.0.0.0:9100, heartbeat: {every: 60s}}
  - id: rs485
    type: serial
    device: /dev/ttyUSB0
    lines: [{id: rs485-a, baud: 9600, data_bits: 7, parity: none, stop_bits: 2, gap: 20ms, envelope: mesh}]
collectors:
  - id: c1
    link: field
    registration: "DTU00001"
    lines: [{id: c1-a, baud: 2400, parity: even, envelope: {type: lora, group: 3}, channel: 1}]
meters:
  - {id: a-101, line: c1-a, profile: dlt645-2007-single-phase, address: 000000012345, place: Block A / 1 / 101}
  - {id: a-102, line: rs485-a, profile: p, address: "12", options: {password: "00"}, disabled: yes}
schedules:
  - {id: quarter-hour, cron: "*/15 * * * *", action: meter.read, target: {all: meters}}
  - {id: sweep, every: 1h30m, target: {meters: [a-101], place: Block A}, params: {entities: [x]}, catch_up: none}
automations: !include automations.yaml
"""


@pytest.fixture
def whole(write):
    """The whole site file of the documentation, loaded."""
    write("sms_key: hunter2\n", "secrets.yaml")
    write("[]\n", "automations.yaml")
    return load_site(write(WHOLE))


def test_the_whole_file_is_read(whole, tmp_path):
    assert (whole.folder, whole.hub.data, whole.hub.time_zone) == (
        tmp_path,
        tmp_path / "data",
        ZoneInfo("Asia/Shanghai"),
    )
    assert (str(whole.web.listen), str(whole.web.trusted_proxies[0])) == ("127.0.0.1:8645", "10.0.0.0/8")
    assert list(whole.plugins) == ["dlt645", "gprs", "sms"] and whole.plugins["gprs"].config == {}
    assert whole.plugins["sms"].where == "site.yaml:6" and whole.plugins["sms"].config["key"] == "hunter2"
    assert [(line.id, line.parent) for line in whole.lines()] == [("rs485-a", "rs485"), ("c1-a", "c1")]
    quarter, sweep = whole.schedules
    assert (quarter.cron, quarter.target, quarter.catch_up) == ("*/15 * * * *", {"all": "meters"}, "once")
    assert (sweep.every_s, sweep.action, sweep.catch_up) == (5400, "meter.read", "none")
    assert sweep.target == {"meters": ["a-101"], "place": ("Block A",)}


def test_an_unquoted_address_of_zeros_stays_an_address(whole):
    meter = whole.meters[0]
    assert (meter.address, meter.place, meter.site) == ("000000012345", ("Block A", "1", "101"), "main")
    assert meter.where == "site.yaml:19" and whole.meters[1].disabled and whole.meters[1].options == {"password": "00"}


def test_lines_carry_their_wire_and_envelopes(whole):
    serial, radio = whole.lines()
    assert (serial.baud, serial.bits, serial.parity, serial.stop, serial.gap_s) == (9600, 7, "none", 2, 0.02)
    assert [one.type for one in serial.envelopes] == ["mesh"] and radio.channel == "1"
    assert (radio.envelopes[0].type, radio.envelopes[0].options) == ("lora", {"group": "3"})


def test_a_line_left_alone_is_the_line_of_the_field_room(write):
    site = load_site(write("links: [{id: a, type: serial, lines: [{id: b}]}]\n"))
    line, standard = next(site.lines()), LineConfig("b")
    names = {one.name for one in dataclasses.fields(line)} & {one.name for one in dataclasses.fields(standard)}
    assert {name: getattr(line, name) for name in names} == {name: getattr(standard, name) for name in names}
    assert len(names) == 10


def test_a_file_with_an_empty_section_is_a_site_with_defaults(write, tmp_path):
    site = load_site(write("hub:\n"))
    assert (site.hub.name, site.hub.data, site.hub.operator) == ("MeterHub", tmp_path / "data", "main")
    assert (site.web.listen, site.meters, [one.id for one in site.sites]) == (("127.0.0.1", 8645), (), ["main"])


def test_the_demo_is_an_ordinary_site_file(write):
    site = load_site(write(site_text(60, 8645, "en")))
    assert (len(site.meters), len(site.collectors), site.schedules[0].every_s) == (60, 4, 60)


def test_several_sites_have_their_own_zone(write):
    text = "sites: [{id: east, time_zone: Asia/Tokyo}, {id: west}]\nlinks: [{id: l, type: x, lines: [{id: w}]}]\n"
    site = load_site(write(text + "meters: [{id: m, line: w, profile: p, address: 1}]\n"))
    assert [str(one.time_zone) for one in site.sites] == ["Asia/Tokyo", "Asia/Shanghai"]
    assert site.meters[0].site == "east"


HEAD = "links:\n  - {id: field, type: gprs, lines: [{id: w}]}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("metres: []\n", "site.yaml:1: there is no key metres (did you mean meters?)"),
        ("hub: {langage: en}\n", "site.yaml:1: there is no key hub.langage (did you mean language?)"),
        ("hub: {language: zh}\n", "site.yaml:1: hub.language is 'zh'; one of zh-CN, en, ja is needed"),
        ("hub:\n  time_zone: Asia/Shangai\n", "site.yaml:2: hub.time_zone is 'Asia/Shangai'; a time zone such as"),
        ("hub: {currency: yuan}\n", "site.yaml:1: hub.currency is 'yuan'; a currency code such as CNY is needed"),
        ("hub: x\n", "site.yaml:1: hub is 'x'; a mapping is needed"),
        ("web: {listen: 8645}\n", "web.listen is '8645'; an address with a port, such as 127.0.0.1:8645, is needed"),
        ("plugins: [gprs]\n", "site.yaml:1: plugins is a list; a mapping of names to settings is needed"),
        ("meters: {a: b}\n", "site.yaml:1: meters is a mapping; a list is needed (begin each entry with a dash)"),
        ("meters:\n  - a-101\n", "site.yaml:2: meters[#1] is 'a-101'; a mapping with an id is needed"),
        ("links: [{id: field}]\n", "site.yaml:1: the key links[field].type is missing"),
        (HEAD + "links: []\n", "site.yaml:3: the key links stands twice in this mapping; the first is in line 1"),
        (
            HEAD + "collectors:\n  - {id: c, link: filed}\n",
            "collectors[c]: there is no link filed (did you mean field?)",
        ),
        (
            HEAD + "collectors:\n  - id: c\n    link: field\n    lines:\n      - {id: x, party: even}\n",
            "site.yaml:7: there is no key collectors[c].lines[x].party (did you mean parity?)",
        ),
        (
            HEAD + "meters:\n  - {id: A-101, line: w, profile: p, address: 1}\n",
            "site.yaml:4: meters[A-101].id is 'A-101'; an id of small letters, digits and dashes, such",
        ),
        (HEAD + "meters:\n  - {id: m, line: w, profile: p}\n", "site.yaml:4: the key meters[m].address is missing"),
        (HEAD + "meters:\n  - {id: m, line: w, profile: p, address: }\n", "meters[m].address is empty; an address"),
        (
            HEAD + "meters:\n  - {id: m, line: v, profile: p, address: 1}\n",
            "site.yaml:4: meters[m]: there is no line v",
        ),
        (
            HEAD + "meters:\n  - {id: m, line: w, profile: p, address: 1, site: x}\n",
            "site.yaml:4: meters[m]: there is no site x (there are: main)",
        ),
        (
            HEAD + "meters:\n  - {id: w, line: w, profile: p, address: 1}\n",
            "site.yaml:4: the id w is used twice; the first is at site.yaml:2 (give one of them another id)",
        ),
        ("schedules:\n  - {id: s}\n", "site.yaml:2: schedules[s] needs either cron or every or at (such as every: 15m"),
        (
            "schedules:\n  - {id: s, every: 5m, cron: '* * * * *'}\n",
            "schedules[s] needs either cron or every or at, not both",
        ),
        ("schedules:\n  - {id: s, every: 5}\n", "schedules[s].every is '5'; a duration from 1s to 366d is needed"),
        ("schedules:\n  - {id: s, cron: '* * *'}\n", "schedules[s].cron is '* * *'; a cron rule of five fields"),
        ("schedules:\n  - {id: s, every: 5m, target: {}}\n", "schedules[s].target names nothing"),
        (
            "schedules:\n  - {id: s, every: 5m, target: {meter: a}}\n",
            "no key schedules[s].target.meter (did you mean meters?)",
        ),
        ("schedules:\n  - {id: s, every: 5m, target: {line: v}}\n", "schedules[s].target: there is no line v"),
        ("schedules:\n  - {id: s, every: 5m, catch_up: all}\n", "catch_up is 'all'; one of once, none is needed"),
        (HEAD.replace("{id: w}", "{id: w, envelope: {kind: x}}"), "site.yaml:2: the envelope does not tell its type"),
        ("automations:\n  - {id: a}\n", "site.yaml:2: automations are not available in this version"),
        ("- a\n", "site.yaml:1: a site file is a mapping (it begins with hub:, plugins:, links:)"),
    ],
)
def test_each_mistake_is_answered_at_its_place(site_mistakes, text, says):
    assert says in "\n".join(site_mistakes(text))


def test_a_misspelt_key_in_an_included_file_is_told_there(write, site_mistakes):
    write(
        "- {id: m-1, line: w, profile: p, address: 01}\n- {id: m-2, line: w, profil: p, address: 02}\n", "a/meters.yaml"
    )
    assert site_mistakes(HEAD + "meters: !include a/meters.yaml\n") == [
        "a/meters.yaml:2: there is no key meters[m-2].profil (did you mean profile?)",
        "a/meters.yaml:2: the key meters[m-2].profile is missing",
    ]


def test_all_mistakes_of_all_files_come_at_once_in_their_order(write, site_mistakes):
    write("- {id: m-1, line: w, profile: p, address: 01, plaec: x}\n", "meters.yaml")
    text = "hub: {name: ''}\nweb: {listen: x}\nlinks:\n  - {id: field, type: gprs, lines: [{id: w, baud: fast}]}\n"
    said = site_mistakes(
        text + "meters: !include meters.yaml\nautomations: !include no.yaml\nplugins: {sms: !secret no}\n"
    )
    assert [one.split(": ")[0] for one in said] == [
        "meters.yaml:1",
        "site.yaml:1",
        "site.yaml:2",
        "site.yaml:4",
        "site.yaml:6",
        "site.yaml:7",
    ]


def test_a_wrong_collector_does_not_make_its_meters_wrong(site_mistakes):
    text = HEAD + "collectors: [{id: c, link: field, lines: [{id: x, baud: 0}]}]\n"
    said = site_mistakes(text + "meters: [{id: m, line: x, profile: p, address: 1}]\n")
    assert said == ["site.yaml:3: collectors[c].lines[x].baud is '0'; a whole number from 50 to 4000000 is needed"]


def test_many_mistakes_are_counted(site_mistakes):
    meters = "".join(f"  - {{id: m-{n}, line: none, profile: p, address: 1}}\n" for n in range(300))
    said = site_mistakes("meters:\n" + meters)
    assert len(said) == 101 and said[-1].endswith("there are 200 more mistakes")


GPRS = {
    vol.Required("listen"): host_port(),
    vol.Optional("heartbeat", default=dict): {vol.Optional("every", default="60s"): seconds()},
}


def test_the_keys_of_a_kind_are_checked_by_its_plugin(whole):
    assert check_options(whole.links[0], GPRS) == {"listen": ("0.0.0.0", 9100), "heartbeat": {"every": 60.0}}
    assert check_options(whole.collectors[0], {"registration": packet()}) == {"registration": b"DTU00001"}


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("{id: f, type: gprs, listen: x:1, nam: y}", "site.yaml:2: there is no key links[f].nam (did you mean name?)"),
        ("{id: f, type: gprs, lisen: x:1, listen: y:1}", "there is no key links[f].lisen (did you mean listen?)"),
        ("{id: f, type: gprs}", "site.yaml:2: the key links[f].listen is missing"),
        ("{id: f, type: gprs, listen: x:1, heartbeat: {every: 60}}", "links[f].heartbeat.every is '60'; a duration"),
    ],
)
def test_mistakes_in_the_keys_of_a_kind_have_their_line(write, link, says):
    site = load_site(write(f"links:\n  - {link}\n"))
    with pytest.raises(ConfigError) as caught:
        check_options(site.links[0], GPRS)
    assert says in str(caught.value)


def test_a_link_of_an_unlisted_plugin_names_it(whole):
    (error,) = check_link_types(whole, {"gprs"}, {"gprs", "serial", "dlt645"})
    assert error.where == "site.yaml:9" and error.hint == "write serial: under plugins:"
    assert error.message == "links[rs485] is of type serial, but the plugin serial is not listed"


def test_a_link_of_no_plugin_names_the_near_miss(write):
    site = load_site(write("links: [{id: f, type: gprz}]\n"))
    said = str(check_link_types(site, {"gprs", "serial"}, {"gprs", "serial"})[0])
    assert said == "site.yaml:1: links[f].type is gprz, which no listed plugin brings (did you mean gprs?)"


def test_an_unknown_profile_names_the_near_miss(whole):
    said = [str(error) for error in check_profiles(whole, {"dlt645-2007-single-phase", "q"})]
    assert said == ["site.yaml:20: meters[a-102]: there is no profile p (there are: dlt645-2007-single-phase, q)"]


SCALARS = st.one_of(
    st.none(), st.sampled_from(["a", "field", "w", "", "5", "yes", "1h", "../x", "a: b"]), st.text(max_size=5)
)
NODES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["id", "type", "lines", "link", "line", "envelope", "target", "cron", "every", "x"]), inner
        ),
    ),
    max_leaves=8,
)
SECTIONS = ["hub", "web", "plugins", "sites", "links", "collectors", "meters", "schedules", "automations", "x"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(SECTIONS), NODES))
def test_whatever_stands_in_a_site_file_is_read_or_refused_in_words(write, content):
    try:
        load_site(write(json.dumps(content)))
    except ConfigErrors as refused:
        assert all(error.message and error.where.startswith("site.yaml:") for error in refused.errors)
