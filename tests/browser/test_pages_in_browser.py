"""The journeys of a manager in a real browser: find a meter, watch it, read it, switch it."""

from __future__ import annotations

import asyncio
import re

import pytest

from meterhub.devices.device import Status

PATHS = ("/", "/meters", "/meters?view=tiles", "/collectors", "/devices/a-101", "/devices/c3", "/plugins", "/account")


def expect():
    from playwright.sync_api import expect

    return expect


def test_logging_in_leads_to_the_page_that_was_wanted(visit, running):
    page = visit("/devices/a-101", user="")
    page.wait_for_url("**/login?next=**")
    page.fill("input[name=name]", "anna")
    page.fill("input[name=password]", "a long pass phrase")
    page.keyboard.press("Enter")
    page.wait_for_url("**/devices/a-101")


def test_a_filter_applies_at_once_and_stands_in_the_url(visit):
    page = visit("/meters")
    page.click("#facet-status summary")
    page.click("#facet-status label:has-text('No answer')")
    expect()(page.locator("#list tbody tr")).to_have_count(2)
    assert page.url.endswith("/meters?status=no_answer")
    expect()(page.locator("#facet-status")).to_have_attribute("open", "")
    page.locator("#q").press_sequentially("204")
    expect()(page.locator("#list tbody tr")).to_have_count(1)
    page.reload()
    expect()(page.locator("#list tbody tr")).to_have_count(1)
    page.go_back()
    page.wait_for_url("**/meters?status=no_answer")
    expect()(page.locator("#list tbody tr")).to_have_count(2)


