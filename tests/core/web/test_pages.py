"""Pages as a browser without scripts sees them."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer
from pages_estate import COLLECTOR, pages_estate, text

from meterhub.devices.device import Device, Status
from meterhub.devices.entity import EntityDef, Quality, Role
from meterhub.devices.profile import Profile
from meterhub.field.trace import RECEIVED, SENT
from meterhub.web.frames import frames_of

PAGES = ("/", "/meters", "/meters?view=tiles", "/collectors", "/devices/a-101", "/devices/c3", "/plugins", "/account")
HOSTILE = "<script>alert(1)</script>\"'&<b>{{7*7}}"


class Outline(HTMLParser):
    """Elements that a strict policy would stop, ids that stand twice, and links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self._script = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.inline += [f"{tag} {name}" for name in given if name == "style" or name.startswith(("on", "hx-on"))]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])


@pytest_asyncio.fixture
async def estate(tmp_path):
    async with pages_estate(tmp_path / "data") as found, browser(found.app) as client:
        found.client = client
        yield found


def browser(app):
    return TestClient(TestServer(app), cookie_jar=aiohttp.CookieJar(unsafe=True))


async def log_in(estate, name="anna", password="a long pass phrase"):
    return await estate.client.post("/login", data={"name": name, "password": password}, allow_redirects=False)


async def page(estate, path, status=200, **headers):
    answer = await estate.client.get(path, headers={"Accept": "text/html", **headers})
    html = await answer.text()
    assert answer.status == status, html[:500]
    return html


async def post(estate, path, pairs, **headers):
    """Send a form as the page would: with the token that stands in it."""
    csrf = re.search(r'name="csrf" value="([^"]+)"', await page(estate, "/account")).group(1)
    given = aiohttp.FormData([("csrf", csrf), *pairs])
    return await estate.client.post(path, data=given, headers={"Accept": "text/html", **headers}, allow_redirects=False)


async def test_whoever_is_not_logged_in_is_sent_to_the_login_and_comes_back(estate):
    answer = await estate.client.get("/meters?status=online", allow_redirects=False)
    assert answer.status == 303
    assert answer.headers["Location"] == "/login?next=/meters?status%3Donline"
    answer = await estate.client.post(
        "/login", data={"name": "anna", "password": "a long pass phrase", "next": "/meters"}, allow_redirects=False
    )
    assert (answer.status, answer.headers["Location"]) == (303, "/meters")


@pytest.mark.parametrize("evil", ["//evil.example", "https://evil.example", "/\\evil.example", "/login?next=/login"])
async def test_the_login_never_leads_to_another_site(estate, evil):
    answer = await estate.client.post(
        "/login", data={"name": "anna", "password": "a long pass phrase", "next": evil}, allow_redirects=False
    )
    assert answer.headers["Location"] == "/"


async def test_a_wrong_password_is_said_and_the_name_is_kept(estate):
    answer = await log_in(estate, password="not this one")
    html = await answer.text()
    assert answer.status == 401
    assert 'value="anna"' in html and 'role="alert"' in html and "not this one" not in html


@pytest.mark.parametrize("path", PAGES)
async def test_no_page_has_anything_inline_nor_an_id_twice(estate, path):
    await log_in(estate)
    answer = await estate.client.get(path, headers={"Accept": "text/html"})
    outline = Outline(await answer.text())
    assert answer.status == 200
    assert outline.inline == []
    assert len(outline.ids) == len(set(outline.ids)), sorted(outline.ids)
    assert "'unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", PAGES)
async def test_every_link_of_a_page_leads_somewhere(estate, path):
    await log_in(estate)
    links = {one for one in Outline(await page(estate, path)).links if one.startswith("/") and "/api/" not in one}
    for link in sorted(links)[:40]:
        answer = await estate.client.get(link, headers={"Accept": "text/html"})
        assert answer.status == 200, link


