"""G13, the page part: the whole page of a hundred meters against a plain template loop over the same rows.

Ours is everything between the routed request and the finished answer: permission, query of the list, facets, menu,
rows, page. The floor is what a straightforward program does: one Jinja2 template that loops over the rows as dicts,
with no query at all. Both run in one process, alternately, over several rounds; what is compared is CPU time.

    python bench/page_rows.py [--meters 100]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from meterhub.actions import Actions, System
from meterhub.bus import Bus
from meterhub.clock import Clock
from meterhub.collections import Collection, Field, ListSource, Query
from meterhub.devices.device import Device, Status
from meterhub.devices.profile import Profile
from meterhub.devices.states import Estate
from meterhub.people.people import People
from meterhub.store.sqlite import SqliteStore
from meterhub.tasks import Tasks
from meterhub.web.app import build_app
from meterhub.web.pages import setup_pages
from meterhub.web.rooms import Rooms

ROUNDS = 7
PAGES = 150
GOAL_RATIO, GOAL_RATE = 4.0, 2_500

Make = Callable[[], Awaitable[int]]
Use = Callable[[Make, Make], Awaitable[None]]

FIELDS = (
    Field("id", {"en": "Id"}, search=True),
    Field("status", {"en": "Status"}, "status", filter=True),
    Field("place", {"en": "Place"}, search=True),
    Field("address", {"en": "Address"}, search=True),
    Field("line", {"en": "Line"}, filter=True),
    Field("profile", {"en": "Model"}, filter=True),
    Field("answered_ms", {"en": "Last answer"}, "time"),
    Field("detail", {"en": "Detail"}),
)

PLAIN = """<!doctype html><html><head><title>Meters</title></head><body><table>
<tr>{% for field in fields %}<th>{{ field.label["en"] }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>
<td><input type="checkbox" name="id" value="{{ row.id }}"></td>
<td><a href="/devices/{{ row.id }}">{{ row.id }}</a></td>
<td><span class="status {{ row.status }}">{{ row.status }}</span></td>
<td>{{ row.place }}</td><td>{{ row.address }}</td><td>{{ row.line }}</td><td>{{ row.profile }}</td>
<td><time data-t="{{ row.answered_ms }}">{{ row.answered_ms }}</time></td><td>{{ row.detail or "–" }}</td>
</tr>{% endfor %}</table></body></html>"""


def row_of(device: Device) -> dict[str, Any]:
    """A meter as a list shows it."""
    return {
        "id": device.id,
        "name": device.name,
        "status": device.status.value,
        "place": " / ".join(device.place),
        "address": device.address,
        "line": device.parent,
        "profile": device.profile.id,
        "answered_ms": device.answered_ms,
        "detail": device.detail,
    }


def filled(clock: Clock, bus: Bus, meters: int) -> Estate:
    """So many meters in three blocks."""
    estate, profile = Estate(bus, clock), Profile("bench", "bench", {"en": "Bench"})
    for count in range(meters):
        place = (f"Block {'ABC'[count % 3]}", str(count // 15 + 1), f"{count // 3 + 1:03d}")
        device = Device(
            f"m-{count:05d}", "meter", profile, parent=f"c{count % 3}-a", address=f"{count:012d}", place=place
        )
        estate.add(device)
        estate.set_status(
            device, Status.ONLINE if count % 9 else Status.NO_ANSWER, "" if count % 9 else "asked 3 times"
        )
        device.answered_ms = clock.now() - count * 400
    return estate


async def ours(data_dir: Path, estate: Estate, clock: Clock, bus: Bus, use: Use) -> None:
    """Give ``use`` what makes our page, and what makes its query alone, for a real user over the real application."""
    store = await SqliteStore.open(data_dir, clock)
    people = await People.open(store, clock)
    user = await people.users.add("anna", "a long pass phrase", "owner", by=System())
    tasks = Tasks(clock)
    source = ListSource(estate.values, row_of, FIELDS, "device.view", lambda one: one.scope)
    meters = Collection("meters", {"en": "Meters"}, FIELDS, source, "device.view", group="Estate", icon="meter",
                        row_link=lambda row: f"/devices/{row['id']}", bulk_actions=("meter.read",))  # fmt: skip
    actions = Actions(bus, clock, _no_journal(), estate.get, tasks.spawn)
    rooms = Rooms(clock, bus, estate, actions, {"meters": meters}, people, tasks.spawn, ZoneInfo("Asia/Shanghai"))
    app = build_app(rooms, lambda one: void(setup_pages(one, rooms)))
    app.freeze()

    request = make_mocked_request("GET", "/meters?size=100", headers={"Accept": "text/html"}, app=app)
    request["actor"], request["session"] = user, None
    match = await app.router.resolve(request)
    match.add_app(app)
    request._match_info = match

    async def query() -> int:
        return (await source.page(Query(user, limit=100))).total

    async def page() -> int:
        request.pop("visitor", None)
        answer = await match.handler(request)
        assert isinstance(answer, web.Response) and isinstance(answer.body, bytes)
        return len(answer.body)

    try:
        await use(page, query)
    finally:
        await tasks.stop()
        people.close()
        await store.close()


def void(_: object) -> None:
    """Forget a result."""


def _no_journal() -> Any:
    return None


async def cpu_us(page: Make) -> float:
    """CPU microseconds per page, over ``PAGES`` of them."""
    began = time.process_time()
    for _ in range(PAGES):
        await page()
    return (time.process_time() - began) / PAGES * 1e6


async def compare(data_dir: Path, meters: int) -> None:
    """Alternate both and print the ratio, both absolutes and what the machine was doing."""
    clock, bus = Clock(seed=1), Bus()
    estate = filled(clock, bus, meters)
    template = jinja2.Environment(autoescape=True).from_string(PLAIN)
    rows = [row_of(one) for one in list(estate.values())[:100]]

    async def plain() -> int:
        return len(template.render(rows=rows, fields=FIELDS))

    async def use(page: Make, query: Make) -> None:
        sizes = await page(), await plain()
        found = [(await cpu_us(page), await cpu_us(plain), await cpu_us(query)) for _ in range(ROUNDS)]
        mine, floor, asked = (statistics.median(column) for column in zip(*found, strict=True))
        whole = statistics.median(plain / ours for ours, plain, _ in found)
        drawn = statistics.median(plain / (ours - query) for ours, plain, query in found)
        print(f"page of 100 rows out of {meters} meters, {platform.python_version()}, load {os.getloadavg()[0]:.1f}")
        print(f"  ours   {mine:8.0f} us CPU  {1e6 / mine:7.0f} pages/s  {sizes[0]:7,} bytes, query and page included")
        print(f"  plain  {floor:8.0f} us CPU  {1e6 / floor:7.0f} pages/s  {sizes[1]:7,} bytes, template loop alone")
        print(f"  query  {asked:8.0f} us CPU of ours: list, filter, facets (ListSource makes every row anew)")
        print(f"  ratio  {drawn:8.2f} x drawing alone, {whole:.2f} x with the query")
        print(f"  goal   {GOAL_RATIO:8.0f} x and {GOAL_RATE:,} pages/s")

    await ours(data_dir, estate, clock, bus, use)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--meters", type=int, default=100)
    meters = parser.parse_args().meters
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(Path(folder), meters))


if __name__ == "__main__":
    main()
