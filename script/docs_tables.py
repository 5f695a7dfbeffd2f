"""Tables of the docs, made from the code: settings, hooks, actions, commands.

A page of docs/ holds a table between ``<!-- table: NAME -->`` and ``<!-- end -->``; NAME is a key of ``TABLES``.
``script/docs`` writes them anew; ``script/docs --check`` prints the pages that are out of date and exits with 1.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from meterhub import cli, hookspecs
from meterhub.clock import Clock
from meterhub.config.fields import describe, fields_of
from meterhub.config.site_schema import SECTIONS
from meterhub.estate.meter_actions import MeterActions
from meterhub.field.link import LinkType
from meterhub.plugin_score import RULES
from meterhub.plugins import Plugins

ROOT = Path(__file__).resolve().parent.parent
PLACE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(head), ["---"] * len(list(head)), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def hooks() -> str:
    """Every hook with its arguments and the first sentence of its documentation."""
    rows = []
    for name, function in inspect.getmembers(hookspecs, inspect.isfunction):
        if hasattr(function, "meterhub_spec"):
            arguments = ", ".join(inspect.signature(function).parameters)
            rows.append([f"`{name}({arguments})`", (inspect.getdoc(function) or "").splitlines()[0]])
    return table(["hook", "what it brings"], rows)


def actions() -> str:
    """Every action of the core: name, parameters, permission, what a page asks first."""
    nobody: Any = None  # the table asks what there is, and nothing of it is called
    rows = []
    for action in MeterActions(nobody, nobody).actions():
        params = ", ".join(f"`{one.name}`" + ("" if one.required else "?") for one in fields_of(action.schema))
        rows.append([f"`{action.name}`", action.title["en"], params, f"`{action.permission}`", action.danger.value])
    return table(["action", "on the page", "parameters", "permission", "asks first"], rows)


def command_parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parsers of all commands, those of ``user add`` and the like included, in the order of ``--help``."""
    inner = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    if not inner:
        yield parser
    for action in inner:
        for one in action.choices.values():
            yield from command_parsers(one)


def commands() -> str:
    """Every command with its arguments."""
    rows = []
    for one in command_parsers(cli.parser()):
        usage = " ".join(one.format_usage().removeprefix("usage: ").replace("[-h] ", "").split())
        rows.append([f"`{usage}`".replace("|", "\\|"), one.description or ""])
    return table(["command", "what it does"], rows)


def options() -> str:
    """What the arguments of the commands mean, where the command does not say it all."""
    rows = []
    for one in command_parsers(cli.parser()):
        for action in one._actions:
            if action.help and action.dest != "help":
                word = ", ".join(action.option_strings) or str(action.metavar or action.dest)
                default = "" if action.default in (None, False, "") or action.required else f"`{action.default}`"
                rows.append([f"`{one.prog}`", f"`{word}`", action.help, default])
    return table(["command", "argument", "meaning", "default"], rows)


def rules() -> str:
    """What ``meterhub check --plugin`` looks at."""
    rows = [[f"`{one.name}`", "must" if one.must else "should", one.text] for one in RULES]
    return table(["rule", "", "what is so when it is kept"], rows)


@cache
def link_types() -> dict[str, LinkType]:
    """The kinds of links that installed plugins bring, by name."""
    plugins = Plugins(Clock(), Path(), lambda owner, coroutine: None, None)
    plugins.find()
    plugins.set_up({plugin.name: (None, "") for plugin in plugins})
    return {one.name: one for _, one in plugins.call("register_links")}


def identifiers(edition: str) -> str:
    """Every identifier of an edition of DL/T 645 as its catalogue has it, in English and Chinese."""
    from meterhub_dlt645.catalogue import catalogue

    known = catalogue(edition)
    rows = []
    for row in known.rows:
        first = row.pattern
        for one in row.variables:
            first = first.replace(one.name, f"{one.least:0{len(one.name)}X}", 1)
        layout = known.find(first)
        size = str(layout.size) if layout is not None and layout.kind == "fields" and not layout.repeats else ""
        width = {one.name: len(one.name) for one in row.variables}
        ranges = [f"{one.name} {one.least:0{width[one.name]}X}–{one.most:0{width[one.name]}X}" for one in row.variables]
        form = row.format if row.format[0] not in "[@" and row.format != "items" else f"{_items(layout)} items"
        name = re.sub(r"\{(\w+)\}", r"\1", row.name)
        name_zh = re.sub(r"\{(\w+)\}", r"\1", row.name_zh)
        place = f"`{row.pattern}`" + (" " + ", ".join(ranges) if ranges else "")
        rows.append([place, name, name_zh, f"`{form}`", size, row.unit, row.access])
    return table(["identifier", "English", "中文", "format", "bytes", "unit", "access"], rows)


