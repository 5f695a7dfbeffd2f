"""What a list's page shows around its rows: heads, filters, chips, columns, and the wall of tiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from meterhub.collections import Collection, Field, Page
from meterhub.texts import Texts, mark
from meterhub.web import tables, values
from meterhub.web.tables import ListState

MAX_FACET_CHOICES = 100


def search_hint(collection: Collection, texts: Texts) -> str:
    """What the search box offers to look in."""
    names = [texts.pick(one.label) for one in collection.fields if one.search]
    return texts(mark("Search: %(fields)s")) % {"fields": ", ".join(names)} if names else texts(mark("Search"))


def heads(columns: Sequence[Field], state: ListState, texts: Texts) -> list[dict[str, Any]]:
    """The column heads with their sort links."""
    found = []
    for place, one in enumerate(columns):
        down = state.sort == one.name
        sorted_by = "ascending" if down else "descending" if state.sort == f"-{one.name}" else ""
        href = state.url(sort=f"-{one.name}" if down else one.name) if one.sort else ""
        label = texts.pick(one.label)
        number = place > 0 and one.type in ("number", "money")
        found.append({"label": label, "href": href, "sorted": sorted_by, "num": number})
    return found


def facets(collection: Collection, state: ListState, page: Page, texts: Texts) -> list[dict[str, Any]]:
    """The filters with their choices and counts, statuses in their usual order."""
    found = []
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
        found.append({"name": one.name, "label": texts.pick(one.label), "set": len(chosen), "choices": choices})
    return found


def choice_or(one: Any, value: str, texts: Texts) -> str:
    """The label of a facet's value; the empty value has a name too."""
    return tables.choice_label(one, value, texts)


def _choice(value: str, label: str, count: int, on: bool) -> dict[str, Any]:
    return {"value": value, "label": label, "count": count, "on": on}


def chips(collection: Collection, state: ListState, texts: Texts) -> list[dict[str, str]]:
    """The filters that are set, each with the link that takes it away."""
    found = []
    for name, wanted in dict(state.filters).items():
        one = collection.field(name)
        for value in wanted:
            label = f"{texts.pick(one.label)}: {tables.choice_label(one, value, texts)}"
            found.append({"label": label, "href": state.without(name, value)})
    return found


def chooser(collection: Collection, columns: Sequence[Field], texts: Texts) -> list[dict[str, Any]]:
    """The columns that can be shown."""
    on = {one.name for one in columns}
    return [
        {"name": one.name, "label": texts.pick(one.label), "on": one.name in on, "usual": one.column}
        for one in collection.fields
        if one.type != "secret"
    ]


def wall(rows: Sequence[Mapping[str, Any]], collection: Collection, texts: Texts) -> list[dict[str, Any]]:
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
            "counts": [(word, counts[block][word]) for word in values.ORDER],
            "floors": [{"name": floor, "tiles": made} for floor, made in floors.items()],
        }
        for block, floors in blocks.items()
    ]


def tile(name: str, word: str, href: str, watch: str, texts: Texts) -> dict[str, Any]:
    """A device as a tile: coloured, with icon and word."""
    tone = values.STATUSES.get(word, ("", "off", ""))[1]
    return {"name": name, "tone": tone, "href": href, "status": Markup(values.status(word, texts, watch=watch))}


def _place(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that can be shown."""
    """The filters that are set, each with the link that takes it away."""
    """The filters with their choices and counts, statuses in their usual order."""
    """The column heads with their sort links."""
    """What the search box offers to look in."""
    place = row.get("place") or ()
    return tuple(part.strip() for part in place.split("/")) if isinstance(place, str) else tuple(map(str, place))
