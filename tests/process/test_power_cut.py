"""A power cut in small: many collectors lose their connections at once, call again among strangers, and are read."""

from __future__ import annotations

import asyncio
from contextlib import suppress

COUNT, STRANGERS = 120, 150
MOST = range(0, COUNT, 5)
READ = b"\x68\x11\x04"
PROFILE = """\
id: energy
protocol: dlt645-2007
name: {en: Energy only, zh: 仅电能, ja: 電力量のみ}
entities:
  energy_total: {name: {en: Energy, zh: 电能, ja: 電力量}, unit: kWh, scale: 2, point: {id: "00010000"}}
"""


def site(house) -> str:
    """So many collectors with a meter each."""
    head = f"""\
hub: {{name: Test Court, time_zone: Asia/Shanghai, language: en, currency: CNY, data: ./data}}
web: {{listen: "127.0.0.1:{house.web}"}}
plugins: {{dlt645: , gprs: }}
links:
  - id: field
    type: gprs
    listen: "127.0.0.1:{house.field}"
    heartbeat: {{every: 60s, packet: HB}}
    unregistered_per_address: 1000
schedules:
  - {{id: sweep, every: 2s, action: meter.read, target: {{all: meters}}}}
collectors:
"""
    lines = [f"  - {{id: c{n}, link: field, registration: DTU{n:05d}, lines: [{{id: c{n}-a}}]}}" for n in range(COUNT)]
    lines.append("meters:")
    lines += [f'  - {{id: m{n}, line: c{n}-a, profile: energy, address: "{n:012d}"}}' for n in range(COUNT)]
    return head + "\n".join(lines) + "\n"


async def be_a_collector(port: int, number: int, value: int) -> None:
    """Call, register, and answer every read with the same value."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"DTU%05d" % number)
    digits = bytes((one + 0x33) & 0xFF for one in bytes.fromhex(f"{value:08d}")[::-1])
    try:
        while asked := await reader.read(256):
            at = asked.find(READ)
            if at >= 7:
                said = asked[at - 7 : at] + b"\x68\x91\x08" + asked[at + 3 : at + 7] + digits
                writer.write(said + bytes([sum(said) & 0xFF, 0x16]))
    finally:
        writer.transport.abort()


async def be_a_stranger(port: int, number: int) -> None:
    """Say nothing, or nonsense."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    if number % 3 == 0:
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
    try:
        await reader.read()
    finally:
        writer.transport.abort()


async def cut(tasks) -> None:
    """All these connections break."""
    for one in tasks:
        one.cancel()
    with suppress(ConnectionError):
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_after_a_power_cut_all_are_back_and_read_while_strangers_crowd_at_the_door(house):
    (house.folder / "profiles").mkdir()
    (house.folder / "profiles" / "energy.yaml").write_text(PROFILE, encoding="utf-8")
    house.file.write_text(site(house), encoding="utf-8")
    await house.start("run", "-c", "site.yaml")
    await house.log_in()
    await house.until("/healthz", lambda answer: answer["status"] == "ok")

    def call(value: int):
        return [asyncio.create_task(be_a_collector(house.field, number, value)) for number in range(COUNT)]

    def all_read(value: str):
        def right(answer) -> bool:
            return answer["v"] == value and answer["q"] == "good"

        return asyncio.gather(*(house.until(f"/api/v1/entities/m{n}.energy_total", right, 60) for n in MOST))

    first = call(100)
    await all_read("1.00")
    await cut(first)
    strangers = [asyncio.create_task(be_a_stranger(house.field, number)) for number in range(STRANGERS)]
    second = call(200)
    await all_read("2.00")
    online = await house.until(
        "/api/v1/devices?kind=collector&status=online&limit=1", lambda answer: answer["total"] == COUNT, 60
    )
    assert online["total"] == COUNT
    page = await house.until_page("/collectors", lambda text: "c1" in text)
    assert "c1" in page
    await cut(second + strangers)
