"""Who and what the tests of this room share."""

from __future__ import annotations

from dataclasses import dataclass

from meterhub.people.history import Visitor

PASSWORD = "correct horse battery"
HOME = Visitor("127.0.0.1", "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0")


@dataclass
class Everybody:
    """The system, which may do everything."""

    id: str = "system"

    def may(self, permission: str, scope: str) -> bool:
        return True
