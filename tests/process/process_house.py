"""Whole processes: a hub and its twins as a deployer starts them, over real sockets."""

from __future__ import annotations

import asyncio
import html
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

from meterhub.testing.ports import free_port

SITE = """\
hub: {{name: Test Court, time_zone: Asia/Shanghai, language: en, currency: CNY, data: ./data}}
web: {{listen: "127.0.0.1:{web}"}}
plugins:
  dlt645:
  gprs:
links:
  - {{id: field, type: gprs, listen: "127.0.0.1:{field}", heartbeat: {{every: 5s, packet: HB}}}}
collectors:
  - {{id: c1, link: field, registration: DTU00001, place: Block A, lines: [{{id: c1-a, baud: 9600}}]}}
meters:
  - {{id: a-101, line: c1-a, profile: dlt645-2007-single-phase, address: 000000012345, place: Block A / 1 / 101}}
  - {{id: a-102, line: c1-a, profile: dlt645-1997-single-phase, address: "102", place: Block A / 1 / 102}}
schedules:
  - {{id: sweep, every: 2s, action: meter.read, target: {{all: meters}}}}
"""


class House:
    """A site file in a folder, and the processes that were started for it."""

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "site.yaml"
        self.web, self.field = free_port(), free_port()
        self.file.write_text(SITE.format(web=self.web, field=self.field), encoding="utf-8")
        self.running = []
        self.token = ""

    async def start(self, *arguments):
        return await self.spawn(sys.executable, "-m", "meterhub.cli", *arguments)

    async def spawn(self, *command):
        """Start a process; what it says stands in ``said()``."""
        with (self.folder / "said.log").open("ab") as said:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=self.folder, env=dict(os.environ),
                stdin=asyncio.subprocess.DEVNULL, stdout=said, stderr=said,
            )  # fmt: skip
        self.running.append(process)
        return process

    def said(self):
        """What all processes have said so far."""
        file = self.folder / "said.log"
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""

    def _ended(self):
        """The process that was started last has ended: nothing will become right any more."""
        return self.running and self.running[-1].returncode not in (None, 0)

    async def command(self, *arguments, stdin=""):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "meterhub.cli", *arguments, cwd=self.folder,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate(stdin.encode())
        return process.returncode, out.decode(), err.decode()

    def _ask(self, path, body):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.web}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    async def ask(self, path, body=None):
        return await asyncio.to_thread(self._ask, path, body)

    async def until(self, path, right, within_s=30.0):
        """Ask again until the answer is right; the last answer is told when it never is.

        Tries are counted, not time: this process may be the one that was held up.
        """
        last = None
        for _ in range(int(within_s * 10)):
            try:
                last = await self.ask(path)
                if right(last):
                    return last
            except (OSError, urllib.error.URLError) as error:
                last = error
                if self._ended():
                    break
            await asyncio.sleep(0.1)
        raise AssertionError(f"{path} never became right; last: {str(last)[:600]}; {self.said()[-2000:]}")

    async def until_page(self, path, right, within_s=30.0):
        """A page as the owner sees it, once it is right."""
        jar = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        base = f"http://127.0.0.1:{self.web}"
        form = urllib.parse.urlencode({"name": "olga", "password": "a long pass phrase"}).encode()
        await asyncio.to_thread(lambda: jar.open(f"{base}/login", data=form, timeout=30).read())
        text = ""
        try:
            async with asyncio.timeout(within_s):
                while not right(text):
                    await asyncio.sleep(0.2)
                    text = await asyncio.to_thread(
                        lambda: html.unescape(jar.open(base + path, timeout=30).read().decode())
                    )
        except TimeoutError:
            raise AssertionError(f"{path} never became right: {text[-3000:]}") from None
        return text

    async def log_in(self):
        code, _, err = await self.command(
            "user", "add", "olga", "--role", "owner", "--data", "data", stdin="a long pass phrase\n"
        )
        assert code == 0, err
        code, out, err = await self.command("token", "create", "olga", "--name", "test", "--data", "data")
        assert code == 0, err
        self.token = out.strip()

    async def stop(self):
        for process in self.running:
            if process.returncode is None:
                process.kill()
                await process.wait()
