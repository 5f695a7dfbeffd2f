"""The link of the docs keeps the rules of every link."""

import asyncio

from udp_link import register_links

from meterhub.config.schema import check
from meterhub.testing.conformance_link import FarEnd, LinkConformance

(KIND,) = register_links()


class Terminal(FarEnd, asyncio.DatagramProtocol):
    """A collector; its silence is noticed by whoever watches over silence, here by itself."""

    def datagram_received(self, data, addr):
        self.data += data

    async def send(self, data):
        self.transport.sendto(b"c1:" + data)

    async def hang_up(self):
        self.transport.close()
        self.link.boxes[b"c1"].close("silent")

    def stop_reading(self):
        self.transport.close()


class TestUdpLink(LinkConformance):
    piles_up = False

    def make_link(self, clock):
        return KIND.open(None, check({"listen": "127.0.0.1:0"}, KIND.schema))

    async def make_far_end(self, link):
        far, loop = Terminal(), asyncio.get_running_loop()
        address = link.transport.get_extra_info("sockname")
        far.link = link
        far.transport, _ = await loop.create_datagram_endpoint(lambda: far, remote_addr=address)
        await far.send(b"")
        return far
