"""Reading one configuration file as text, within bounds, with the line of what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from meterhub.errors import ConfigError

MAX_BYTES = 32 * 1024 * 1024
"""The largest file accepted; ten thousand meters take 1.4 MB."""

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: Path, name: str, where: str = "") -> str:
    """The text of a UTF-8 file, without its byte order mark.

    ``name`` is the file as people know it, ``where`` the place that asked for it. Raises ``ConfigError``.
    """
    try:
        if not path.exists():
            raise ConfigError(f"there is no file {name}", where=where, hint=f"looked at {path}")
        if not path.is_file():
            raise ConfigError(f"{name} is not a file", where=where)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"{name} cannot be read: {reason}", where=where) from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{name} is larger than {MAX_BYTES // 1024 // 1024} MiB", where=where or f"{name}:1")
    return _decode(data, name)


def _decode(data: bytes, name: str) -> str:
    if data.startswith(_UTF16):
        raise ConfigError("the file is UTF-16", where=f"{name}:1", hint="save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"byte {data[error.start]:02X} is not UTF-8"
        raise ConfigError(message, where=f"{name}:{line}", hint="save the file as UTF-8") from None


def syntax_error(error: yaml.YAMLError, text: str, name: str) -> ConfigError:
    """What the YAML parser found, in words, with file and line."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        found = _UNPRINTABLE.search(text)
        line = text.count("\n", 0, found.start()) + 1 if found else 1
        what = f"the character U+{ord(found.group()):04X} is not allowed" if found else "this is not YAML"
        return ConfigError(what, where=f"{name}:{line}")
    where = f"{name}:{mark.line + 1}"
    rows = text.splitlines()
    row = rows[mark.line] if mark.line < len(rows) else ""
    if row[mark.column : mark.column + 1] == "\t" or "\t" in row[: len(row) - len(row.lstrip())]:
        return ConfigError("a tab is not allowed as indentation", where=where, hint="use spaces")
    return ConfigError(f"this is not YAML: {getattr(error, 'problem', error)}", where=where, hint=_context(error))


def _context(error: yaml.YAMLError) -> str:
    context, mark = getattr(error, "context", None), getattr(error, "context_mark", None)
    if not context:
        return "check the indentation, and put texts with : # or [ in quotes"
    return f"{context} that began in line {mark.line + 1}" if mark is not None else str(context)
