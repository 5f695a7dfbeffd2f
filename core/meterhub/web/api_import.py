"""Imports: a CSV file against a collection, with a verdict for every line before anything is written."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from aiohttp import web
from aiohttp.web_request import FileField

from meterhub.actions import Actor
from meterhub.collections import Collection, Field
from meterhub.errors import BadInput, MeterHubError, NotAllowed, NotFound
from meterhub.web.api_collections import collection_of
from meterhub.web.auth import FORM_TYPES
from meterhub.web.params import WrongType, checked, choice, query_of, read_body, unknown
from meterhub.web.records import from_cell, row_schema, unguarded
from meterhub.web.rooms import ROOMS
from meterhub.web.routes import Route, as_json

MAX_LINES = 20_000
MAX_CELLS = 200
CSV_TYPES = ("text/csv", "text/plain", "application/csv", "application/octet-stream")

QUERY = {
    "dry_run": "1: say what would happen and change nothing (0)",
    "mode": "all: change nothing if any line is wrong; good: take the good lines (all)",
}


@dataclass(slots=True)
class Line:
    """One line of the file. ``verdict`` is create, update, same or error; ``number`` is its place in the file."""

    number: int
    row_id: str
    values: dict[str, Any] = field(default_factory=dict)
    verdict: str = ""
    error: MeterHubError | None = None

    def wrong(self, error: MeterHubError) -> None:
        """The line cannot be taken."""
        self.verdict, self.error = "error", error

    def as_json(self) -> dict[str, Any]:
        """The verdict as the API shows it."""
        shown: dict[str, Any] = {"line": self.number, "id": self.row_id, "verdict": self.verdict}
        if self.error is not None:
            one = self.error
            shown["error"] = {"code": one.code, "message": one.message, "where": one.where, "hint": one.hint}
        return shown


async def import_rows(request: web.Request) -> web.Response:
    """Verdicts line by line; unless it is a dry run, the changes too."""
    given = query_of(request, QUERY)
    dry_run = choice(given, "dry_run", "0", ("0", "1")) == "1"
    mode = choice(given, "mode", "all", ("all", "good"))
    collection = collection_of(request, edit=True)
    text = await _read_file(request)
    lines = parse(collection, text, request.app[ROOMS].zone)
    await judge(collection, request["actor"], lines)
    applied = 0
    if not dry_run and (mode == "good" or all(line.error is None for line in lines)):
        applied = await carry_out(collection, request["actor"], lines, stop=mode == "all")
    counts = {word: sum(line.verdict == word for line in lines) for word in ("create", "update", "same", "error")}
    return as_json({"dry_run": dry_run, "applied": applied, **counts, "lines": [line.as_json() for line in lines]})


async def _read_file(request: web.Request) -> str:
    if request.content_type in FORM_TYPES:
        part = (await request.post()).get("file")
        if not isinstance(part, FileField):
            raise BadInput("the form has no file", where="file", hint="send the CSV file as the field `file`")
        content = part.file.read()
    elif request.content_type in CSV_TYPES:
        content = await read_body(request)
    else:
        raise WrongType(f"the body is {request.content_type}", hint="send Content-Type: text/csv")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadInput("the file is neither UTF-8 nor GB18030", hint="save it as CSV UTF-8")


def parse(collection: Collection, text: str, zone: tzinfo) -> list[Line]:
    """The lines with their values checked; raises ``BadInput`` for a file that is no table of this collection."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        head = [name.strip() for name in next(reader, [])]
        fields = _columns(collection, head)
        lines: list[Line] = []
        for cells in reader:
            if not any(cells):
                continue
            if len(lines) >= MAX_LINES:
                raise BadInput(f"more than {MAX_LINES} lines", hint="split the file")
            lines.append(_line(collection, reader.line_num, head, fields, cells, zone))
    except csv.Error as problem:
        raise BadInput(f"this is no CSV: {problem}", where=f"line {reader.line_num}") from None
    return lines


def _columns(collection: Collection, head: list[str]) -> dict[str, Field]:
    known = {one.name: one for one in collection.fields}
    if not head or len(head) > MAX_CELLS:
        raise BadInput("the file has no head", where="line 1", hint="known: " + ", ".join(known))
    for name in head:
        if name not in known and name != "id":
            raise unknown("column", name, known)
        if head.count(name) > 1:
            raise BadInput(f"the column {name} is there twice", where="line 1")
    return known


def _line(
    collection: Collection, number: int, head: list[str], fields: Mapping[str, Field], cells: list[str], zone: tzinfo
) -> Line:
    given = dict(zip(head, cells, strict=False))
    line = Line(number, unguarded(given.get("id", "").strip()))
    try:
        if len(cells) > len(head):
            raise BadInput("the line has more cells than the head")
        for name, text in given.items():
            one = fields.get(name)
            if one is not None and one.type != "secret" and not one.edit:
                continue  # a column of the export that nobody edits
            if one is not None and (value := from_cell(one, text, zone)) is not None:
                line.values[name] = value
        checked(line.values, row_schema(collection, partial=True))
    except BadInput as error:
        line.wrong(error)
    return line


async def judge(collection: Collection, actor: Actor, lines: Sequence[Line]) -> None:
    """Decide for each line what it would do."""
    complete = row_schema(collection, partial=False)
    seen: set[str] = set()
    for line in lines:
        if line.error is not None:
            continue
        try:
            if line.row_id and line.row_id in seen:
                raise BadInput("the id is in the file twice", where=line.row_id)
            seen.add(line.row_id)
            line.verdict = await _verdict(collection, actor, line)
            if line.verdict == "create":
                checked(line.values, complete)
        except MeterHubError as error:
            line.wrong(error)


async def _verdict(collection: Collection, actor: Actor, line: Line) -> str:
    row = None
    if line.row_id:
        with contextlib.suppress(NotFound):
            row = await collection.source.get(actor, line.row_id)
    if row is not None:
        # A secret cannot be compared: it counts for new rows only, so that the same file twice changes nothing.
        kept = {one.name for one in collection.fields if one.type == "secret"} | {"id"}
        changed = {name: new for name, new in line.values.items() if name not in kept and row.get(name) != new}
        line.values = changed
        return "update" if changed else "same"
    if not collection.can_create:
        raise NotAllowed(f"rows of {collection.name} cannot be added", where=line.row_id)
    if line.row_id and "id" not in line.values:
        raise NotFound(f"there is no {line.row_id}", where="id", hint="leave the id empty to add a row")
    return "create"


async def carry_out(collection: Collection, actor: Actor, lines: Sequence[Line], *, stop: bool) -> int:
    """Write the lines; returns how many. ``stop``: end at the first that fails (it may be refused only then)."""
    applied = 0
    for line in lines:
        if line.verdict not in ("create", "update"):
            continue
        try:
            if line.verdict == "create":
                await collection.source.create(actor, line.values)
            else:
                await collection.source.update(actor, line.row_id, line.values)
            applied += 1
        except MeterHubError as error:
            line.wrong(error)
            if stop:
                break
    return applied


def routes() -> Sequence[Route]:
    """The routes of this module."""
    return [
        Route(
            "POST",
            "/api/v1/collections/{name}/import",
            import_rows,
            "Import rows from a CSV file",
            query=QUERY,
            body={"type": "string", "description": "the file; its first line names the fields"},
            body_media="text/csv",
        )
    ]
