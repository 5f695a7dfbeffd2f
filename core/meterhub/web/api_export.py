"""Exports: exactly what the list's filter shows, as CSV or Excel, streamed row by row."""

from __future__ import annotations

import asyncio
import csv
import importlib
import io
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from meterhub.clock import Clock
from meterhub.collections import Collection, Query
from meterhub.errors import MeterHubError
from meterhub.web.api_collections import collection_of, query_for
from meterhub.web.params import choice
from meterhub.web.records import guarded, shown_fields, to_cell
from meterhub.web.rooms import ROOMS
from meterhub.web.routes import Route

T = TypeVar("T")

PART = 500
"""Rows per piece."""
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

QUERY = {
    "format": "csv or xlsx (csv)",
    "q": "words to look for",
    "sort": "a field; with - in front from the highest",
    "(field)": "only rows whose field has this value; repeat for several values",
}


class MissingExtra(MeterHubError):
    """The hub was installed without what this takes."""

    code = "missing_extra"
    status = 501


async def export(request: web.Request) -> web.StreamResponse:
    """All rows of the filter as a file."""
    collection = collection_of(request)
    query = query_for(collection, request, ("format",))
    kind = choice(request.query, "format", "csv", ("csv", "xlsx"))
    rooms = request.app[ROOMS]
    if kind == "csv":
        return await _csv(request, collection, query, rooms.zone)
    return await _xlsx(request, collection, query, rooms.zone, rooms.clock)


def _headers(collection: Collection, ending: str, media: str) -> dict[str, str]:
    return {
        "Content-Type": media,
        "Content-Disposition": f'attachment; filename="{collection.name}.{ending}"',
        "Cache-Control": "no-store",
    }


async def _parts(collection: Collection, query: Query, zone: tzinfo) -> AsyncIterator[list[list[str]]]:
    """The table's rows as texts, in pieces; the first piece is the head."""
    fields = shown_fields(collection)
    yield [["id", *[one.name for one in fields]]]
    part: list[list[str]] = []
    async for row in collection.source.rows(query):
        part.append([guarded(str(row["id"])), *[to_cell(one, row.get(one.name), zone) for one in fields]])
        if len(part) >= PART:
            yield part
            part = []
    if part:
        yield part


async def _csv(request: web.Request, collection: Collection, query: Query, zone: tzinfo) -> web.StreamResponse:
    answer = web.StreamResponse(headers=_headers(collection, "csv", "text/csv; charset=utf-8"))
    parts = _parts(collection, query, zone)
    # Nothing goes out before the first rows are there: until then an error still has its own status.
    head = await anext(parts)
    first: list[list[str]] = await anext(parts, [])
    await answer.prepare(request)
    await answer.write(b"\xef\xbb\xbf" + _csv_bytes(head + first))
    async for part in parts:
        await answer.write(_csv_bytes(part))
    await answer.write_eof()
    return answer


def _csv_bytes(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


async def _xlsx(
    request: web.Request, collection: Collection, query: Query, zone: tzinfo, clock: Clock
) -> web.StreamResponse:
    try:
        xlsxwriter = importlib.import_module("xlsxwriter")  # only hubs that export to Excel pay for it
    except ImportError:
        raise MissingExtra(
            "Excel files need the extra `excel`", hint="pip install 'meterhub[excel]', or take format=csv"
        ) from None
    with tempfile.TemporaryDirectory(prefix="meterhub-") as folder:
        path = Path(folder) / "rows.xlsx"
        book = _Book(xlsxwriter, path, collection.name)
        async for part in _parts(collection, query, zone):
            await _in_thread(clock, lambda part=part: book.add(part))  # type: ignore[misc]
        await _in_thread(clock, book.close)
        return await _send_file(request, path, _headers(collection, "xlsx", XLSX), clock)


class _Book:
    """One sheet of texts, written to disk as it grows; used by one thread at a time."""

    def __init__(self, xlsxwriter: Any, path: Path, title: str) -> None:
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book = xlsxwriter.Workbook(str(path), options)
        self._sheet = self._book.add_worksheet(title[:31])
        self._row = 0

    def add(self, rows: list[list[str]]) -> None:
        """Append rows; every cell is text, so that a meter number keeps its zeros."""
        for row in rows:
            for column, text in enumerate(row):
                self._sheet.write_string(self._row, column, text)
            self._row += 1

    def close(self) -> None:
        """Finish the file."""
        self._book.close()


async def _send_file(request: web.Request, path: Path, headers: dict[str, str], clock: Clock) -> web.StreamResponse:
    answer = web.StreamResponse(headers=headers)
    await answer.prepare(request)
    with path.open("rb") as file:
        while piece := await _in_thread(clock, lambda: file.read(1 << 18)):
            await answer.write(piece)
    await answer.write_eof()
    return answer


async def _in_thread(clock: Clock, work: Callable[[], T]) -> T:
    with clock.outside():
        return await asyncio.get_running_loop().run_in_executor(None, work)


def routes() -> Sequence[Route]:
    """The routes of this module."""
    return [
        Route(
            "GET",
            "/api/v1/collections/{name}/export",
            export,
            "Export the rows of a filter",
            query=QUERY,
            media="text/csv",
            answer={"type": "string"},
        )
    ]
