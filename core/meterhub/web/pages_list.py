"""Lists, forms and bulk commands of every collection, by one renderer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from markupsafe import Markup

from meterhub.actions import Action, Danger
from meterhub.collections import MAX_LIMIT, PAGE_SIZES, Collection, Page
from meterhub.errors import BadInput, Conflict, MeterHubError, NotAllowed
from meterhub.texts import Texts, mark
from meterhub.web import forms, tables, values
from meterhub.web.pages import Site, holds
from meterhub.web.runs import run_view
from meterhub.web.tables import ListState

MAX_FACET_CHOICES = 100
MAX_BULK = 500
"""Devices that one bulk command may go to; larger work belongs to a schedule."""
TYPE_COUNT_ABOVE = 20
"""Dangerous commands to more devices than this ask for the number to be typed."""


def routes(site: Site) -> Sequence[web.RouteDef]:
    """``/{collection}`` and what hangs on it."""
    pages = ListPages(site)
    name = "/{collection:[a-z][a-z0-9-]*}"
    return [
        web.get(name, pages.show),
        web.post(name + "/bulk", pages.bulk),
        web.get(name + "/new", pages.form),
        web.post(name + "/new", pages.save),
        web.get(name + "/{row:[^/]+}", pages.form),
        web.post(name + "/{row:[^/]+}", pages.save),
        web.post(name + "/{row:[^/]+}/delete", pages.delete),
    ]


class ListPages:
    """The handlers."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: web.Request) -> web.Response:
        """The list that the URL describes."""
        collection, texts = self._site.collection(request), self._site.texts(request)
        state = tables.parse(collection, request.path, request.query)
        tiles = state.view == "tiles" and _can_tile(collection)
        page = await collection.source.page(state.query(request["actor"], MAX_LIMIT if tiles else None))
        columns = tables.shown_columns(collection, state)
        zone = self._site.rooms.zone
        rows = "" if tiles else self._site.rows.html(collection, columns, page.rows, texts, zone)
        first = (state.page - 1) * state.size + 1
        csv = urlencode([("format", "csv"), *state.pairs(False)])
        return self._site.page(
            request,
            "list.html",
            title=texts.pick(collection.title),
            about=texts.pick(collection.description),
            state=state,
            total=page.total,
            first=first,
            last=first + len(page.rows) - 1,
            sizes=PAGE_SIZES,
            rows=Markup(rows),
            heads=_heads(columns, state, texts),
            facets=_facets(collection, state, page, texts),
            chips=_chips(collection, state, texts),
            columns=_chooser(collection, columns, texts),
            wall=_wall(page.rows, collection, texts) if tiles else (),
            cut=len(page.rows) if tiles and len(page.rows) < page.total else 0,
            can_tile=_can_tile(collection),
            can_create=collection.can_create and self._may_edit(request, collection),
            search_hint=_search_hint(collection, texts),
            empty_hint=texts(_EMPTY.get(collection.name, _EMPTY[""])),
            csv_link=f"/api/v1/collections/{collection.name}/export?{csv}",
            bulk=self._bulk_actions(request, collection, texts),
            bulk_path=f"{request.path}/bulk?{urlencode(state.pairs(False))}",
            done=_DONE.get(request.query.get("done", ""), "") and texts(_DONE[request.query["done"]]),
        )

    async def bulk(self, request: web.Request) -> web.Response:
        """First what would happen, with the count; then, sure, the command to each device with its own result."""
        collection, texts, given = self._site.collection(request), self._site.texts(request), await request.post()
        name = str(given.get("action", ""))
        if name not in collection.bulk_actions:
            raise BadInput(f"{collection.name} has no bulk action {name}")
        action = self._site.rooms.actions.get(name)
        state = tables.parse(collection, f"/{collection.name}", request.query)
        whole = given.get("whole") == "1"
        ids = await self._chosen(request, collection, state, whole, [str(one) for one in given.getall("id", [])])
        plan = _Plan(action, ids, whole, state)
        fields = plan.fields(texts)
        if given.get("sure") != "1":
            return self._ask(request, collection, plan, fields, texts)
        if plan.types_count and str(given.get("count", "")).strip() != str(len(ids)):
            next(one for one in fields if one["name"] == "count")["error"] = texts(mark("This is not the number."))
            return self._ask(request, collection, plan, fields, texts)
        return await self._carry_out(request, collection, plan, given, texts)

    async def _chosen(
        self, request: web.Request, collection: Collection, state: ListState, whole: bool, ids: Sequence[str]
    ) -> list[str]:
        if whole:
            page = await collection.source.page(state.query(request["actor"], MAX_LIMIT))
            ids = [str(row["id"]) for row in page.rows]
            if page.total > MAX_BULK:
                raise BadInput(f"{page.total} are too many at once", hint=f"filter to at most {MAX_BULK}")
        chosen = list(dict.fromkeys(ids))[: MAX_BULK + 1]
        if not chosen or len(chosen) > MAX_BULK:
            raise BadInput("nothing is selected" if not chosen else "too many are selected", hint="tick some rows")
        return chosen

    def _ask(
        self,
        request: web.Request,
        collection: Collection,
        plan: _Plan,
        fields: list[dict[str, Any]],
        texts: Texts,
    ) -> web.Response:
        title = texts.pick(plan.action.title)
        return self._site.page(
            request,
            "bulk.html",
            title=title,
            button=title,
            collection_title=texts.pick(collection.title),
            back=plan.state.url(),
            runs=None,
            action=plan.action.name,
            action_path=f"/{collection.name}/bulk?{urlencode(plan.state.pairs(False))}",
            whole=plan.whole,
            ids=plan.ids,
            count=len(plan.ids),
            names=", ".join(plan.ids[:12]) + (" …" if len(plan.ids) > 12 else ""),
            effect=texts.pick(plan.action.description),
            danger=plan.action.danger in (Danger.REASON, Danger.TWO_PEOPLE),
            fields=fields,
        )

    async def _carry_out(
        self, request: web.Request, collection: Collection, plan: _Plan, given: Mapping[str, Any], texts: Texts
    ) -> web.Response:
        rooms, runs, refused = self._site.rooms, [], []
        params = forms.params(plan.action.schema, given)
        for device_id in plan.ids:
            try:
                run = await rooms.actions.call(
                    plan.action.name, device_id, params, actor=request["actor"], reason=str(given.get("reason", ""))
                )
                device = rooms.estate.get(device_id)
                runs.append(run_view(run, device, rooms.actions, texts, named=True))
            except MeterHubError as error:
                refused.append({"id": device_id, "error": error})
        return self._site.page(
            request,
            "bulk.html",
            title=texts.pick(plan.action.title),
            collection_title=texts.pick(collection.title),
            back=plan.state.url(),
            runs=runs,
            refused=refused,
        )

    async def form(self, request: web.Request) -> web.Response:
        """One row: its form when it may be changed, else its facts. ``/new`` is an empty form."""
        collection, texts = self._site.collection(request), self._site.texts(request)
        row_id = request.match_info.get("row", "")
        row = await collection.source.get(request["actor"], row_id) if row_id else None
        if row is not None and collection.row_link is not None:
            link = collection.row_link(row)
            if link and link != request.path:
                raise web.HTTPSeeOther(link)
        if row is None and not (collection.can_create and self._may_edit(request, collection)):
            raise NotAllowed(f"you may not add to {collection.name}")
        editable = self._may_edit(request, collection) and not (row or {}).get("origin", "").endswith(".yaml")
        fields = forms.of_collection(collection, texts, row) if editable else []
        return self._form_page(request, collection, row, fields)

    async def save(self, request: web.Request) -> web.Response:
        """Take a form; what is wrong is said at its field and nothing that was typed is lost."""
        collection, texts, given = self._site.collection(request), self._site.texts(request), await request.post()
        if not self._may_edit(request, collection):
            raise NotAllowed(f"you may not change {collection.name}")
        row_id = request.match_info.get("row", "")
        row = await collection.source.get(request["actor"], row_id) if row_id else None
        found, errors = forms.taken(collection, given, texts)
        typed = {**(row or {}), **{one.name: given.get(one.name, "") for one in collection.fields if one.edit}}
        error: MeterHubError | None = None
        fields = forms.of_collection(collection, texts, typed, errors)
        if not errors:
            try:
                if row_id:
                    await collection.source.update(request["actor"], row_id, found)
                else:
                    await collection.source.create(request["actor"], found)
                raise web.HTTPSeeOther(f"/{collection.name}?done=saved")
            except (BadInput, Conflict) as problem:
                error = forms.errors_at_fields(problem, fields)
        return self._form_page(request, collection, row, fields, error, status=400)

    async def delete(self, request: web.Request) -> web.Response:
        """Take a row away."""
        collection = self._site.collection(request)
        if not (collection.can_delete and self._may_edit(request, collection)):
            raise NotAllowed(f"you may not delete from {collection.name}")
        await collection.source.delete(request["actor"], request.match_info["row"])
        raise web.HTTPSeeOther(f"/{collection.name}?done=deleted")

    def _form_page(
        self,
        request: web.Request,
        collection: Collection,
        row: Mapping[str, Any] | None,
        fields: list[dict[str, Any]],
        error: MeterHubError | None = None,
        status: int = 200,
    ) -> web.Response:
        texts, zone = self._site.texts(request), self._site.rooms.zone
        shown = [
            (texts.pick(one.label), Markup(tables.cell(one, row.get(one.name), texts, zone)))
            for one in (collection.fields if row is not None else ())
            if row is not None and not (fields and one.edit)
        ]
        may_delete = row is not None and collection.can_delete and self._may_edit(request, collection)
        return self._site.page(
            request,
            "form.html",
            status=status,
            title=str(row.get("name") or row["id"]) if row is not None else texts(mark("Add")),
            collection_title=texts.pick(collection.title),
            back=f"/{collection.name}",
            action=request.path,
            fields=fields,
            shown=shown,
            origin=(row or {}).get("origin", "") if row is not None and not fields else "",
            error=error,
            done="",
            button=texts(mark("Save")),
            delete_path=f"{request.path}/delete" if may_delete else "",
        )

    def _may_edit(self, request: web.Request, collection: Collection) -> bool:
        permission = collection.edit_permission
        return bool(permission) and holds(request["actor"], permission)

    def _bulk_actions(self, request: web.Request, collection: Collection, texts: Texts) -> list[dict[str, Any]]:
        known = {one.name: one for one in self._site.rooms.actions}
        offered = [known[name] for name in collection.bulk_actions if name in known]
        return [
            {
                "name": one.name,
                "label": texts.pick(one.title),
                "danger": one.danger in (Danger.REASON, Danger.TWO_PEOPLE),
            }
            for one in offered
            if holds(request["actor"], one.permission)
        ]


