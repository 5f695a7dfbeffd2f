"""The line doctor's button, pressed in a browser for each thing that can be wrong with a line of a running hub.

Each in one of three languages, in turn; with ``METERHUB_FULL=1`` each in all of them.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from pathlib import Path

import pytest
from sick_lines import CASES, SickLines

from meterhub.field.doctor_words import WORDS
from meterhub.texts import texts_for

PRESSES = 5
"""On a machine that is too busy to answer in time lines look lossy: press again when there is more to judge by."""
FULL = bool(os.environ.get("METERHUB_FULL"))
LANGUAGES = ("en", "zh-CN", "ja")
EVIDENCE_S = 25
"""Some sweeps must have passed over the lines before there is something to judge by."""
UNPROVED = {"healthy", "offline", "lossy", "quiet_meters"}
"""Findings of what did not come: there are no bytes to show."""
PICTURES = os.environ.get("METERHUB_PICTURES", "")
"""A folder for pictures of what the browser shows."""


class Served:
    """The sick lines in a thread of their own, so that the browser can be driven plainly."""

    def __init__(self, folder):
        self._folder = folder
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self.url = ""

    async def _serve(self):
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with SickLines(self._folder) as lines:
                await asyncio.sleep(EVIDENCE_S)
                self.url = lines.url
                self._ready.set()
                await self._over.wait()
        finally:
            self._ready.set()

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(120) and self.url
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    with Served(tmp_path_factory.mktemp("court")) as served:
        yield served


@pytest.fixture(scope="module")
def browse(chromium, lines):
    """``browse(language)``: a page of the owner in this language; what its console says must be nothing."""
    complaints, pages = [], {}

    def page_of(language):
        if language not in pages:
            context = chromium.new_context(viewport={"width": 1280, "height": 844}, locale=language)
            page = pages[language] = context.new_page()
            page.set_default_timeout(20_000)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(f"{lines.url}/login")
            page.fill("input[name=name]", "olga")
            page.fill("input[name=password]", "a long pass phrase")
            page.click("button[type=submit]")
            page.wait_for_load_state()
        return pages[language]

    yield page_of
    for page in pages.values():
        page.context.close()
    assert complaints == []


def said(language, words):
    """The longest piece of a sentence that holds no value."""
    return max(re.split(r"%\(\w+\)\w", texts_for(language)(words)), key=len).strip()


def press(page, url):
    """The button of a collector's page, and wait for what comes of it."""
    page.goto(url)
    before = page.locator(".findings").count()
    page.click("[data-dialog='do-collector-diagnose']")
    page.click("dialog[open] button[type=submit]")
    page.locator(".findings").nth(before).wait_for(timeout=120_000)


@pytest.mark.parametrize("name", CASES)
def test_the_doctor_says_what_is_wrong_what_to_do_and_shows_the_bytes(lines, browse, name):
    code, languages = CASES[name], LANGUAGES if FULL else LANGUAGES[list(CASES).index(name) % 3 :][:1]
    text, hint = WORDS[code]
    for _ in range(PRESSES):
        press(browse(languages[0]), f"{lines.url}/devices/{name}")
        if said(languages[0], text) in browse(languages[0]).locator(".findings li").first.inner_text():
            break
        time.sleep(EVIDENCE_S / 2)
    for language in languages:
        page = browse(language)
        page.goto(f"{lines.url}/devices/{name}")
        first = page.locator(".findings").first.locator("li").first
        assert said(language, text) in first.inner_text() and said(language, hint) in first.inner_text()
        assert f"{name}-a" in first.inner_text() and "%(" not in first.inner_text()
        assert (first.locator("details").count() == 1) is (code not in UNPROVED)
        if code not in UNPROVED:
            first.locator("summary").click()
            assert len(first.locator(".mono").last.inner_text().split()) >= 4, "bytes"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"{name}-{language}.png", full_page=True)
