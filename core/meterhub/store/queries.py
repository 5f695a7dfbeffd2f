"""Named SQL: every query stands in a ``.sql`` file with a name and a comment.

    -- name: sessions.live
    -- The sessions of a user that are neither over nor revoked, newest first.
    SELECT ... WHERE user = :user

All files of a folder are merged into one space of names.
"""

from __future__ import annotations

import re
from pathlib import Path

from meterhub.errors import Misuse

FOLDER = Path(__file__).parent / "sql"

HEADER = re.compile(r"^-- name:[ \t]*(\S*)[ \t]*$", re.MULTILINE)


class Queries:
    """The queries of one or more folders, by name."""

    def __init__(self, *folders: Path) -> None:
        self._texts: dict[str, str] = {}
        for folder in folders:
            self.add(folder)

    def add(self, folder: Path) -> None:
        """Take in the ``.sql`` files of a folder; raises ``Misuse`` for a name used twice, a query without comment."""
        for path in sorted(folder.glob("*.sql")):
            _, *parts = HEADER.split(path.read_text(encoding="utf-8"))
            for name, text in zip(parts[::2], parts[1::2], strict=True):
                self._keep(path, name, text.strip())

    def _keep(self, path: Path, name: str, text: str) -> None:
        if not name or name in self._texts:
            raise Misuse(f"the query name {name!r} is empty or taken", where=str(path))
        if not text.startswith("--"):
            raise Misuse(f"the query {name} has no comment", where=str(path), hint="say below its name what it gives")
        self._texts[name] = text.rstrip(";")

    def sql(self, query: str) -> str:
        """The text of a named query; SQL (anything with a space) is returned as it is. Raises ``Misuse``."""
        try:
            return self._texts[query]
        except KeyError:
            if " " in query:
                return query
            raise Misuse(f"there is no query {query}") from None

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._texts)