@pytest.mark.parametrize("language", ["zh-CN", "ja", "en"])
async def test_pages_come_in_the_language_of_the_browser(estate, language):
    await log_in(estate)
    html = await page(estate, "/devices/a-101", **{"Accept-Language": language})
    assert f'<html lang="{language}"' in html
    assert {"zh-CN": "电压", "ja": "電圧", "en": "Voltage"}[language] in html


async def test_the_overview_counts_and_each_count_leads_to_its_list(estate):
    await log_in(estate)
    html = await page(estate, "/")
    for word, count in (("online", 37), ("no_answer", 2), ("link_down", 20), ("never_seen", 1)):
        assert re.search(rf'href="/meters\?status={word}"[^§]*?<b>{count}</b>', html)
        listed = await page(estate, f"/meters?status={word}")
        assert listed.count("<tr>") - 1 == count


async def test_the_hour_of_readings_is_marked_by_the_clock_even_across_midnight(estate):
    await log_in(estate)
    axis = re.search(r'class="axis">(.*?)</div>', await page(estate, "/")).group(1)
    assert re.fullmatch(r"<span>\d\d:\d\d</span><span>\d\d:\d\d</span><span>now</span>", axis)


async def test_meters_that_share_a_cause_stand_in_one_line(estate):
    await log_in(estate)
    html = await page(estate, "/")
    trouble = html[html.index('id="h-trouble"') : html.index('id="h-commands"')]
    assert trouble.count("<li>") == 3
    assert "20 meters" in trouble and "collector c3 is offline" in trouble


async def test_a_list_is_what_its_url_says(estate):
    await log_in(estate)
    html = await page(estate, "/meters?q=block+a&status=online&sort=-id&col=id&col=address&size=100")
    rows = re.findall(r'href="/devices/(a-\d+)"', html)
    assert rows == sorted(rows, reverse=True) and len(rows) == 18
    assert 'aria-sort="descending"' in html
    assert 'data-label="Address"' in html and 'data-label="Place"' not in html
    assert 'href="/api/v1/collections/meters/export?format=csv&amp;q=block+a&amp;status=online&amp;sort=-id"' in html


async def test_facets_count_what_the_other_filters_leave(estate):
    await log_in(estate)
    html = await page(estate, "/meters?line=c3-a&status=online")
    assert re.search(r'value="link_down">Link down<span class="count">20<', html)
    assert re.search(r'value="online" checked>Online<span class="count">0<', html)
    assert "Nothing fits this filter" in html


async def test_lists_are_paged_and_say_where_one_is(estate):
    await log_in(estate)
    first, second = await page(estate, "/meters"), await page(estate, "/meters?page=2")
    assert "1 to 50 of 60" in first and 'rel="next" href="/meters?page=2"' in first
    assert "51 to 60 of 60" in second and 'rel="prev" href="/meters"' in second


@pytest.mark.parametrize(
    "query", ["page=99999", "size=7", "sort=nonsense", "view=x", "page=-1", "col=nonsense", "q=%00%ff"]
)
async def test_a_strange_url_gives_a_page_not_an_error(estate, query):
    await log_in(estate)
    await page(estate, f"/meters?{query}")


async def test_hostile_texts_are_shown_not_run(estate):
    device = Device("x-1", "meter", COLLECTOR, name=HOSTILE, address=HOSTILE, place=(HOSTILE, HOSTILE), parent="c1-a")
    estate.estate.add(device)
    estate.estate.set_status(device, Status.NO_ANSWER, HOSTILE)
    await log_in(estate)
    for path in ("/", "/meters", "/meters?view=tiles", "/devices/x-1", "/devices/c1", "/meters?q=%3Cscript%3Ealert(1)"):
        html = await page(estate, path)
        assert "<script>alert" not in html and "49" not in re.findall(r"\{\{7\*7\}\}|\b49\b(?=</b>)", html)
        assert Outline(html).inline == []
    assert "&lt;script&gt;alert(1)" in await page(estate, "/devices/x-1")