class _Plan:
    """What a bulk command would do."""

    def __init__(self, action: Action, ids: list[str], whole: bool, state: ListState) -> None:
        self.action = action
        self.ids = ids
        self.whole = whole
        self.state = state
        self.types_count = action.danger is not Danger.NONE and len(ids) > TYPE_COUNT_ABOVE

    def fields(self, texts: Texts) -> list[dict[str, Any]]:
        """The action's own parameters, the reason, and the count to type."""
        fields = forms.of_schema(self.action.schema, texts)
        if self.action.danger in (Danger.REASON, Danger.TWO_PEOPLE):
            fields.append(forms.blank("reason", texts(mark("Reason")), required=True))
        if self.types_count:
            note = texts(mark("Type the number of devices: %(n)d")) % {"n": len(self.ids)}
            fields.append(forms.blank("count", texts(mark("Number")), required=True, help=note))
        return fields


_EMPTY = {
    "": mark("Entries appear here as soon as there are any."),
    "devices": mark("Add meters to the site file under meters: and restart the hub."),
    "meters": mark("Add meters to the site file under meters: and restart the hub."),
    "collectors": mark("Add collectors to the site file under collectors: and restart the hub."),
}
_DONE = {"saved": mark("Saved."), "deleted": mark("Deleted.")}


