"""What a new profile is copied from: the profiles that installed plugins bring."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from meterhub.clock import Clock
from meterhub.config.loader import load
from meterhub.errors import NotFound
from meterhub.plugins import Plugins


@dataclass(frozen=True, slots=True)
class Model:
    """A profile file of an installed plugin. ``whole`` unless it extends another profile."""

    id: str
    plugin: str
    file: Path
    whole: bool

    def renamed(self, ident: str, title: str) -> str:
        """The text of the file with another id and name."""
        text = self.file.read_text(encoding="utf-8")
        text = re.sub(r"(?m)^id:.*$", f"id: {ident}", text, count=1)
        name = f"name: {{en: {title}, zh: {title}, ja: {title}}}"
        return re.sub(r"(?m)^name:.*$", lambda _: name, text, count=1)


def find_model(ident: str = "") -> Model:
    """The model with this id, or the first that stands on its own; raises ``NotFound`` naming those there are."""
    plugins = Plugins(Clock(), Path(), lambda owner, coroutine: coroutine.close(), None)
    plugins.find()
    plugins.set_up({plugin.name: (None, "") for plugin in plugins})
    models = {}
    for plugin, source in plugins.call("register_profiles"):
        if isinstance(source, Path):
            content = load(source, source.parent)
            models[content["id"]] = Model(content["id"], plugin.name, source, "extends" not in content)
    found = models.get(ident) if ident else next((one for one in models.values() if one.whole), None)
    if found is None:
        raise NotFound(f"there is no profile {ident}".rstrip(), hint="there are: " + (", ".join(models) or "none"))
    return found