async def test_a_device_page_is_drawn_from_what_its_profile_says_even_of_an_unknown_kind(estate):
    profile = Profile(
        "toy", "toy", text("Toy"),
        (
            EntityDef("mood", text("Mood"), kind="feeling-of-tomorrow"),
            EntityDef("pin", text("Pin"), kind="text", secret=True),
            EntityDef("inner", text("Inner"), kind="text", hidden=True),
            EntityDef("odd", text("Odd"), kind="number", scale=3, unit="qx", group="Left side"),
            EntityDef("never", text("Never"), unit="V"),
            EntityDef("depth", text("Depth"), kind="text", role=Role.DIAGNOSTIC),
        ),
    )  # fmt: skip
    device = Device("toy-1", "meter", profile)
    estate.estate.add(device)
    values = ["merry & <b>", "1234", "unseen", 12_345_678, "deep"]
    known = [one for one in device.entities if one.definition.key != "never"]
    estate.estate.apply(
        device, [(one, value, Quality.GOOD) for one, value in zip(known, values, strict=True)], estate.clock.now()
    )
    await log_in(estate)
    html = await page(estate, "/devices/toy-1")
    assert "merry &amp; &lt;b&gt;" in html
    assert "12,345.678" in html and "qx" in html and "Left side" in html
    assert "1234<" not in html and "••••••" in html
    assert "unseen" not in html
    assert re.search(r'data-watch="toy-1.never" data-q=""[^>]*><span class="text">–</span>', html)


async def test_an_old_value_is_marked_stale(estate):
    await log_in(estate)
    html = await page(estate, "/devices/c-101")
    assert 'data-watch="c-101.voltage" data-q="stale"' in html
    assert 'data-watch="a-102.voltage" data-q="good"' in await page(estate, "/devices/a-102")


async def test_the_chart_has_its_figures_in_a_table(estate):
    await log_in(estate)
    html = await page(estate, "/devices/a-101?range=week")
    assert html.count("<tr data-t=") == 7
    assert re.search(r'<tr data-t="\d+" data-v="\d+\.\d\d" data-before="\d+\.\d\d">', html)
    power = await page(estate, "/devices/a-101?of=power&range=day")
    assert power.count("<tr data-t=") > 90
    assert "No history in this range" in await page(estate, "/devices/a-102")


async def test_frames_stand_behind_technical(estate):
    estate.rooms.lines()["c1-a"].trace.add(
        (estate.clock.monotonic(), RECEIVED, "a-101", b"\x68\x01\x02\x16", "bad checksum")
    )
    await log_in(estate)
    html = await page(estate, "/devices/a-101")
    assert "68 01 02 16" in html and "bad checksum" in html


async def test_what_a_protocol_calls_secret_is_not_shown(estate):
    protocol = SimpleNamespace(secrets=lambda data: {1, 2})
    rooms = replace(estate.rooms, protocols=lambda: {"test": protocol})
    rooms.lines()["c1-a"].trace.add((estate.clock.monotonic(), SENT, "a-101", b"\x68\x99\x98\x16", ""))
    shown = frames_of(rooms, rooms.estate.get("a-101"))
    assert shown[0]["hex"] == "68 ** ** 16"


async def test_a_command_without_scripts_goes_through_the_page(estate):
    await log_in(estate)
    answer = await post(estate, "/devices/a-101/actions/meter.open_circuit", [("reason", "moved out")])
    assert answer.status == 303
    run = estate.rooms.actions.recent("a-101")[0]
    assert (run.reason, run.actor) == ("moved out", "user:anna")
    await run.done
    html = await page(estate, "/devices/a-101")
    assert "Confirmed" in html and "Cut off" in html


async def test_done_is_never_shown_before_the_meter_answered(estate):
    estate.wire.delay_s = 3600.0
    await log_in(estate)
    answer = await post(estate, "/devices/a-101/actions/meter.read", [], **{"HX-Request": "true"})
    strip = await answer.text()
    assert "<command-strip" in strip and "data-final" not in strip
    assert '<li class="at wait">' in strip


