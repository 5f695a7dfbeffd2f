"""Gettext catalogues of the core and of each plugin: collect the texts, merge them into .po, compile .mo, check.

``script/texts`` collects, merges and compiles; ``script/texts --check`` prints what is missing and exits with 1.
The core's catalogues stand in ``core/meterhub/locale``, a plugin's in its package's own ``locale`` folder.
"""

from __future__ import annotations

import ast
import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from meterhub import errors
from meterhub.sentences import FIELD

Found = tuple[int, str, "str | list[str]", list[str]]
ROOT = Path(__file__).resolve().parent.parent
LOCALES = ("zh_CN", "en", "ja")
MARKS = ("_", "gettext", "mark", "texts")
"""What marks a text, its first argument."""
PLURALS = ("ngettext", "count")
"""What marks a text for one and a text for many, its first two arguments."""
KEYWORDS = {**dict.fromkeys(MARKS), **dict.fromkeys(PLURALS, (1, 2))}
"""The same, as Babel's extractor for templates wants it."""
ENGLISH = (errors.ConfigError, errors.Misuse, errors.NoticeRejected, errors.NotGenuine)
"""Errors that only deployers, programmers and other companies' machines meet: in logs and at the command line."""
ERRORS = {
    "Invalid",
    *(name for name, one in vars(errors).items() if isinstance(one, type) and not issubclass(one, ENGLISH)),
}
"""What makes a sentence for pages: our errors, and voluptuous' own."""
TOLD = ("trouble", "gave_up")
"""Calls that take such a sentence: what links say of themselves."""
SPOKEN = ("detail", "hint")
"""Attributes that hold one."""

TEMPLATE_OPTIONS = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
LEAST_FIXED = 5
"""Characters that a sentence with values must have of its own."""
FIRST_DAY = datetime(2026, 11, 24, tzinfo=UTC)
"""Stands in every header instead of the day of the run, so that only a changed text changes a file."""


def packages() -> list[Path]:
    """The import packages whose texts are collected: the core, then each plugin."""
    return [ROOT / "core" / "meterhub", *sorted(ROOT.glob("plugins/*/meterhub_*"))]


def calls(source: IO[bytes], keywords: object, comment_tags: object, options: object) -> Iterator[Found]:
    """Texts of a Python file: what is marked, what errors say, and what is set as the detail of a device.

    Babel's own extractor takes ``data.count(b"...")`` for a text, stumbles over it, and knows no f-strings.
    """
    for node in ast.walk(ast.parse(source.read())):
        for found in _spoken(node):
            yield from ((node.lineno, "mark", text, []) for text in _sentences(found))
        if isinstance(node, ast.Call):
            name = _named(node.func)
            texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if name in PLURALS and len(texts) >= 2:
                yield node.lineno, name, texts, []


def _named(node: ast.expr) -> str:
    return str(getattr(node, "id", getattr(node, "attr", "")))


