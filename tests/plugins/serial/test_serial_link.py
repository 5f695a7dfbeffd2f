"""The serial link over pseudo-terminals and sockets. Parity is none: a pseudo-terminal refuses it when opened again."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import termios
import threading
import tty

import pytest
import serial.rfc2217

from meterhub.clock import Clock
from meterhub.config.schema import check
from meterhub.errors import ConfigError
from meterhub.field.link import CollectorConfig
from meterhub.testing.conformance_link import FarEnd, LinkConformance, RecordingHost, until
from meterhub_serial.link import SerialLink
from meterhub_serial.schema import LINK_SCHEMA, port_settings
from meterhub_serial.twin import simulate

LINES = {"lines": [{"id": "l", "baud": 115200, "parity": "none"}]}


def make_link(port, clock=None):
    return SerialLink(clock or Clock(), check({"port": str(port)}, LINK_SCHEMA) | LINES)


class PtyEnd(FarEnd):
    """The master side of a pseudo-terminal linked at ``path``."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self.master, False)
        path.unlink(missing_ok=True)
        path.symlink_to(os.ttyname(slave))
        os.close(slave)
        self._gone = False
        self._poller = asyncio.create_task(self._read())

    async def _read(self):
        while not self._gone:
            try:
                self.data += os.read(self.master, 65536)
            except BlockingIOError:
                await asyncio.sleep(0.002)
            except OSError:  # nobody has opened it
                await asyncio.sleep(0.01)

    async def send(self, data):
        while data:
            try:
                data = data[os.write(self.master, data) :]
            except BlockingIOError:
                await asyncio.sleep(0.002)

    async def hang_up(self):
        self.path.unlink(missing_ok=True)
        self._gone = True
        await self._poller
        os.close(self.master)

    def stop_reading(self):
        self._gone = True


@pytest.fixture(autouse=True)
def quick_retry(monkeypatch):
    monkeypatch.setattr("meterhub_serial.link.FIRST_RETRY_S", 0.02)
    monkeypatch.setattr("meterhub_serial.link.LONGEST_RETRY_S", 0.05)


class TestSerialConformance(LinkConformance):
    collector = CollectorConfig("cellar")
    dial_in = False

    @pytest.fixture(autouse=True)
    def port(self, tmp_path):
        self.path = tmp_path / "ttyTEST"

    def make_link(self, clock):
        return make_link(self.path, clock)

    async def make_far_end(self, link):
        return PtyEnd(self.path)


@pytest.fixture
def host():
    return RecordingHost([CollectorConfig("cellar")])


async def test_a_missing_device_is_trouble_in_words_until_it_is_there(host, tmp_path):
    link = make_link(tmp_path / "ttyUSB0")
    await link.open(host)
    await until(lambda: host.troubles)
    assert "ttyUSB0" in host.troubles[0] and "plugged in" in host.troubles[0]
    far = PtyEnd(tmp_path / "ttyUSB0")
    await until(lambda: host.users)
    assert host.troubles[-1] == ""
    await far.hang_up()
    await until(lambda: host.users[0].causes == ["unplugged"])
    await until(lambda: host.troubles[-1])
    await link.close()


async def test_closing_does_not_wait_for_bytes_nobody_takes(host, tmp_path):
    far = PtyEnd(tmp_path / "tty")
    link = make_link(tmp_path / "tty")
    await link.open(host)
    await until(lambda: host.users)
    far.stop_reading()
    for _ in range(6):
        host.users[0].channel.send(b"\x00" * 1024)
    async with asyncio.timeout(2):
        await link.close()
    assert host.users[0].causes == ["hub_stopped"]


