"""The vendored files of pages are the published ones, byte by byte, and their licences stand beside them."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest

import meterhub

VENDOR = Path(meterhub.__file__).parent / "web" / "static" / "vendor"
LIBRARIES = tomllib.loads((VENDOR / "VENDOR.toml").read_text(encoding="utf-8"))["library"]
FILES = [(one["file"], one["sha256"]) for library in LIBRARIES for one in library["files"]]


@pytest.mark.parametrize(("file", "sha256"), FILES)
def test_a_vendored_file_is_what_the_manifest_says(file, sha256):
    assert hashlib.sha256((VENDOR / file).read_bytes()).hexdigest() == sha256, f"{file} was changed"


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda one: one["name"])
def test_a_library_has_version_and_licence_text(library):
    assert library["version"] and library["licence"]
    assert len((VENDOR / library["licence_file"]).read_text(encoding="utf-8")) > 400


def test_nothing_else_stands_in_the_folder():
    named = {file for file, _ in FILES} | {one["licence_file"] for one in LIBRARIES} | {"VENDOR.toml"}
    assert {path.name for path in VENDOR.iterdir()} == named


def test_no_file_makes_the_browser_ask_for_a_source_map():
    assert [file for file, _ in FILES if b"sourceMappingURL" in (VENDOR / file).read_bytes()] == []
