"""Lists, forms and bulk commands of every collection, by one renderer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from markupsafe import Markup

from meterhub.actions import Danger
from meterhub.collections import MAX_LIMIT, PAGE_SIZES, Collection, Page
from meterhub.errors import BadInput, Conflict, MeterHubError, NotAllowed
from meterhub.texts import Texts, mark
from meterhub.web import forms, list_parts, tables
from meterhub.web.pages import Site, holds
from meterhub.web.tables import ListState


def routes(site: Site) -> Sequence[web.RouteDef]:
    """``/{collection}`` and what hangs on it."""
    pages = ListPages(site)
    name = "/{collection:[a-z][a-z0-9-]*}"
    return [
        web.get(name, pages.show),
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
        return self._site.page(
            request,
            "list.html",
            title=texts.pick(collection.title),
            state=state,
            total=page.total,
            list_foot=self._foot(request, state, len(page.rows), page.total),
            rows=Markup(rows),
            table_head=self._head(request, collection, state, page.total),
            tools=self._tools(request, collection, state, page),
            wall=list_parts.wall(page.rows, collection, texts) if tiles else (),
            cut=len(page.rows) if tiles and len(page.rows) < page.total else 0,
            can_create=collection.can_create and self._may_edit(request, collection),
            empty_hint=texts(_EMPTY.get(collection.name, _EMPTY[""])),
            bulk=bool(collection.bulk_actions),
            done=_DONE.get(request.query.get("done", ""), "") and texts(_DONE[request.query["done"]]),
        )

    def _head(self, request: web.Request, collection: Collection, state: ListState, total: int) -> Markup:
        """What stands above the rows: the bulk bar of this visitor and the column heads."""
        texts, visitor = self._site.texts(request), self._site.visitor(request)
        bulk = self._bulk_actions(request, collection, texts)
        key = (collection.name, visitor.csrf, tuple(state.pairs()), total, tuple(one["name"] for one in bulk))
        return self._site.look.piece(
            "_head.html",
            visitor,
            key,
            bulk=bool(collection.bulk_actions),
            offered=bulk,
            bulk_path=f"{request.path}/bulk?{urlencode(state.pairs(False))}",
            total=total,
            heads=lambda: list_parts.heads(tables.shown_columns(collection, state), state, texts),
        )

    def _foot(self, request: web.Request, state: ListState, count: int, total: int) -> Markup:
        """What stands below the rows: which ones these are, and the way to the others."""
        first = (state.page - 1) * state.size + 1
        return self._site.look.piece(
            "_pages.html",
            self._site.visitor(request),
            (state.path, tuple(state.pairs()), count, total),
            state=state,
            total=total,
            first=first,
            last=first + count - 1,
            sizes=PAGE_SIZES,
        )

    def _tools(self, request: web.Request, collection: Collection, state: ListState, page: Page) -> Markup:
        """Title, search, filters, columns and export; drawn anew only when the URL or a count of a filter changed."""
        texts, columns = self._site.texts(request), tables.shown_columns(collection, state)
        counted = tuple((name, tuple(counts.items())) for name, counts in page.facets.items())
        visitor = self._site.visitor(request)
        can_create = collection.can_create and self._may_edit(request, collection)
        key = (collection.name, state.path, tuple(state.pairs()), counted, can_create)
        csv = urlencode([("format", "csv"), *state.pairs(False)])
        return self._site.look.piece(
            "_tools.html",
            visitor,
            key,
            title=texts.pick(collection.title),
            about=texts.pick(collection.description),
            can_tile=_can_tile(collection),
            can_create=can_create,
            state=state,
            facets=lambda: list_parts.facets(collection, state, page, texts),
            chips=lambda: list_parts.chips(collection, state, texts),
            columns=lambda: list_parts.chooser(collection, columns, texts),
            search_hint=list_parts.search_hint(collection, texts),
            csv_link=f"/api/v1/collections/{collection.name}/export?{csv}",
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
        fields = forms.of_collection(collection, texts, row, filled=request.query) if editable else []
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
                error = forms.errors_at_fields(problem, fields, texts)
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


_EMPTY = {
    "": mark("Entries appear here as soon as there are any."),
    "orders": mark("An order appears here when a tenant pays on the page of the sticker, or the counter sells."),
    "payments": mark("Payments appear here as soon as a payment company or the counter tells of one."),
    "deliveries": mark("Paid credit on its way to a meter is listed here."),
    "refunds": mark("To give money back, open the order and choose the payment."),
    "accounts": mark("Accounts are opened for meters; each has a page on which its tenant pays."),
    "messages": mark("Messages to tenants are listed here, with what became of each."),
    "newcomers": mark("Collectors that dial in and are not in the site file appear here, with their first bytes."),
    "searches": mark("Start a search on the page of a collector, under More commands."),
    "found-meters": mark("Meters that a search has found are listed here until they are taken in."),
    "devices": mark("Add meters to the site file under meters: and restart the hub."),
    "meters": mark("Add meters to the site file under meters: and restart the hub."),
    "collectors": mark("Add collectors to the site file under collectors: and restart the hub."),
}
_DONE = {"saved": mark("Saved."), "deleted": mark("Deleted.")}


def _can_tile(collection: Collection) -> bool:
    kinds = {one.name: one.type for one in collection.fields}
    return kinds.get("status") == "status" and "place" in kinds