def _can_tile(collection: Collection) -> bool:
    kinds = {one.name: one.type for one in collection.fields}
    return kinds.get("status") == "status" and "place" in kinds


def _search_hint(collection: Collection, texts: Texts) -> str:
    names = [texts.pick(one.label) for one in collection.fields if one.search]
    return texts(mark("Search: %(fields)s")) % {"fields": ", ".join(names)} if names else texts(mark("Search"))


def _heads(columns: Sequence[Any], state: ListState, texts: Texts) -> list[dict[str, Any]]:
    heads = []
    for one in columns:
        down = state.sort == one.name
        sorted_by = "ascending" if down else "descending" if state.sort == f"-{one.name}" else ""
        href = state.url(sort=f"-{one.name}" if down else one.name) if one.sort else ""
        label = texts.pick(one.label)
        heads.append({"label": label, "href": href, "sorted": sorted_by, "num": one.type in ("number", "money")})
    return heads


def _facets(collection: Collection, state: ListState, page: Page, texts: Texts) -> list[dict[str, Any]]:
    facets = []
    for one in collection.fields:
        if not one.filter:
            continue
        chosen = dict(state.filters).get(one.name, ())
        counts = dict(page.facets.get(one.name, {}))
        for value in chosen:
            counts.setdefault(value, 0)
        order = list(values.ORDER) if one.type == "status" else []
        ranked = sorted(counts, key=lambda value: (order.index(value) if value in order else len(order), value))
        choices = [
            {
                "value": value,
                "label": tables.choice_label(one, value, texts),
                "count": counts[value],
                "on": value in chosen,
            }
            for value in ranked[:MAX_FACET_CHOICES]
        ]
        facets.append({"name": one.name, "label": texts.pick(one.label), "set": len(chosen), "choices": choices})
    return facets