async def test_the_parameters_of_a_command_have_labels_in_the_language_of_the_reader(estate):
    await log_in(estate)
    await post(estate, "/account/language", [("language", "zh-CN")])
    html = await page(estate, "/devices/a-101")
    labels = re.findall(r'<label for="([^"]+)">数据项', html)
    assert len(labels) == len(set(labels)) == 2 and all(f'id="{one}" name="p-register"' in html for one in labels)
    assert '<option value="broadcast">广播</option>' in html


async def test_a_failed_command_says_why_and_offers_another_try(estate):
    estate.wire.deaf.add("a-101")
    await log_in(estate)
    await post(estate, "/devices/a-101/actions/meter.read", [])
    run = estate.rooms.actions.recent("a-101")[0]
    await run.done
    strip = await page(estate, f"/runs/{run.id}", **{"HX-Request": "true"})
    assert "no answer in time" in strip and "Try again" in strip and "data-final" in strip


async def test_why_a_command_failed_stands_there_in_the_language_of_the_reader(estate):
    estate.wire.deaf.add("a-101")
    await log_in(estate)
    await post(estate, "/account/language", [("language", "ja")])
    await post(estate, "/devices/a-101/actions/meter.read", [])
    run = estate.rooms.actions.recent("a-101")[0]
    await run.done
    assert "<strong>メーターが応答しませんでした</strong>" in await page(estate, f"/runs/{run.id}")
    assert "メーターが応答しませんでした" in await page(estate, "/")


async def test_everything_answers_is_not_said_of_meters_that_never_did(estate):
    await log_in(estate)
    for name in estate.rooms.estate:
        device = estate.rooms.estate.get(name)
        if device.kind == "meter":
            device.status = Status.NEVER_SEEN
    html = await page(estate, "/")
    assert "60 meters have not answered yet" in html and "Everything answers" not in html


async def test_the_wall_has_a_count_for_every_status_that_may_come(estate):
    await log_in(estate)
    html = await page(estate, "/meters?view=tiles")
    head = html[html.index('<div class="wall">') :].split("</h2>")[0]
    assert head.count('class="count"') == 7 and 'data-status="refused" hidden' in head


async def test_pages_and_the_api_answer_a_head_request_and_a_login_link_is_not_spent_by_one(estate):
    async with browser(estate.app) as client:
        assert (await client.head("/healthz")).status == 200
        assert (await client.head("/login/link/x")).status == 405
    await log_in(estate)
    answer = await estate.client.head("/meters")
    assert answer.status == 200 and await answer.read() == b""
    assert (await estate.client.head("/api/v1/devices")).status == 200


async def test_a_viewer_sees_but_is_not_offered_and_may_not_switch(estate):
    await log_in(estate, "vera", "another pass phrase")
    html = await page(estate, "/devices/a-101")
    assert "meter.read" in html and "open_circuit" not in html and "set-alarm" not in html
    answer = await post(estate, "/devices/a-101/actions/meter.open_circuit", [("reason", "x")])
    assert answer.status == 403
    assert estate.rooms.actions.recent("a-101") == []
    await page(estate, "/plugins", status=404)


async def test_a_form_without_its_token_changes_nothing(estate):
    await log_in(estate)
    answer = await estate.client.post("/devices/a-101/actions/meter.open_circuit", data={"reason": "x"})
    assert answer.status == 403
    assert estate.rooms.actions.recent("a-101") == []


async def test_a_bulk_command_is_asked_first_with_its_count(estate):
    await log_in(estate)
    answer = await post(estate, "/meters/bulk?status=online", [("action", "meter.open_circuit"), ("whole", "1")])
    html = await answer.text()
    assert answer.status == 200 and "<b>37</b>" in html and "Type the number of devices: 37" in html
    assert estate.rooms.actions.recent("a-101") == []


async def test_a_bulk_command_gives_a_result_per_device(estate):
    await log_in(estate)
    asked = [("action", "meter.open_circuit"), ("sure", "1"), ("reason", "test")]
    wrong = await post(estate, "/meters/bulk?status=online", [*asked, ("whole", "1"), ("count", "36")])
    assert "This is not the number." in await wrong.text()
    right = await post(estate, "/meters/bulk?status=online", [*asked, ("whole", "1"), ("count", "37")])
    assert (await right.text()).count("<command-strip") == 37
    some = await post(estate, "/meters/bulk", [*asked, ("id", "b-101"), ("id", "no-such")])
    html = await some.text()
    assert html.count("<command-strip") == 1 and "there is no meter" in html


