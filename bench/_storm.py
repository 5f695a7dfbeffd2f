"""The far end of bench/connections.py and bench/power_cut.py, a process of its own: thousands of sockets on one epoll.

Commands come as lines on stdin, each is answered with one line on stdout:

    call FIRST COUNT      collectors FIRST… connect and send their registration
    silent COUNT          connect and say nothing, and again when turned away
    garbage COUNT         connect and send what nobody understands, and again when turned away
    beat TIMES            every collector sends a heartbeat, so many times
    drop                  every connection is closed at once
    quit

DL/T 645-2007 reads of one register are answered with a number; whatever else arrives is taken for requests of sixteen
bytes and answered with as many of twenty-four.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
import time
from collections import deque

ANSWER = b"\x5a".ljust(24, b"\x00")
REQUEST_BYTES = 16
READ = b"\x68\x11\x04"
"""What follows the address in a DL/T 645-2007 read."""
VALUE = bytes((0x78 + 0x33, 0x56 + 0x33, 0x34 + 0x33, 0x12 + 0x33))
"""123456.78 as it stands on the wire."""
AT_ONCE = 512
AGAIN_S = 1.0
"""So long a stranger who was turned away waits."""
ADDRESSES = 250


def answers(data: bytes) -> bytes:
    """The answers to all the reads in ``data``."""
    said, at = b"", data.find(READ)
    while at >= 7:
        body = data[at - 7 : at] + b"\x68\x91\x08" + data[at + 3 : at + 7] + VALUE
        said += body + bytes((sum(body) & 0xFF, 0x16))
        at = data.find(READ, at + 7)
    return said


class Storm:
    """All sockets. Collector ``n`` registers as ``DTU%05d``."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.selector = selectors.DefaultSelector()
        self.selector.register(sys.stdin, selectors.EVENT_READ)
        self.named: list[socket.socket] = []
        self.others: list[socket.socket] = []
        self.waiting: list[tuple[bytes, bool]] = []
        self.later: deque[tuple[float, bytes]] = deque()
        self.opening = 0
        self.counter = 0
        self.reply_when_done = ""

    def run(self) -> None:
        """Until ``quit``."""
        while True:
            while self.later and self.later[0][0] < time.monotonic():
                self.waiting.append((self.later.popleft()[1], False))
            while self.waiting and self.opening < AT_ONCE:
                self.connect(*self.waiting.pop())
            if self.reply_when_done and not self.waiting and not self.opening:
                print(self.reply_when_done, flush=True)
                self.reply_when_done = ""
            for key, _ in self.selector.select(0.05):
                if key.fileobj is sys.stdin:
                    if not self.obey(sys.stdin.readline().split()):
                        return
                elif isinstance(key.data, tuple):
                    self.connected(key.fileobj, *key.data)
                else:
                    self.answer(key.fileobj, key.data)

    def obey(self, words: list[str]) -> bool:
        """One command; False to end."""
        if not words or words[0] == "quit":
            return False
        counts = [int(one) for one in words[1:]]
        if words[0] == "call":
            first, count = counts
            self.waiting = [(b"DTU%05d" % number, True) for number in range(first, first + count)][::-1]
        elif words[0] == "silent":
            self.waiting += [(b"", False)] * counts[0]
        elif words[0] == "garbage":
            self.waiting += [(b"GET / HTTP/1.1\r\n\r\n", False)] * counts[0]
        elif words[0] == "beat":
            for _ in range(counts[0]):
                for one in self.named:
                    with contextlib.suppress(OSError):
                        one.send(b"BEAT")
        elif words[0] == "drop":
            for one in self.named + self.others:
                self.forget(one)
            self.named, self.others, self.waiting = [], [], []
            self.later.clear()
        self.reply_when_done = "done " + words[0]
        return True

    def connect(self, first: bytes, named: bool) -> None:
        """Begin to call, from one of many addresses."""
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.counter += 1
        with contextlib.suppress(OSError):
            sock.bind((f"127.20.{self.counter % ADDRESSES // 100}.{self.counter % ADDRESSES % 100 + 1}", 0))
        sock.connect_ex(self.target)
        self.opening += 1
        self.selector.register(sock, selectors.EVENT_WRITE, (first, named))

    def connected(self, sock: socket.socket, first: bytes, named: bool) -> None:
        """The call was taken."""
        self.opening -= 1
        self.selector.modify(sock, selectors.EVENT_READ, None if named else first)
        (self.named if named else self.others).append(sock)
        if first:
            with contextlib.suppress(OSError):
                sock.send(first)

    def answer(self, sock: socket.socket, stranger: bytes | None) -> None:
        """Answer every request at once; a ``stranger`` who was turned away calls again and sends the same."""
        try:
            data = sock.recv(4096)
            if data:
                sock.send(answers(data) or ANSWER * max(1, len(data) // REQUEST_BYTES))
                return
        except OSError:
            pass
        self.forget(sock)
        if stranger is not None:
            self.later.append((time.monotonic() + AGAIN_S, stranger))

    def forget(self, sock: socket.socket) -> None:
        """Close."""
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(sock)
        sock.close()


if __name__ == "__main__":
    Storm(sys.argv[1], int(sys.argv[2])).run()
