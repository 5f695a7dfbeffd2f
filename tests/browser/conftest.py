"""A real Chromium against real pages. Left out, with the reason, where there is none."""

from __future__ import annotations

import asyncio
import shutil
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "core" / "web"))

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


class Running:
    """The estate of page tests, serving in a thread of its own so that the browser can be driven plainly."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._ready = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self.estate = SimpleNamespace()
        self.url = ""

    async def _serve(self) -> None:
        from pages_estate import pages_estate

        from meterhub.web.app import start

        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with pages_estate(self._data_dir) as self.estate:
                site = await start(self.estate.app, "127.0.0.1:0")
                self.url = f"http://127.0.0.1:{site.port}"
                self._ready.set()
                await self._over.wait()
                await site.stop()
        except BaseException as fault:
            self._fault = fault
            self._ready.set()
            raise

    def __enter__(self) -> Running:
        self._thread.start()
        assert self._ready.wait(60)
        if self._fault is not None:
            raise self._fault
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)

    def do(self, work) -> None:
        """Run ``work(estate)`` in the server's loop."""
        done: list[object] = []
        happened = threading.Event()

        def run() -> None:
            done.append(work(self.estate))
            happened.set()

        self._loop.call_soon_threadsafe(run)
        assert happened.wait(10)


@pytest.fixture(scope="module")
def chromium():
    """Ends with the module: the driver keeps a loop running in this thread, which tests of coroutines cannot have."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with Running(tmp_path_factory.mktemp("estate")) as found:
        yield found


def complains(said):
    """An error or warning, but for that of a page which was left while its live socket was still opening."""
    return said.type in ("error", "warning") and "closed before the connection is established" not in said.text


@pytest.fixture
def visit(chromium, running):
    """``visit(path, user=…, width=…, theme=…, language=…)`` gives a page; what its console says must be nothing."""
    contexts, complaints = [], []

    def open_page(path="/", user="anna", width=1280, theme="light", language="en-GB", scripts=True):
        context = chromium.new_context(
            viewport={"width": width, "height": 844}, color_scheme=theme, locale=language, java_script_enabled=scripts
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.set_default_navigation_timeout(30_000)  # a whole page on a machine that does much else
        page.on("console", lambda said: complaints.append(said.text) if complains(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if user:
            page.goto(f"{running.url}/login")
            page.fill("input[name=name]", user)
            page.fill("input[name=password]", {"anna": "a long pass phrase", "vera": "another pass phrase"}[user])
            page.click("button[type=submit]")
        page.goto(running.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