def cjt188_identifiers() -> str:
    """Every identifier of CJ/T 188 as the catalogue has it, in English and Chinese."""
    from meterhub_mbus.cjt188.catalogue import catalogue

    rows = []
    for row in catalogue().rows:
        parts = [", ".join(f"`{field.key}`" for field in fields) for fields in (row.request, row.answer)]
        where = f"{row.edition}" + ("" if row.family == "any" else f", {row.family}")
        rows.append([f"`{row.text}`", row.name, row.name_zh, where, f"`{row.control:02X}`", *parts])
    return table(["identifier", "English", "中文", "of", "control", "request", "answer"], rows)


def cjt188_fields() -> str:
    """Every field of CJ/T 188: what ``decode`` calls it, its format and unit."""
    from meterhub_mbus.cjt188.catalogue import catalogue

    rows = []
    for field in catalogue().fields.values():
        unit = f"a code for {field.quantity}" if field.quantity else field.unit
        rows.append([f"`{field.key}`", field.name, field.name_zh, f"`{field.format.text}`", str(field.size), unit])
    return table(["key", "English", "中文", "format", "bytes", "unit"], rows)


def mbus_codes(name: str) -> str:
    """One table of VIF codes; neighbours that differ in their power of ten or unit of time alone share a line."""
    from meterhub_mbus.vif import FB, FD, FD_SECOND_LEVEL, PRIMARY

    rows: list[list[str]] = []
    before: tuple[int, Any] | None = None
    codes = {"primary": PRIMARY, "fd": FD, "fd_fd": FD_SECOND_LEVEL, "fb": FB}[name]
    for code, meaning in sorted(codes.items()):
        same = before is not None and before[0] == code - 1
        if same and before is not None and (before[1].quantity, before[1].unit) == (meaning.quantity, meaning.unit):
            rows[-1][0] = f"{rows[-1][0][:2]}..{code:02X}"
            rows[-1][3] = f"{rows[-1][3].split(' to ')[0]} to {_factor(meaning)}"
        else:
            rows.append([f"{code:02X}", f"`{meaning.quantity}`", meaning.unit or "", _factor(meaning)])
        before = code, meaning
    return table(["code", "quantity", "unit", "times"], rows)


def _factor(meaning: Any) -> str:
    """What the number is multiplied with."""
    if meaning.coding in ("time", "opaque"):
        return "(a time)" if meaning.coding == "time" else "(bytes)"
    return str(meaning.multiplier) if meaning.multiplier > 1 else f"10^{meaning.exponent}" if meaning.exponent else "1"


def mbus_extensions() -> str:
    """What combinable extensions of a meter say."""
    from meterhub_mbus.vife import RECORD_ERRORS, SECOND_WORDS, words_for

    rows = []
    for code in range(0x80):
        words = words_for(code, from_master=False)
        if not words.startswith("extension"):
            rows.append([f"{code:02X}", f"{words} (no value)" if code in RECORD_ERRORS else words])
    rows += [[f"7C {code:02X}", words] for code, words in SECOND_WORDS.items()]
    return table(["VIFE", "modifier"], rows)


def mbus_media() -> str:
    """The device types of a header."""
    from meterhub_mbus.names import MEDIA

    return table(["medium", "what it is"], [[f"{code:02X}", words] for code, words in MEDIA.items()])


def _items(layout: Any) -> int:
    return len(layout.fields) if layout is not None else 0


TABLES: dict[str, Callable[[], str]] = {
    "hooks": hooks,
    "actions": actions,
    "commands": commands,
    "options": options,
    "rules": rules,
    **{f"dlt645.{edition}": partial(identifiers, edition) for edition in ("2007", "1997")},
    "cjt188.identifiers": cjt188_identifiers,
    "cjt188.fields": cjt188_fields,
    "mbus.primary": partial(mbus_codes, "primary"),
    "mbus.fd": partial(mbus_codes, "fd"),
    "mbus.fd_fd": partial(mbus_codes, "fd_fd"),
    "mbus.fb": partial(mbus_codes, "fb"),
    "mbus.extensions": mbus_extensions,
    "mbus.media": mbus_media,
    **{f"site.{name}": partial(describe, schema) for name, schema in SECTIONS.items() if schema},
    **{f"link.{name}": partial(describe, link.schema) for name, link in link_types().items()},
    **{
        f"collector.{name}": partial(describe, link.collector_schema)
        for name, link in link_types().items()
        if link.collector_schema
    },
}


def renewed(page: str) -> str:
    """The text of a page with its tables made anew. Raises ``KeyError`` for a table that nobody makes."""
    return PLACE.sub(lambda found: found[1] + "\n" + TABLES[found[2]]() + "\n" + found[3], page)


def pages() -> list[Path]:
    """The pages that have tables: those of docs/ and the plugins' README files."""
    return sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("plugins/*/README.md")])


def out_of_date() -> list[Path]:
    """The pages whose tables are not what the code says."""
    return [page for page in pages() if renewed(text := page.read_text(encoding="utf-8")) != text]


def main() -> int:
    """Run from the command line."""
    stale = out_of_date()
    check = "--check" in sys.argv[1:]
    for page in stale:
        print(f"{page.relative_to(ROOT)}: {'is out of date; run script/docs' if check else 'is written anew'}")
        if not check:
            page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
