"""A plugin that blocks the loop or raises in a listener is named with file and line, and the others go on."""

from __future__ import annotations

import pytest

BLOCKS = """\
import time

from meterhub import hookimpl


async def later(ctx):
    await ctx.clock.sleep(1)
    time.sleep(4)


@hookimpl
def register_actions(ctx):
    ctx.spawn(later(ctx))
    return []
"""

RAISES = """\
from meterhub import hookimpl


async def later(ctx):
    raise RuntimeError("no licence")


@hookimpl
def register_actions(ctx):
    ctx.spawn(later(ctx))
    return []
"""


@pytest.mark.parametrize(
    ("source", "says"),
    [(BLOCKS, "it blocked the loop at {file}:8 in later"), (RAISES, "{file}:5: RuntimeError: no licence")],
)
async def test_it_is_named_with_file_and_line_and_the_others_go_on(house, source, says):
    (house.folder / "plugins").mkdir()
    file = house.folder / "plugins" / "bad.py"
    file.write_text(source)
    house.file.write_text(house.file.read_text().replace("  gprs:\n", "  gprs:\n  bad:\n"))
    await house.start("run", "-c", "site.yaml")
    await house.start("simulate", "-c", "site.yaml")
    await house.until("/healthz", lambda answer: answer["status"] == "ok")
    await house.log_in()
    await house.until("/api/v1/devices/a-101", lambda one: one["status"] == "online")
    page = await house.until_page("/plugins", lambda text: says.format(file=file) in text)
    assert "dlt645" in page