async def test_errors_are_pages_with_a_next_step_and_a_code(estate):
    await log_in(estate)
    html = await page(estate, "/devices/nobody", status=404)
    assert "there is no device nobody" in html and "What next" in html and "data-copy=" in html


async def test_the_theme_is_in_the_first_byte(estate):
    await log_in(estate)
    answer = await post(estate, "/account/theme", [("theme", "dark")])
    assert answer.status == 303
    assert re.search(r'<html lang="[^"]+" data-theme="dark">', await page(estate, "/"))


async def test_the_language_is_kept_with_the_user(estate):
    await log_in(estate)
    await post(estate, "/account/language", [("language", "zh-CN")])
    assert estate.people.users.get("anna").language == "zh-CN"
    assert '<html lang="zh-CN"' in await page(estate, "/")


async def test_sessions_are_listed_and_can_be_ended(estate):
    await log_in(estate)
    async with browser(estate.app) as other:
        await other.post("/login", data={"name": "anna", "password": "a long pass phrase"})
        html = await page(estate, "/account")
        numbers = re.findall(r"/account/sessions/(\d+)/revoke", html)
        assert len(numbers) == 2
        answer = await post(estate, f"/account/sessions/{max(numbers, key=int)}/revoke", [])
        assert answer.status == 303
        lost = await other.get("/account", allow_redirects=False)
        assert lost.status == 303 and lost.headers["Location"].startswith("/login")


async def test_a_new_password_is_checked_at_its_field(estate):
    await log_in(estate)
    fields = [("old", "a long pass phrase"), ("new", "a new long phrase"), ("again", "another long phrase")]
    answer = await post(estate, "/account/password", fields)
    assert answer.status == 400 and 'id="e-again"' in await answer.text()
    answer = await post(estate, "/account/password", [("old", "wrong one"), *fields[1:2], ("again", fields[1][1])])
    assert answer.status == 400 and 'id="e-old"' in await answer.text()
    short = [fields[0], ("new", "short"), ("again", "short")]
    answer = await post(estate, "/account/password", short)
    assert answer.status == 400 and 'id="e-new"' in await answer.text()
    fields[2] = ("again", "a new long phrase")
    assert (await post(estate, "/account/password", fields)).status == 303


async def test_plugins_say_where_they_failed(estate):
    await log_in(estate)
    html = await page(estate, "/plugins")
    assert html.index('id="toy"') < html.index('id="dlt645"')
    assert "config/plugins/toy.py:17" in html and "ZeroDivisionError" in html


async def test_plugins_say_what_they_bring_in_the_words_of_the_reader(estate):
    await log_in(estate)
    await post(estate, "/account/language", [("language", "zh-CN")])
    html = await page(estate, "/plugins")
    assert "通信规约" in html and "软件包 meterhub_dlt645" in html and "register_" not in html


async def test_static_files_may_be_kept_for_ever_and_nothing_else_is_served(estate):
    html = await page(estate, "/login")
    for link in re.findall(r'(?:href|src)="(/static/[^"#]+)"', html):
        answer = await estate.client.get(link)
        assert answer.status == 200 and "immutable" in answer.headers["Cache-Control"], link
    for path in ("/static/../pages.py", "/static/%2e%2e/pages.py", "/static/vendor", "/static/nothing.js"):
        assert (await estate.client.get(path)).status == 404


async def test_a_collectors_page_shows_its_connection_lines_and_days_in_figures(estate):
    await log_in(estate)
    html = await page(estate, "/devices/c1")
    assert "Connection in figures" in html and "Line c1-a" in html and "99.4 % of 1240 requests" in html
    assert "Waiting in the queue" in html and "Seconds per day" in html
