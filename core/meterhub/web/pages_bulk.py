"""Bulk commands: one action for the ticked rows of a list, or for all that fit its filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from meterhub.actions import Action, Danger
from meterhub.collections import MAX_LIMIT, Collection
from meterhub.errors import BadInput, MeterHubError
from meterhub.texts import Texts, mark
from meterhub.web import forms, tables
from meterhub.web.pages import Site
from meterhub.web.runs import run_view
from meterhub.web.tables import ListState

MAX_BULK = 500
"""Devices that one bulk command may go to; larger work belongs to a schedule."""
TYPE_COUNT_ABOVE = 20
"""Commands that ask anything, to more devices than this, ask for the number to be typed too."""


def routes(site: Site) -> Sequence[web.RouteDef]:
    """``/{collection}/bulk``."""
    return [web.post("/{collection:[a-z][a-z0-9-]*}/bulk", BulkPages(site).bulk)]


class BulkPages:
    """The handlers."""

    def __init__(self, site: Site) -> None:
        self._site = site

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
