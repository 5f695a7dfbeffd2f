"""``meterhub new``: writes a plugin that works, with its tests, for its author to change."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from string import Template

from meterhub.errors import BadInput, NotFound
from meterhub.scaffold.models import Model

KINDS = ("protocol", "profile", "link", "payment")
TEMPLATES = Path(__file__).parent
PROFILES_HOOK = '''

@hookimpl
def register_profiles() -> Iterable[Path]:
    """The meter models that stand in ``profiles/``."""
    return sorted((Path(__file__).parent / "profiles").glob("*.yaml"))
'''
FOLDER = "FOLDER = Path(__file__).parents[1]\n"
BRINGS = {
    "protocol": ("the meter protocol `$id` and a sample model", "A meter of it says `profile: $id-sample`."),
    "profile": ("the meter model `$id`", "A meter of it says `profile: $id`."),
    "link": (
        "links of type `$id`",
        "A link of it says `{id: cellar, type: $id, host: 10.0.0.5, port: 4001, lines: […]}`.",
    ),
    "payment": (
        "the payment company `$name`",
        "An entry of `payments:` says `{id: shop, type: $name, merchant: M1, key: !secret $name, url: https://…}`;\n"
        "with `sandbox: 127.0.0.1:8801` in place of `url:`, `meterhub simulate` plays the company.",
    ),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where things go. ``module`` is the Python file of the plugin, ``start`` how a test hands it to a hub."""

    module: Path
    import_name: str
    profiles: Path
    tests: Path
    start: str
    """Lines of a test that say what it hands to the fixture ``hub``."""


def scaffold(kind: str, name: str, folder: Path, *, package: bool = False, model: Model | None = None) -> list[Path]:
    """Write a new plugin into ``folder`` and return its files.

    Without ``package`` they stand as in a deployer's folder: ``plugins/``, ``profiles/``, ``tests/``; with it in a
    project of its own, ``meterhub-NAME/``. ``model`` is what a new profile is copied from.
    Raises ``BadInput`` for a name that cannot be one, and for a file that is there already.
    """
    words = _words(name)
    place = _packaged(folder / f"meterhub-{words['id']}", words["name"]) if package else _plain(kind, folder, words)
    files = _files(kind, place, words, package, model)
    for path in files:
        if path.exists() and path.name != "conftest.py":
            raise BadInput("this file is there already", where=str(path), hint="take another name")
    for path, text in files.items():
        if path.exists():
            continue  # what several plugins of a folder share
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(files)


def _words(name: str) -> dict[str, str]:
    """The forms of a name: as an id, as a module, as a class, as a title."""
    module = name.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", module) or module in sys.stdlib_module_names:
        raise BadInput(
            f"{name!r} cannot be the name of a plugin", hint="lower-case letters, digits and -, such as acme-t1"
        )
    parts = module.split("_")
    return {
        "name": module,
        "id": "-".join(parts),
        "Class": "".join(one.capitalize() for one in parts),
        "title": " ".join(one.capitalize() for one in parts),
    }


def _plain(kind: str, folder: Path, words: dict[str, str]) -> Place:
    name = words["name"]
    profile = f"{words['id']}{'' if kind == 'profile' else '-sample'}.yaml"
    parts = [] if kind == "profile" else [f'"plugins": [FOLDER / "plugins" / "{name}.py"]']
    parts.append(f'"profiles": [FOLDER / "profiles" / "{profile}"]')
    start = FOLDER + "PARTS = {\n" + "".join(f"    {one},\n" for one in parts) + "}"
    return Place(folder / "plugins" / f"{name}.py", name, folder / "profiles", folder / "tests", start)


def _packaged(root: Path, name: str) -> Place:
    package = root / f"meterhub_{name}"
    start = f'{FOLDER}PARTS = {{"plugins": [FOLDER / "{package.name}"]}}'
    return Place(package / "__init__.py", package.name, package / "profiles", root / "tests", start)


def _files(kind: str, place: Place, words: dict[str, str], package: bool, model: Model | None) -> dict[Path, str]:
    name, ident = words["name"], words["id"]
    brings, usage = (Template(one).substitute(words) for one in BRINGS[kind])
    words = words | {
        "module": place.import_name,
        "start": place.start,
        "package_import": "from pathlib import Path" if package else "",
        "register_profiles": PROFILES_HOOK if package else "",
        "plugins": _plugins_of_a_test(name, package, model),
        "brings": brings,
        "usage": usage,
    }
    files: dict[Path, str] = {}
    if kind != "profile" or package:
        files[place.module] = _filled(f"{kind}.py", words)
    if kind == "protocol":
        files[place.profiles / f"{ident}-sample.yaml"] = _filled("protocol_profile.yaml", words)
    if kind == "profile":
        if model is None:
            raise NotFound("no installed plugin brings a profile to begin with", hint="install one, such as dlt645")
        files[place.profiles / f"{ident}.yaml"] = model.renamed(ident, words["title"])
    files[place.tests / f"test_{name}.py"] = _filled(f"{kind}_test.py", words)
    if kind != "profile" and not package:
        files[place.tests / "conftest.py"] = _filled("conftest.py", words)
    if package:
        root = place.tests.parent
        files[root / "pyproject.toml"] = _filled("pyproject.toml", words)
        files[root / "README.md"] = _filled("README.md", words)
        files[place.module.parent / "py.typed"] = ""
    return files


def _plugins_of_a_test(name: str, package: bool, model: Model | None) -> str:
    plugins = [model.plugin] if model is not None else []
    return " ".join(f"{one}: ," for one in [*plugins, "gprs", *([name] if package else [])]).removesuffix(",")


def _filled(template: str, words: dict[str, str]) -> str:
    text = Template((TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")).substitute(words)
    return re.sub(r"\n{4,}", "\n\n\n", text).rstrip("\n") + "\n"