async def test_a_serial_server_in_raw_mode_works_through_its_url(host):
    heard, answered = [], asyncio.Event()

    async def serve(reader, writer):
        heard.append(await reader.readexactly(3))
        writer.write(b"\xff\x00\x16")
        await answered.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    link = make_link(f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await link.open(host)
    await until(lambda: host.users)
    host.users[0].channel.send(b"\x68\xff\x00")
    await until(lambda: host.users[0].data == b"\xff\x00\x16")
    assert heard == [b"\x68\xff\x00"]
    answered.set()
    await until(lambda: host.users[0].causes)
    assert host.users[0].causes[0] in ("closed", "reset"), "nothing was unplugged"
    assert not host.users[0].channel.set_speed(9600), "that is set in the server itself"
    await link.close()
    server.close()


class Rfc2217Server(threading.Thread):
    """A serial server that takes its settings over the network; its port answers with what it got, doubled."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = serial.serial_for_url("loop://", timeout=0)

    def run(self):
        connection, _ = self.listener.accept()
        connection.settimeout(0.01)
        self.write = connection.sendall
        manager = serial.rfc2217.PortManager(self.port, self)
        while True:
            try:
                data = connection.recv(1024)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data:
                return
            if plain := b"".join(manager.filter(data)):
                connection.sendall(b"".join(manager.escape(plain + plain)))


async def test_a_serial_server_with_rfc_2217_works_through_its_url(host):
    server = Rfc2217Server()
    server.start()
    link = make_link(f"rfc2217://127.0.0.1:{server.listener.getsockname()[1]}")
    await link.open(host)
    await until(lambda: host.users)
    host.users[0].channel.send(b"\x68\xff\x16")
    await until(lambda: host.users[0].data == b"\x68\xff\x16" * 2)
    assert server.port.baudrate == 115200
    assert host.users[0].channel.set_speed(9600)
    host.users[0].channel.send(b"\x10")
    await until(lambda: host.users[0].data.endswith(b"\x10\x10"))
    assert server.port.baudrate == 9600
    await link.close()
    assert host.users[0].causes == ["hub_stopped"]


async def test_a_serial_server_with_rfc_2217_is_slowed_down(host):
    server, said, over = Rfc2217Server(), 0, threading.Event()
    server.start()
    link = make_link(f"rfc2217://127.0.0.1:{server.listener.getsockname()[1]}")
    await link.open(host)
    await until(lambda: host.users)
    user = host.users[0]

    def flood():
        nonlocal said
        while not over.is_set():
            try:
                server.write(b"m" * 4096)
                said += 4096
            except TimeoutError:
                continue
            except OSError:
                return

    threading.Thread(target=flood, daemon=True).start()
    await until(lambda: user.data)
    assert user.channel.pause()
    await until(lambda: steady(lambda: (said, len(user.data))))
    assert said < 32 * 2**20, "it waits with the sender"
    before = len(user.data)
    user.channel.resume()
    await until(lambda: len(user.data) > before)
    over.set()
    await link.close()
    assert user.causes == ["hub_stopped"]


async def test_a_serial_server_in_raw_mode_is_slowed_down(host):
    said = 0

    async def serve(reader, writer):
        nonlocal said
        while True:
            writer.write(b"m" * 65536)
            said += 65536
            await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    link = make_link(f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await link.open(host)
    await until(lambda: host.users and host.users[0].data)
    user = host.users[0]
    assert user.channel.pause()
    before = said
    await until(lambda: steady(lambda: (said, len(user.data))))
    assert said - before < 32 * 2**20, "it waits with the sender"
    before = len(user.data)
    user.channel.resume()
    await until(lambda: len(user.data) > before)
    await link.close()
    server.close()


def steady(figure, seen=[]) -> bool:  # noqa: B006 - what it was the last times
    """Has it not changed for a tenth of a second?"""
    seen.append(figure())
    return len(seen) > 20 and len(set(seen[-20:])) == 1


async def test_a_device_cannot_be_slowed_down(host, tmp_path):
    PtyEnd(tmp_path / "tty")
    link = make_link(tmp_path / "tty")
    await link.open(host)
    await until(lambda: host.users)
    assert not host.users[0].channel.pause()
    await link.close()


async def test_a_device_changes_its_speed_while_it_is_open(host, tmp_path):
    far = PtyEnd(tmp_path / "tty")
    link = make_link(tmp_path / "tty")
    await link.open(host)
    await until(lambda: host.users)
    assert host.users[0].channel.set_speed(9600)
    assert termios.tcgetattr(far.master)[4:6] == [termios.B9600] * 2
    await link.close()


async def test_a_serial_link_has_one_port():
    with pytest.raises(ConfigError):
        await make_link("/dev/null").open(RecordingHost([]))


class EchoWire:
    receive = None

    def send(self, data):
        self.receive(data[::-1])


async def run_twin(port, host):
    twin = asyncio.create_task(simulate({"port": str(port)}, [CollectorConfig("cellar")], {"cellar": EchoWire()}, None))
    link = make_link(port)
    await link.open(host)
    await until(lambda: host.users)
    host.users[0].channel.send(b"abc")
    await until(lambda: host.users[0].data == b"cba")
    await link.close()
    twin.cancel()
    await asyncio.gather(twin, return_exceptions=True)


async def test_the_twin_of_a_device_is_a_pseudo_terminal_at_its_path(host, tmp_path):
    await run_twin(tmp_path / "ttyUSB0", host)
    assert list(tmp_path.iterdir()) == []


async def test_the_twin_of_a_serial_server_listens_there(host):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    await run_twin(f"socket://127.0.0.1:{port}", host)


async def test_a_twin_never_takes_the_place_of_a_real_device(tmp_path):
    (tmp_path / "real").touch()
    with pytest.raises(ConfigError, match="real device"):
        await simulate({"port": str(tmp_path / "real")}, [CollectorConfig("c")], {"c": EchoWire()}, None)


def test_the_port_is_set_as_its_line_says():
    assert port_settings({}) == {"baudrate": 2400, "bytesize": 8, "parity": "E", "stopbits": 1}
    assert port_settings({"lines": [{"baud": 9600, "parity": "none", "stop": 2}]})["parity"] == "N"


ENDS_WITH_A_PORT_OPEN = """
import asyncio, os
from meterhub.clock import Clock
from meterhub_serial.port import open_serial

kept = []

async def use():
    master, slave = os.openpty()
    kept.append(await open_serial(Clock(), os.ttyname(slave), {"baudrate": 2400}, asyncio.Protocol()))
    if CLOSED:
        kept[0].close()
        await asyncio.sleep(0.05)

asyncio.run(use())
kept.append(kept)
print("used")
"""


@pytest.mark.parametrize("closed", [True, False])
def test_a_process_that_had_a_port_open_ends(closed):
    program = ENDS_WITH_A_PORT_OPEN.replace("CLOSED", str(closed))
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 0 and ended.stdout == "used\n", ended.stderr
