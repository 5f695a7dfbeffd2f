"""A whole hub whose disk fills up, fails, or loses its file while tenants pay: what is not kept is not acknowledged.

Two of the tests give the hub a file system of its own, in a mount namespace that ends with the hub.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from tenants import Court
from test_kill_under_load import _agree
from test_no_room_process import _booked, _ordered, _paid_at_the_company

MOUNT = "mount -o loop,errors=remount-ro disk.img data"
SIZE = "24M"
TOOLS = ("unshare", "nsenter", "mount", "mkfs.ext4", "fsck.ext4")
TRIED = "truncate -s 4M i && mkfs.ext4 -qF i && mkdir d && mount -o loop i d && ls /sys/fs/ext4/loop*/trigger_fs_error"
ROWS = """
import json, sqlite3, sys
with sqlite3.connect("file:data/hub.db?mode=ro", uri=True, timeout=10) as conn:
    json.dump(conn.execute(sys.argv[1]).fetchall(), sys.stdout)
"""


def why_not():
    """Why no file system can be mounted here, "" when one can."""
    if os.geteuid() != 0:
        return "only root may mount a file system for the hub alone"
    absent = [one for one in TOOLS if shutil.which(one) is None]
    if absent:
        return f"no file system can be made here without {', '.join(absent)}"
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(["unshare", "-m", "sh", "-c", TRIED], cwd=folder, capture_output=True)
    return "" if tried.returncode == 0 else "file systems cannot be mounted here"


class DiskCourt(Court):
    """A court whose hub has its data on a small disk of its own."""

    async def up(self):
        if not (self.folder / "disk.img").exists():
            self._do("truncate", "-s", SIZE, "disk.img")
            self._do("mkfs.ext4", "-qF", "-d", "data", "disk.img")
        hub = f"{MOUNT} && exec {sys.executable} -m meterhub.cli run -c site.yaml"
        self.hub = await self.spawn("unshare", "-m", "sh", "-c", hub)
        await self.until("/healthz", lambda answer: answer["status"] == "ok")

    async def down(self):
        await super().down()
        self._do("unshare", "-m", "sh", "-c", f"mkdir seen && {MOUNT} && cp data/hub.db* seen/")
        self._do("sh", "-c", "mv seen/* data/")

    def rows(self, sql):
        if self.hub.returncode is not None:
            return super().rows(sql)
        inside = ["nsenter", "-t", f"{self.hub.pid}", "-m", f"-W{self.folder}", sys.executable, "-c", ROWS, sql]
        asked = subprocess.run(inside, capture_output=True, text=True, check=True)
        return [tuple(row) for row in json.loads(asked.stdout)]

    def inside(self, name):
        """A path as the hub sees it."""
        return Path(f"/proc/{self.hub.pid}/root{self.folder}", name)

    def fail(self):
        """The file system finds something wrong with itself, and lets nobody write any more."""
        mounts = Path(f"/proc/{self.hub.pid}/mountinfo").read_text(encoding="utf-8")
        device = re.search(rf" {self.folder}/data .* /dev/(loop\d+) ", mounts)[1]
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("1", encoding="utf-8")

    def mend(self):
        """What an administrator does after that."""
        done = subprocess.run(["fsck.ext4", "-fy", "disk.img"], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stdout

    def _do(self, *command):
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def mounts():
    if why := why_not():
        pytest.skip(why)


@pytest_asyncio.fixture
async def court(tmp_path):
    one = Court(tmp_path, 2, 7)
    yield one
    await one.stop()


@pytest_asyncio.fixture
async def disk_court(tmp_path, mounts):
    one = DiskCourt(tmp_path, 2, 7)
    yield one
    await one.stop()


@pytest_asyncio.fixture
async def session():
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as one:
        yield one


async def opened(court, session):
    """One payment on each meter, and one order on each that waits to be paid."""
    await court.open()
    for meter in court.meters:
        await court.pay(session, meter, 0)
    waiting = [await _ordered(court, session, meter) for meter in court.meters]
    await _booked(court, 2)
    return waiting


async def takes_no_money(court, session, waiting):
    """Companies tell of payments and tenants want to pay: nothing is taken, and everybody reads why."""
    for meter, no in zip(court.meters, waiting, strict=True):
        await _paid_at_the_company(court, session, meter, no)
    await court.until("/healthz", lambda answer: "store" in answer["faulty"])
    form = {"amount": "30.00", "way": "by-alipay.qr", "key": "broken"}
    page = f"http://127.0.0.1:{court.web}{court.links[court.meters[0]]}"
    async with session.post(page, data=form, headers={"Accept": "text/html", "Accept-Language": "en"}) as answer:
        words = " ".join(re.sub("<[^>]+>", " ", await answer.text()).split())
        assert answer.status == 503 and "cannot keep anything just now" in words, words
        assert "Traceback" not in words and f"{court.folder}" not in words and ".db" not in words
    async with session.get(page) as answer:
        assert answer.status == 200  # what was paid so far can be looked at
    taken = await court.ask("/api/v1/collections/payments")
    assert len(taken["items"]) == 2
    assert "a notice of alipay for by-alipay could not be kept" in court.said()


async def all_credited(court):
    await court.quiet(90)
    await court.until("/healthz", lambda answer: answer["status"] == "ok")
    await court.down()
    assert "Traceback" not in court.said(), court.said()[-3000:]
    _agree(court, await court.purchases())


async def test_a_disk_that_fills_up_while_tenants_pay_and_has_room_again(disk_court, session):
    court, waiting = disk_court, await opened(disk_court, session)
    ballast = court.inside("data/ballast")
    with pytest.raises(OSError, match="No space"), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    await takes_no_money(court, session, waiting)
    assert "the disk is full" in court.said()
    ballast.unlink()
    await all_credited(court)


async def test_a_file_system_that_turns_read_only_while_tenants_pay(disk_court, session):
    """It stays so until it was checked and mounted anew: the hub is stopped for that, and started again."""
    court, waiting = disk_court, await opened(disk_court, session)
    court.fail()
    await takes_no_money(court, session, waiting)
    court.hub.terminate()
    assert await court.hub.wait() in (0, 1)  # that it could not write down its end
    court.mend()
    await court.up()
    await all_credited(court)


async def test_a_file_that_is_taken_away_and_put_back_while_tenants_pay(court, session):
    waiting = await opened(court, session)
    file, away = court.folder / "data" / "hub.db", court.folder / "away.db"
    file.rename(away)
    await takes_no_money(court, session, waiting)
    assert "removed or replaced" in court.said()
    away.rename(file)
    await all_credited(court)


async def test_a_hub_does_not_start_without_its_file_or_on_a_damaged_one(court, session):
    waiting = await opened(court, session)
    await court.down()
    file = court.folder / "data" / "hub.db"
    whole = file.read_bytes()
    for content in (None, b"nonsense" * 4096, whole[:100] + b"nonsense" * 4096, whole[: len(whole) // 2]):
        file.unlink() if content is None else file.write_bytes(content)
        code, _, words = await court.command("run", "-c", "site.yaml")
        assert code == 1 and "Traceback" not in words, words
        assert "hub.db" in words and "restore" in words, words
        assert file.exists() == (content is not None)
    file.write_bytes(whole)
    await court.up()
    for meter, no in zip(court.meters, waiting, strict=True):
        await _paid_at_the_company(court, session, meter, no)
    await all_credited(court)
