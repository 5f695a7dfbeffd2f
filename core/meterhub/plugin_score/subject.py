"""What a path given to ``meterhub check --plugin`` is: one file, a folder, a project of its own, or one profile."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from meterhub.errors import NotFound

PREFIX = "meterhub_"


@dataclass(frozen=True, slots=True)
class Subject:
    """The parts of a plugin on disk. ``module`` is its file or its package folder, None for a profile alone.

    ``profiles`` are YAML files that stand beside a plugin of one file and may be of its protocols; ``tests`` are files
    and folders that pytest can be given.
    """

    path: Path
    name: str
    module: Path | None
    profiles: tuple[Path, ...] = ()
    tests: tuple[Path, ...] = ()
    readme: Path | None = None
    project: bool = False

    @property
    def sources(self) -> list[Path]:
        """Its Python files but for tests."""
        if self.module is None:
            return []
        if self.module.is_file():
            return [self.module]
        return [one for one in sorted(self.module.rglob("*.py")) if "tests" not in one.parts]


def find_subject(path: Path, tests: Path | None = None) -> Subject:
    """Look at what stands at ``path``, importing nothing. Raises ``NotFound``."""
    path = path.resolve()
    if tests is not None and not tests.exists():
        raise NotFound("there are no tests here", where=str(tests))
    given = (tests.resolve(),) if tests is not None else ()
    if path.suffix in (".yaml", ".yml") and path.is_file():
        found = given or _test_files(path.stem.replace("-", "_"), path.parent)
        return Subject(path, path.stem, None, (path,), found)
    if path.suffix == ".py" and path.is_file():
        beside = [*path.parent.glob("*.yaml"), *(path.parent.parent / "profiles").glob("*.yaml")]
        return Subject(path, path.stem, path, tuple(sorted(beside)), given or _test_files(path.stem, path.parent))
    module = _package_in(path)
    if module is None:
        hint = "give a .py file, a folder with __init__.py, a project folder, or a profile's .yaml"
        raise NotFound("there is no plugin here", where=str(path), hint=hint)
    name = module.name.removeprefix(PREFIX)
    folders = [one for one in (module / "tests", path / "tests") if one.is_dir()]
    return Subject(
        path,
        name,
        module,
        (),
        given or tuple(folders[:1]) or _test_files(name, path),
        _first([module / "README.md", path / "README.md"]),
        (path / "pyproject.toml").is_file(),
    )


def _package_in(path: Path) -> Path | None:
    """The package of a folder: what its entry point names, itself, or its one ``meterhub_…`` folder."""
    if (path / "pyproject.toml").is_file():
        settings = tomllib.loads((path / "pyproject.toml").read_text(encoding="utf-8"))
        points = settings.get("project", {}).get("entry-points", {}).get("meterhub.plugins", {})
        for module in points.values():
            package = str(module).partition(".")[0]
            return _first([path / package, path / "src" / package])
    if (path / "__init__.py").is_file():
        return path
    inner = [one.parent for one in path.glob(f"{PREFIX}*/__init__.py")]
    return inner[0] if len(inner) == 1 else None


def _test_files(name: str, folder: Path) -> tuple[Path, ...]:
    for place in (folder, folder.parent / "tests", folder / "tests"):
        found = sorted(place.glob(f"test_{name}*.py"))
        if found:
            return tuple(found)
    return ()


def _first(paths: Iterable[Path]) -> Path | None:
    return next((one for one in paths if one.exists()), None)