def test_a_filter_ticked_by_the_keyboard_keeps_the_focus_and_escape_closes_it(visit):
    page = visit("/meters")
    page.locator("#facet-status summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.wait_for_url("**/meters?status=online")
    expect()(page.locator("#facet-status input").first).to_be_focused()
    page.keyboard.press("Escape")
    expect()(page.locator("#facet-status summary")).to_be_focused()
    expect()(page.locator("#facet-status[open]")).to_have_count(0)


def test_filters_work_without_scripts(visit):
    page = visit("/meters", scripts=False)
    page.click("#facet-status summary")
    page.click("#facet-status label:has-text('No answer')")
    page.click("button:has-text('Apply')")
    expect()(page.locator("#list tbody tr")).to_have_count(2)


def test_ticking_rows_says_how_many_and_all_means_the_whole_filter(visit):
    page = visit("/meters?size=50")
    page.locator("#pick-all").check()
    bar = page.locator(".bulk")
    expect()(bar.locator("output")).to_have_text("50 selected")
    bar.get_by_label("All 60 that fit the filter").check()
    expect()(bar.locator("output")).to_have_text("60 selected")
    bar.get_by_role("button", name="Read now").click()
    expect()(page.locator(".figure b")).to_have_text("60")


def test_a_value_changes_in_place_when_the_meter_says_so(visit, running):
    page = visit("/devices/b-101")
    shown = page.locator("live-value[data-watch='b-101.voltage']")
    expect()(page.locator("html")).to_have_attribute("data-live", "up")
    running.do(lambda estate: estate.estate.set(estate.estate["b-101"].entity("voltage"), 2_187))
    expect()(shown.locator(".text")).to_have_text("218.7")
    expect()(page.locator(".value", has=shown).locator("age-text")).to_have_text(re.compile(r"^\d s ago$"))


def test_a_status_changes_in_lists_and_on_the_page(visit, running):
    lists, page = visit("/meters?q=b-102"), visit("/devices/b-102")
    expect()(page.locator("html")).to_have_attribute("data-live", "up")
    expect()(lists.locator("html")).to_have_attribute("data-live", "up")
    running.do(lambda e: e.estate.set_status(e.estate["b-102"], Status.NO_ANSWER, "asked 3 times"))
    expect()(page.locator("#device-status")).to_contain_text("asked 3 times")
    expect()(lists.locator("#list tbody status-pill")).to_have_text("No answer")


def test_a_tile_and_the_count_above_it_follow_the_status(visit, running):
    page = visit("/meters?view=tiles")
    block = page.locator(".wall > section").nth(1)
    tile = block.locator("a.tile").first
    expect()(tile).to_have_class("tile tone-ok")
    device = running.estate.rooms.estate.get(tile.get_attribute("href").rpartition("/")[2])
    refused = block.locator("h2 .count[data-status=refused]")
    expect()(refused).to_be_hidden()
    running.do(lambda estate: estate.rooms.estate.set_status(device, Status.REFUSED, "it said no"))
    expect()(tile).to_have_class("tile tone-bad")
    expect()(refused.locator("b")).to_have_text("1")
    running.do(lambda estate: estate.rooms.estate.set_status(device, Status.ONLINE))


def test_read_now_is_seen_from_queued_to_confirmed(visit, running):
    wire = running.estate.wire
    wire.steps = asyncio.Queue()
    page = visit("/devices/a-101")
    expect()(page.locator("html")).to_have_attribute("data-live", "up")
    page.click("button:has-text('Read now')")
    strip = page.locator("command-strip").first
    expect()(strip.locator("li.at")).to_have_text("Queued")
    running.do(lambda e: wire.steps.put_nowait(None))
    expect()(strip.locator("li.at")).to_have_text("Sent")
    running.do(lambda e: wire.steps.put_nowait(None))
    expect()(strip.locator("li.at")).to_have_text("Confirmed")
    expect()(strip.locator(".result")).to_contain_text("Voltage")
    wire.steps = None


def test_opening_the_circuit_asks_why_and_shows_what_was_read_back(visit, running):
    page = visit("/devices/b-103")
    page.click("button:has-text('Open circuit')")
    dialog = page.locator("dialog[open]")
    expect()(dialog).to_contain_text("Block B / 1 / 103")
    expect()(dialog).to_contain_text("cut at once")
    dialog.locator("button[type=submit]").click()
    expect()(dialog).to_be_visible()
    dialog.locator("input[name=reason]").fill("moved out")
    dialog.locator("button[type=submit]").click()
    expect()(dialog).to_be_hidden()
    strip = page.locator("command-strip").first
    expect()(strip.locator("li.at")).to_have_text("Confirmed")
    expect()(strip.locator(".result")).to_have_text("Supply Cut off")
    relay = page.locator(".lead live-value[data-watch='b-103.relay']")
    expect()(relay.locator(".text")).to_have_text("Cut off")
    expect()(relay.locator("use")).to_have_attribute("href", re.compile("#off$"))
    page.click("button:has-text('Close circuit')")
    page.locator("dialog[open] button[type=submit]").click()
    expect()(page.locator("live-value[data-watch='b-103.relay'] .text").first).to_have_text("Connected")


def test_a_failed_command_can_be_tried_again(visit, running):
    running.estate.wire.deaf.add("b-104")
    page = visit("/devices/b-104")
    page.click("button:has-text('Read now')")
    strip = page.locator("command-strip").first
    expect()(strip).to_contain_text("no answer in time")
    running.estate.wire.deaf.discard("b-104")
    strip.get_by_role("button", name="Try again").click()
    expect()(page.locator("command-strip")).to_have_count(2)
    expect()(page.locator("command-strip").first.locator("li.at")).to_have_text("Confirmed")


def test_the_chart_is_drawn_and_follows_its_range(visit):
    page = visit("/devices/a-101")
    expect()(page.locator("reading-chart canvas")).to_be_visible()
    page.click("#chart a:has-text('Month')")
    expect()(page.locator("#chart-table tbody tr")).to_have_count(30)
    expect()(page.locator("reading-chart canvas")).to_be_visible()


def test_the_theme_changes_at_once_and_stays(visit):
    page = visit("/account")
    page.click("button[value=dark]")
    expect()(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect()(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect()(page.locator("button[value=dark]")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("language", ["en-GB", "zh-CN", "ja-JP"])
@pytest.mark.parametrize("width", [390, 768, 1440])
def test_no_page_scrolls_sideways(visit, running, width, language):
    page = visit("/", width=width, language=language)
    for path in PATHS:
        page.goto(running.url + path)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, path


def test_what_can_be_pressed_is_large_enough_on_a_phone(visit, running):
    page = visit("/", width=390)
    small = """() => [...document.querySelectorAll('button, summary, .tally, .bar a, .menu a, .tile, select')]
        .filter(one => one.checkVisibility() && one.getBoundingClientRect().height < 42)
        .map(one => one.outerHTML.slice(0, 90))"""
    for path in PATHS:
        page.goto(running.url + path)
        assert page.evaluate(small) == [], path


def test_the_keyboard_reaches_the_content_first_and_closes_dialogs(visit):
    page = visit("/devices/a-101")
    page.keyboard.press("Tab")
    expect()(page.locator(".skip")).to_be_focused()
    opener = page.locator("header button:has-text('Open circuit')")
    opener.focus()
    page.keyboard.press("Enter")
    expect()(page.locator("dialog[open] input[name=reason]")).to_be_focused()
    page.keyboard.press("Escape")
    expect()(page.locator("dialog[open]")).to_have_count(0)
    expect()(opener).to_be_focused()
