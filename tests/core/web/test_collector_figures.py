"""What is known of a collector, in figures: days that add up, lines, nodes; on its page and from the API."""

from __future__ import annotations

from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from meterhub.bus import Bus
from meterhub.devices.device import Device
from meterhub.devices.profile import Profile
from meterhub.field.collector import Collector
from meterhub.field.line import Line, LineConfig
from meterhub.field.link import CollectorConfig, NodeFacts
from meterhub.field.link_desk import LinkDesk
from meterhub.testing.wire import ScriptedWire
from meterhub.texts import texts_for
from meterhub.web.collector_parts import begin_of_days, connection_of, line_of, node_of, nodes_of, seconds_per_day
from meterhub.web.collector_view import CollectorView, node_facts, percent, to_the_second, trip

NOON_MS = 1_767_240_000_000
DAY_MS = 86_400_000
ZONE = ZoneInfo("Asia/Shanghai")
STATES = st.sampled_from(("online", "offline", "unknown"))


@given(st.lists(st.tuples(STATES, st.integers(1, 2 * DAY_MS)), max_size=20), st.integers(0, DAY_MS))
def test_the_seconds_of_a_day_add_up_whatever_happened(spells, ago_ms):
    now_ms, rows, at_ms = NOON_MS, [], NOON_MS - ago_ms
    for state, length_ms in spells:
        rows.append((state, at_ms - length_ms, at_ms, ""))
        at_ms -= length_ms
    borders = begin_of_days(now_ms, ZONE)
    days = seconds_per_day(rows, now_ms, ZONE)
    lengths = [(end - start) // 1000 for start, end in pairwise(borders)][::-1]
    assert [one["online_s"] + one["offline_s"] + one["unknown_s"] for one in days] == lengths
    assert all(one[part] >= 0 for one in days for part in ("online_s", "offline_s", "unknown_s"))


def test_the_days_begin_at_midnight_of_the_site_and_the_newest_is_first():
    days = seconds_per_day([("online", NOON_MS - 3_600_000, NOON_MS, "")], NOON_MS, ZONE, days=2)
    assert [(one["day"], one["online_s"]) for one in days] == [("2026-01-01", 3600), ("2025-12-31", 0)]
    assert days[0]["unknown_s"] == 11 * 3600 and days[1]["unknown_s"] == 86_400


async def test_a_connection_tells_what_is_known_and_none_of_the_rest(clock):
    line = Line(LineConfig("c1-a"), clock, {})
    collector = Collector(CollectorConfig("c1"), [line], clock, Bus())
    LinkDesk("field", [collector], clock, Bus()).trouble("cannot listen on 0.0.0.0:9100: in use")
    before = connection_of(collector)
    assert before["trouble"] == "cannot listen on 0.0.0.0:9100: in use"
    assert before["state"] == before["cause"] == "never_seen" and before["trip_ms"] is before["signal_dbm"] is None
    session = collector.attach(ScriptedWire(clock))
    session.signal(-97)
    session.node(NodeFacts("000000000101", online=True, hops=2, quality=80))
    session.node(NodeFacts("000000000101", online=False))
    now = connection_of(collector)
    assert now["state"] == "online" and now["peer"] == "scripted wire" and now["signal_dbm"] == -97
    (node,) = nodes_of(collector, {}, ["c1-a"])
    assert (node["online"], node["hops"], node["quality"], node["meter"]) == (False, 2, 80, None)
    meter = Device("a-101", "meter", Profile("p", "t", {"en": "P"}), parent="c1-a", address="101")
    assert node_facts(node_of(meter, [collector]), texts_for("en")) == [
        ("Node", "offline"),
        ("Hops", "2"),
        ("Quality", "80 %"),
    ]
    assert node_facts(None, texts_for("en")) == ()
    assert now["waiting_bytes"] == now["dropped_bytes"] == 0
    collector.drop(700)
    assert connection_of(collector)["dropped_bytes"] == 700
    figures = line_of(collector, 0, clock.monotonic())
    assert figures["success_permille"] is figures["channel"] is figures["peer"] is figures["cause"] is None


async def test_a_line_with_a_channel_of_its_own_tells_which_and_whether_it_is_connected(clock):
    lines = [Line(LineConfig("c1-a"), clock, {}), Line(LineConfig("c1-b"), clock, {})]
    collector = Collector(CollectorConfig("c1", channels=(b"DTU1-1", b"\xaa\x01")), lines, clock, Bus())
    collector.attach(ScriptedWire(clock), 1)
    first, second = (line_of(collector, number, clock.monotonic()) for number in (0, 1))
    assert (first["channel"], first["cause"], first["peer"]) == ("DTU1-1", "never_seen", None)
    assert (second["channel"], second["connected"], second["peer"]) == ("hex:aa01", True, "scripted wire")


def test_figures_in_words():
    words = texts_for("en")
    assert [to_the_second(one) for one in (5, 200, 18_720)] == ["0:00:05", "0:03:20", "5:12:00"]
    assert (percent(None), percent(987), trip(None), trip(480), trip(34_000)) == ("", "98.7 %", "", "480 ms", "34 s")
    nobody = {"connection": None, "days": [], "lines": [], "nodes": []}
    assert CollectorView(nobody, words, ZONE, NOON_MS).content()["facts"] == []