def _spoken(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions of a node that people may read: marked ones, an error's message and hint, a device's detail."""
    if isinstance(node, ast.Call):
        name = _named(node.func)
        if node.args and (name in ERRORS or name in MARKS or name in TOLD):
            yield node.args[0]
        if name in ERRORS:
            yield from (one.value for one in node.keywords if one.arg == "hint")
    elif isinstance(node, ast.Assign) and getattr(node.targets[0], "attr", "") in SPOKEN:
        yield node.value


def _sentences(node: ast.expr) -> Iterator[str]:
    """The texts that an expression may give, with ``{name}`` where values stand; none without words of its own."""
    if isinstance(node, ast.IfExp):
        yield from [*_sentences(node.body), *_sentences(node.orelse)]
        return
    parts = list(_parts(node))
    if any(isinstance(one, str) and re.search("[A-Za-z]", one) for one in parts):
        names: list[str] = []
        yield "".join(one if isinstance(one, str) else "{" + _name(one, names) + "}" for one in parts)


def _parts(node: ast.expr) -> Iterator[str | ast.expr]:
    """Fixed texts and values of an f-string, a sum of texts, or the beginning of one that is cut."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        for one in node.values:
            yield one.value if isinstance(one, ast.FormattedValue) else str(getattr(one, "value", ""))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from [*_parts(node.left), *_parts(node.right)]
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        yield from _parts(node.value)
    else:
        yield node


def _name(value: ast.expr, taken: list[str]) -> str:
    """What a value is called in the catalogues: the last name of its expression, numbered if it is there already."""
    words = re.findall(r"[A-Za-z_]\w*", ast.unparse(value))
    name = words[-1].lower().strip("_") if words else "value"
    taken.append(name)
    return name if taken.count(name) == 1 else f"{name}_{taken.count(name)}"


UNSEEN = [f"**/{room}/**" for room in ("testing", "sim", "scaffold", "plugin_score", "config")]
UNSEEN += [f"store/{name}.py" for name in ("backup", "files", "migrate", "sqlite")] + ["web/api_*.py", "web/metrics.py"]
"""What says nothing to a page: it speaks to deployers or to programs."""
METHODS = [*((place, "ignore") for place in UNSEEN), ("**.py", calls), ("**/templates/**.html", "jinja2")]


def collect(package: Path) -> Catalog:
    """The texts of one package as a template: message ids in English, with the files where they stand."""
    template = Catalog(project="MeterHub", charset="utf-8", creation_date=FIRST_DAY, revision_date=FIRST_DAY)
    options = {"**/templates/**.html": TEMPLATE_OPTIONS}
    for file, line, text, comments, context in extract_from_dir(package, METHODS, options, KEYWORDS):
        place = (package / file).relative_to(ROOT).as_posix()
        template.add(text, None, [(place, line)], auto_comments=comments, context=context)
    return template


def po_file(package: Path, locale: str) -> Path:
    """Where the catalogue of a package in a locale stands."""
    return package / "locale" / locale / "LC_MESSAGES" / f"{package.name}.po"


def read(package: Path, locale: str) -> Catalog:
    """The catalogue as it is; an empty one when there is no file."""
    file = po_file(package, locale)
    if not file.is_file():
        return Catalog(locale=locale, project="MeterHub", charset="utf-8", fuzzy=False)
    return read_po(io.BytesIO(file.read_bytes()), locale=locale)


def merged(package: Path, locale: str) -> Catalog:
    """The catalogue with exactly the texts of the code: new ones empty, gone ones dropped."""
    catalogue = read(package, locale)
    catalogue.update(collect(package), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    catalogue.fuzzy = False
    catalogue.project = "MeterHub"
    catalogue.version = "1"
    catalogue.msgid_bugs_address = "MeterHub"
    catalogue.header_comment = f"# Texts of MeterHub ({package.name}) in {locale}."
    catalogue.last_translator = catalogue.language_team = "MeterHub"
    catalogue.creation_date = catalogue.revision_date = FIRST_DAY
    return catalogue


def compiled(catalogue: Catalog) -> bytes:
    """The .mo file of a catalogue."""
    buffer = io.BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def write(package: Path, locale: str) -> None:
    """Bring one catalogue up to date and compile it."""
    catalogue = merged(package, locale)
    file = po_file(package, locale)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as target:
        write_po(target, catalogue, width=0, sort_output=True, include_lineno=False)
    file.with_suffix(".mo").write_bytes(compiled(read(package, locale)))


def problems() -> Iterator[str]:
    """What keeps the catalogues from being complete, one sentence each."""
    for package in packages():
        wanted = collect(package)
        for locale in LOCALES:
            yield from _problems_of(package, locale, wanted)


def _problems_of(package: Path, locale: str, wanted: Catalog) -> Iterator[str]:
    file = po_file(package, locale)
    name = file.relative_to(ROOT)
    if not len(wanted):
        return
    have = read(package, locale)
    for message in wanted:
        if message.id:
            yield from (f"{name}: {why}: {_first(message.id)!r}" for why in _faults(message, have, locale))
    if not file.with_suffix(".mo").is_file() or file.with_suffix(".mo").read_bytes() != compiled(have):
        yield f"{name.with_suffix('.mo')}: is not what the .po file gives; run script/texts"


def _faults(message: Message, have: Catalog, locale: str) -> Iterator[str]:
    translated = have.get(message.id, message.context)
    if translated is None:
        yield "a text of the code is missing; run script/texts"
        return
    texts = translated.string if isinstance(translated.string, tuple | list) else (translated.string,)
    if locale != "en" and not all(texts):
        yield "not translated"
    if FIELD.search(str(message.id)) and len(FIELD.sub("", str(message.id))) < LEAST_FIXED:
        yield "says too little beside its values to be recognised"
    for text in filter(None, texts):
        if not _places(text) <= _places(*_ids(message)):
            yield "names a placeholder that the English text has not"
        elif len(_ids(message)) == 1 and _places(text) != _places(*_ids(message)):
            yield "lacks a placeholder of the English text"


def _ids(message: Message) -> tuple[str, ...]:
    return tuple(message.id) if isinstance(message.id, tuple | list) else (str(message.id),)


def _first(text: object) -> str:
    return str(text[0] if isinstance(text, tuple | list) else text)


def _places(*texts: str) -> set[str]:
    return {place for text in texts for place in re.findall(r"%\(\w+\)[sd]|\{\w*\}", text)}


def main() -> int:
    """Run from the command line."""
    if "--check" in sys.argv[1:]:
        found = list(problems())
        print("\n".join(found) or "The catalogues are complete.")
        return int(bool(found))
    for package in packages():
        if len(collect(package)):
            for locale in LOCALES:
                write(package, locale)
    found = list(problems())
    print("\n".join(found) or "The catalogues are complete.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
