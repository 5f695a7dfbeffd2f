"""G11: from a collector's socket to a committed row. Meters push from another process.

A whole hub (gprs link, line, DL/T 645, states, recorder, SQLite); 500 collectors with a meter each send frames that
nobody asked for: of one register, then blocks of five. Printed are frames, and readings that were committed in that
time, per second; what was lost; the most that waited in memory; and the longest time for which the loop was held.

    python bench/ingest.py [--seconds 5] [--rate 50000]     --rate 0: as fast as they are taken
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from meterhub.config.site import load_site
from meterhub.hub import Hub

HOST, PORT = "127.0.0.1", 18665
METERS = 500
SINGLE, BLOCK = "00010000", "0001FF00"
FRAMES_AT_ONCE = 32


def frame(meter: int, identifier: str, number: int) -> bytes:
    """An answer of one register, or of a block of five; the values rise with ``number``."""
    values = [(number + place) % 10**8 for place in range(5 if identifier == BLOCK else 1)]
    data = bytes.fromhex(identifier)[::-1] + b"".join(bytes.fromhex(f"{one:08d}")[::-1] for one in values)
    body = b"\x68" + bytes.fromhex(f"{meter:012d}")[::-1] + b"\x68\x91" + bytes([len(data)])
    body += bytes((one + 0x33) & 0xFF for one in data)
    return body + bytes([sum(body) & 0xFF, 0x16])


def push(identifier: str, rate: int) -> None:
    """The far end: so many frames a second over all sockets, each as much at once as it takes."""
    selector = selectors.DefaultSelector()
    for meter in range(METERS):
        sock = socket.create_connection((HOST, PORT))
        sock.sendall(b"c%d;" % meter)
        sock.setblocking(False)
        payload = b"".join(frame(meter, identifier, number * 7) for number in range(FRAMES_AT_ONCE))
        selector.register(sock, selectors.EVENT_WRITE, [payload, 0])
    time.sleep(1)
    began, frames = time.perf_counter(), 0
    while True:
        for key, _ in selector.select():
            while rate and frames > (time.perf_counter() - began) * rate:
                time.sleep(0.001)
            frames += FRAMES_AT_ONCE
            payload, sent = key.data
            with contextlib.suppress(BlockingIOError):
                sent = (sent + key.fileobj.send(payload[sent:])) % len(payload)  # type: ignore[union-attr]
            key.data[1] = sent


def site(folder: Path) -> Path:
    """Its site file."""
    lines = [
        "hub: {data: ./data, time_zone: UTC}",
        "plugins: {dlt645: , gprs: }",
        f'links: [{{id: field, type: gprs, listen: "{HOST}:{PORT}", unregistered_per_address: 2000}}]',
        "collectors:",
    ]
    lines += [f'  - {{id: c{n}, link: field, registration: "c{n};", lines: [{{id: c{n}-a}}]}}' for n in range(METERS)]
    lines += ["meters:"]
    profile = "dlt645-2007-single-phase"
    lines += [f'  - {{id: m{n}, line: c{n}-a, profile: {profile}, address: "{n:012d}"}}' for n in range(METERS)]
    file = folder / "site.yaml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def start_far_end(identifier: str, rate: int) -> subprocess.Popen[bytes]:
    """The process that pushes."""
    return subprocess.Popen([sys.executable, __file__, "--push", identifier, "--rate", str(rate)])


async def watch(hub: Hub, seconds: float) -> tuple[int, float]:
    """For a while: the most readings that waited, and the longest that a turn of the loop took."""
    most, held_s, last = 0, 0.0, time.perf_counter()
    end = last + seconds
    while last < end:
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        most, held_s, last = max(most, hub.recorder.queued), max(held_s, now - last), now
    return most, held_s


async def measure(identifier: str, seconds: float, rate: int) -> None:
    """One kind of frames."""
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(load_site(site(Path(folder))))
        await hub.start()
        far = start_far_end(identifier, rate)
        try:
            await asyncio.sleep(3)
            counted = sum(line.figures.foreign for line in hub.field.lines.values()), hub.recorder.written
            wall, cpu = time.perf_counter(), time.process_time()
            most, held_s = await watch(hub, seconds)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            frames = sum(line.figures.foreign for line in hub.field.lines.values()) - counted[0]
            written = hub.recorder.written - counted[1]
        finally:
            far.kill()
            far.wait()
        lost = hub.recorder.lost
        stop_s = -time.perf_counter()
        await hub.stop()
        stop_s += time.perf_counter()
    kind = "one register" if identifier == SINGLE else "blocks of five"
    print(
        f"{kind}: {frames / wall:,.0f} frames/s, {written / wall:,.0f} readings/s committed, {lost} lost,"
        f" {cpu / max(frames, 1) * 1e6:.1f} us CPU per frame, {cpu / wall:.0%} of a core, {most:,} waited at most,"
        f" loop held {held_s * 1000:.0f} ms at most, stopped in {stop_s:.1f} s"
    )


def main() -> None:
    """Run the bench, or its far end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=int, default=50_000, help="frames a second that are sent")
    parser.add_argument("--push", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.push:
        push(arguments.push, arguments.rate)
        return
    for identifier in (SINGLE, BLOCK):
        uvloop.run(measure(identifier, arguments.seconds, arguments.rate))
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
