"""Loading a configuration: one file, the files that it includes, and its secrets."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meterhub.config.compose import Budget, Composer
from meterhub.config.nodes import Lost, Map, Secret, Source, told
from meterhub.config.reading import read_text
from meterhub.errors import ConfigError, ConfigErrors

MAX_FILES = 1000
"""Files that one configuration may include in all."""

SECRETS_FILE = "secrets.yaml"
SECRET_NAME = re.compile("[A-Za-z0-9_-]{1,64}")


@dataclass(slots=True)
class Document:
    """A loaded configuration. Where something could not be loaded a ``Lost`` stands, and ``errors`` says why."""

    root: Any
    source: Source
    errors: list[ConfigError] = field(default_factory=list)


def load(path: Path, folder: Path | None = None) -> Any:
    """The root node of one YAML file: ``Map``, ``Seq``, text or None.

    ``folder`` (that of the file by default) is what shown names and relative paths start from, and where
    ``secrets.yaml`` lies. Raises ``ConfigErrors``.
    """
    document = load_document(path, folder)
    if document.errors:
        raise ConfigErrors(document.errors)
    return document.root


def load_document(path: Path, folder: Path | None = None) -> Document:
    """Load as far as possible and keep the mistakes, so that more of them can be found at once. Raises nothing."""
    return _Loader(folder if folder is not None else path.parent).document(path)


def in_order(errors: list[ConfigError]) -> list[ConfigError]:
    """The errors by file and line, each once."""
    unique = {str(error): error for error in errors}
    return sorted(unique.values(), key=_position)


def _position(error: ConfigError) -> tuple[str, int]:
    file, _, line = error.where.rpartition(":")
    return (file, int(line)) if line.isdecimal() else (error.where, 0)


class _Loader:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._budget = Budget()
        self._errors: list[ConfigError] = []
        self._open: list[Path] = []
        self._files = 0
        self._secrets: Map | None = None

    def document(self, path: Path) -> Document:
        source = self._source(path)
        try:
            root = self._file(path, source, "")
        except ConfigError as error:
            self._errors.append(error)
            root = Lost()
        return Document(root, source, self._errors)

    def _source(self, path: Path) -> Source:
        absolute = Path(os.path.abspath(path))
        folder = Path(os.path.abspath(self._folder))
        inside = absolute.is_relative_to(folder)
        shown = absolute.relative_to(folder) if inside else absolute
        return Source(told(shown.as_posix()) if not str(shown).isprintable() else shown.as_posix(), folder)

    def _file(self, path: Path, source: Source, where: str) -> Any:
        self._files += 1
        if self._files > MAX_FILES:
            raise ConfigError(f"more than {MAX_FILES} files are included", where=where)
        real = Path(os.path.realpath(path))
        if real in self._open:
            raise ConfigError(f"{source.name} includes itself", where=where, hint=self._chain(real))
        text = read_text(path, source.name, where)
        self._open.append(real)
        try:
            composer = Composer(text, source, self._budget, self._errors, self._tagged(path))
            return composer.compose()
        finally:
            self._open.pop()

    def _chain(self, last: Path) -> str:
        return " -> ".join(path.name for path in [*self._open, last])

    def _tagged(self, including: Path) -> Any:
        def value(tag: str, text: str, where: str) -> Any:
            try:
                return self._include(including, text, where) if tag == "!include" else self._secret(text, where)
            except ConfigError as error:
                self._errors.append(error)
                return Lost()

        return value

    def _include(self, including: Path, name: str, where: str) -> Any:
        if not name.strip():
            raise ConfigError("!include needs the name of a file", where=where)
        if "\0" in name:
            raise ConfigError(f"{told(name)} is no name of a file", where=where)
        path = including.parent / name
        return self._file(path, self._source(path), where)

    def _secret(self, name: str, where: str) -> Secret:
        if not SECRET_NAME.fullmatch(name):
            raise ConfigError("!secret needs a name of letters, digits, - and _", where=where)
        variable = "METERHUB_SECRET_" + name.upper().replace("-", "_")
        if variable in os.environ:
            return Secret(os.environ[variable])
        known = self._known_secrets()
        if isinstance(known.get(name), str) and known[name]:
            return Secret(known[name])
        hint = f"write {name}: … into {SECRETS_FILE} beside the site file, or set {variable}"
        near = difflib.get_close_matches(name, known, 1)
        if name in known:
            raise ConfigError(f"the secret {name} is empty", where=where, hint=hint)
        if near:
            hint = f"did you mean {near[0]}? Else {hint}"
        raise ConfigError(f"there is no secret {name}", where=where, hint=hint)

    def _known_secrets(self) -> Map:
        """The secrets file, read at the first use. It is text by name and may refer to nothing else."""
        if self._secrets is not None:
            return self._secrets
        self._secrets = Map()
        path = self._folder / SECRETS_FILE
        if path.exists():
            source = self._source(path)
            composer = Composer(read_text(path, source.name), source, self._budget, self._errors, _no_references)
            root = composer.compose()
            if isinstance(root, Map):
                self._secrets = root
            elif root is not None:
                self._errors.append(ConfigError("secrets are written as name: value", where=f"{source.name}:1"))
        return self._secrets


def _no_references(tag: str, text: str, where: str) -> Any:
    raise ConfigError(f"{tag} has no meaning among the secrets", where=where)
