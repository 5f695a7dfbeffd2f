"""A link of its own in few lines: collectors send datagrams to one port, each begins with their id and a colon."""

import asyncio

import voluptuous as vol

from meterhub import hookimpl
from meterhub.config.types import host_port
from meterhub.errors import LinkDown
from meterhub.field.link import Channel, Link, LinkType


class Mailbox(Channel):
    def __init__(self, link, peer):
        self.link, self.address, self.peer, self.user, self.cause = link, peer, f"{peer[0]}:{peer[1]}", None, ""

    def send(self, data):
        if self.cause:
            raise LinkDown(f"the collector is {self.cause}", where=self.peer)
        self.link.transport.sendto(data, self.address)

    def close(self, cause):
        if not self.cause:
            self.cause = cause
            self.user.lost(cause)


class UdpLink(Link, asyncio.DatagramProtocol):
    def __init__(self, config):
        self.listen, self.boxes = config["listen"], {}

    async def open(self, host):
        self.host, loop = host, asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=self.listen)

    def datagram_received(self, data, peer):
        name, _, data = data.partition(b":")
        box, collector_id = self.boxes.get(name), name.decode("ascii", "replace")
        if all(one.id != collector_id for one in self.host.collectors):
            self.host.stranger(f"{peer[0]}:{peer[1]}", name, "not one of our collectors")
            return
        if box is None or box.address != peer or box.cause:
            box = self.boxes[name] = Mailbox(self, peer)
            box.user = self.host.attach(collector_id, box)
        box.user.received(data) if data else box.user.alive()

    async def close(self):
        self.transport.close()
        for box in self.boxes.values():
            box.close("hub_stopped")


@hookimpl
def register_links():
    return [LinkType("udp", {vol.Required("listen"): host_port()}, lambda ctx, config: UdpLink(config))]
