"""The docs say what the code says: every hook with its arguments, every example to the letter."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from meterhub import hookspecs
from meterhub.cli import main
from meterhub.devices.profile_file import ENTITY, PROFILE
from meterhub.devices.vectors import VECTOR
from meterhub.field.collector import CAUSES
from meterhub.field.link import LinkType
from meterhub.testing.conformance_link import LinkConformance

DOCS = Path(__file__).parents[2] / "docs"
PROTOCOL = (DOCS / "writing-a-protocol.md").read_text(encoding="utf-8")
MODEL = (DOCS / "writing-a-profile.md").read_text(encoding="utf-8")
LINK = (DOCS / "writing-a-link.md").read_text(encoding="utf-8")
HOOKS = [
    name for name, _ in inspect.getmembers(hookspecs, inspect.isfunction) if name.startswith(("register_", "plugin_"))
]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_stands_in_the_docs_with_its_arguments(hook):
    arguments = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
    assert f"`{hook}({arguments})`" in PROTOCOL


def test_the_docs_name_no_hook_that_does_not_exist():
    assert set(re.findall(r"`((?:register|plugin)_\w+)\(", PROTOCOL)) <= set(HOOKS)


@pytest.mark.parametrize("key", [str(key) for key in (*ENTITY, *PROFILE, *VECTOR)])
def test_every_key_of_a_profile_stands_in_the_docs(key):
    assert f"`{key}`" in MODEL


@pytest.mark.parametrize(
    ("page", "example"),
    [
        (PROTOCOL, "acme.py"),
        (PROTOCOL, "test_acme.py"),
        (MODEL, "acme-t1.yaml"),
        (LINK, "udp_link.py"),
        (LINK, "test_udp_link.py"),
    ],
)
def test_the_examples_in_the_docs_are_the_files_that_the_tests_run(page, example):
    assert (DOCS / "examples" / example).read_text(encoding="utf-8") in page


def test_the_link_of_the_docs_taken_out_of_the_page_keeps_the_rules_of_every_link(tmp_path):
    """As a reader would: the two blocks of the page in two files, and pytest."""
    code, tests = re.findall(r"^```python\n(.*?)^```$", LINK, re.DOTALL | re.MULTILINE)
    (tmp_path / "udp_link.py").write_text(code, encoding="utf-8")
    (tmp_path / "test_udp_link.py").write_text(tests, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    rules = [name for name in vars(LinkConformance) if name.startswith("test_")]
    assert f"{len(rules) - 1} passed, 1 skipped" in done.stdout, "all but one: datagrams pile up nowhere"


def test_every_link_between_the_docs_leads_somewhere():
    pages = [*DOCS.glob("**/*.md"), DOCS.parent / "README.md", *DOCS.parent.glob("*/README.md")]
    links = [
        (page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    ]
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["clock", "wire", "hub", "sim"])
def test_every_fixture_stands_in_the_docs(name):
    from meterhub.testing import plugin

    assert hasattr(plugin, name) and f"| `{name}` |" in PROTOCOL


def test_every_switch_of_the_simulated_world_stands_in_the_docs():
    from meterhub.testing.house import Sim

    switches = [name for name in vars(Sim) if not name.startswith("_") and name not in ("build", "wires_of")]
    assert [name for name in switches if f"sim.{name}(" not in PROTOCOL] == []


SITES = re.findall(r"```yaml\n(hub: .*?)```", (DOCS / "running-a-site.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("number", range(len(SITES)))
def test_every_site_file_of_the_guide_is_right(number, tmp_path, capsys):
    (tmp_path / "meters.yaml").write_text(
        '- {id: a-1, line: c1-a, profile: dlt645-2007-single-phase, address: "1"}\n', encoding="utf-8"
    )
    (tmp_path / "site.yaml").write_text(SITES[number], encoding="utf-8")
    assert main(["check", "-c", str(tmp_path / "site.yaml")]) == 0, capsys.readouterr().err


async def test_the_first_site_file_of_the_guide_is_short_and_reads_a_meter(hub, clock):
    assert len(SITES) >= 4 and SITES[0].count("\n") <= 20
    home = await hub(SITES[0])
    await clock.advance(16 * 60)
    assert home.estate["a-101"].status == "online"


def test_every_page_can_be_reached_from_the_first():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = [page.relative_to(DOCS).as_posix() for page in [*DOCS.glob("*.md"), *DOCS.glob("examples/*")]]
    pages += [f"../plugins/{page.parent.name}/README.md" for page in DOCS.parent.glob("plugins/*/README.md")]
    assert [page for page in pages if page != "index.md" and f"]({page})" not in index and "__" not in page] == []


def test_every_cause_and_every_part_of_a_link_stands_in_its_page():
    page = (DOCS / "writing-a-link.md").read_text(encoding="utf-8")
    words = [*CAUSES, *LinkType.__dataclass_fields__]
    known = {"connected", "never_seen", "description"}  # not for a link to say; for people
    assert [word for word in words if word not in page and word not in known] == []