def choice_or(one: Any, value: str, texts: Texts) -> str:
    """The label of a facet's value; the empty value has a name too."""
    return tables.choice_label(one, value, texts)


def _choice(value: str, label: str, count: int, on: bool) -> dict[str, Any]:
    return {"value": value, "label": label, "count": count, "on": on}


def _chips(collection: Collection, state: ListState, texts: Texts) -> list[dict[str, str]]:
    chips = []
    for name, wanted in dict(state.filters).items():
        one = collection.field(name)
        for value in wanted:
            label = f"{texts.pick(one.label)}: {tables.choice_label(one, value, texts)}"
            chips.append({"label": label, "href": state.without(name, value)})
    return chips


def _chooser(collection: Collection, columns: Sequence[Any], texts: Texts) -> list[dict[str, Any]]:
    on = {one.name for one in columns}
    return [
        {"name": one.name, "label": texts.pick(one.label), "on": one.name in on}
        for one in collection.fields
        if one.type != "secret"
    ]


def _wall(rows: Sequence[Mapping[str, Any]], collection: Collection, texts: Texts) -> list[dict[str, Any]]:
    """Blocks, their floors and the tiles of each, in the order of the place tree."""
    blocks: dict[str, dict[str, list[dict[str, Any]]]] = {}
    counts: dict[str, Counter[str]] = {}
    for row in sorted(rows, key=lambda one: (_place(one), str(one["id"]))):
        place = _place(row)
        block, floor = (place[0] if place else ""), (place[1] if len(place) > 1 else "")
        word = str(row.get("status") or "")
        counts.setdefault(block, Counter())[word] += 1
        blocks.setdefault(block, {}).setdefault(floor, []).append(
            tile(
                place[-1] if len(place) > 1 else str(row.get("name") or row["id"]),
                word,
                collection.row_link(row) if collection.row_link is not None else "",
                str(row["id"]),
                texts,
            )
        )
    return [
        {
            "name": block,
            "counts": [(word, counts[block][word]) for word in values.ORDER if counts[block][word]],
            "floors": [{"name": floor, "tiles": made} for floor, made in floors.items()],
        }
        for block, floors in blocks.items()
    ]


def tile(name: str, word: str, href: str, watch: str, texts: Texts) -> dict[str, Any]:
    """A device as a tile: coloured, with icon and word."""
    tone = values.STATUSES.get(word, ("", "off", ""))[1]
    return {"name": name, "tone": tone, "href": href, "status": Markup(values.status(word, texts, watch=watch))}


def _place(row: Mapping[str, Any]) -> tuple[str, ...]:
    place = row.get("place") or ()
    return tuple(part.strip() for part in place.split("/")) if isinstance(place, str) else tuple(map(str, place))
