"""Pages in Chinese and Japanese hold no English sentence, whatever goes wrong."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer
from pages_estate import pages_estate

from meterhub.devices.device import Status
from meterhub.errors import Dropped, LinkDown, NoAnswer
from meterhub.field.causes import in_words

SENTENCE = re.compile(r"\b[A-Za-z']*[a-z]{2,}(?: [a-z']{2,})+")
"""Two English words in a row, the second in small letters: no name, no id, no hex."""
OWN = ("Collector block", "Block A", "Block B", "Block C", "package meterhub", "site.yaml", "read energy")
"""Names that deployers gave, and what the decoder says of a frame."""


class Shown(HTMLParser):
    """The words that a page shows: its text, and what is read out of titles and labels."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._tag = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self._tag = tag
        self.texts += [value for name, value in attrs if name in ("title", "aria-label", "placeholder") and value]

    def handle_data(self, data):
        if self._tag not in ("script", "style", "template", "code"):
            self.texts.append(data)


def english(html: str) -> list[str]:
    found = [one for text in Shown(html).texts for one in SENTENCE.findall(text)]
    return [one for one in found if not any(one in name or name in one for name in OWN)]


@pytest_asyncio.fixture(params=["zh-CN", "ja"])
async def reader(request, tmp_path):
    """An estate and a browser of somebody who reads another language; ``get`` and ``post`` give the page."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with pages_estate(tmp_path / "data") as estate, TestClient(TestServer(estate.app), cookie_jar=jar) as client:
        await client.post("/login", data={"name": "anna", "password": "a long pass phrase"})

        async def get(path, **headers):
            async with client.get(path, headers={"Accept": "text/html", **headers}) as answer:
                return await answer.text()

        async def post(path, *fields):
            token = re.search(r'name="csrf" value="([^"]+)"', await get("/account"))[1]
            async with client.post(path, data=[("csrf", token), *fields], headers={"Accept": "text/html"}) as answer:
                return await answer.text()

        estate.get, estate.post = get, post
        await post("/account/language", ("language", request.param))
        yield estate


async def test_what_went_wrong_with_devices_is_told_on_every_page(reader):
    estate = reader.rooms.estate
    cut = f"the connection was lost: {in_words('closed')}"
    for device in list(estate.values()):
        if device.status is Status.LINK_DOWN:
            estate.set_status(device, Status.LINK_DOWN, in_words("silent") if device.kind == "collector" else cut)
        elif device.status is Status.NO_ANSWER:
            estate.set_status(device, Status.NO_ANSWER, "no answer in time, asked 3 times")
    for path in ("/", "/meters", "/collectors", "/devices/c3", "/devices/c-101", "/account", "/logins", "/audit"):
        assert english(await reader.get(path)) == [], path


@pytest.mark.parametrize(
    "error",
    [
        NoAnswer("no answer in time, asked once", hint="read the meter before trying again"),
        LinkDown("there is no connection: it is not open yet"),
        Dropped("not sent within 20.0 s: the line is not connected: no sign of life"),
    ],
    ids=lambda one: one.code,
)
async def test_why_a_command_failed_is_told(reader, error):
    reader.wire.error = error
    reader.wire.deaf.add("a-101")
    await reader.post("/devices/a-101/actions/meter.read")
    run = reader.rooms.actions.recent("a-101")[0]
    await run.done
    assert run.error["message"] == error.message
    assert english(await reader.get(f"/runs/{run.id}")) == []


@pytest.mark.parametrize("path", ["/devices/x-404", "/nothing/at/all", "/static/none.css", "/runs/run-0-0", "/pages"])
async def test_what_is_not_there_is_told(reader, path):
    assert english(await reader.get(path)) == []


async def test_what_may_not_be_and_what_is_wrongly_filled_in_is_told(reader):
    wrong = [("old", "not it at all"), ("new", "short"), ("again", "short")]
    assert english(await reader.post("/account/password", *wrong)) == []
    assert english(await reader.post("/account/language", ("language", "klingon"))) == []
    assert english(await reader.post("/meters/bulk", ("action", "meter.read"))) == []
    assert english(await reader.post("/devices/a-101/actions/meter.write", ("p-value", "5"))) == []
    assert english(await reader.post("/devices/a-101/actions/meter.nonsense")) == []


async def test_the_api_stays_english_whatever_its_caller_reads(reader):
    assert "there is no device x-404" in await reader.get("/api/v1/devices/x-404")
