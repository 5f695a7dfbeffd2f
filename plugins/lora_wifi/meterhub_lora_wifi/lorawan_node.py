"""One LoRaWAN node as the hub sees it: downlinks that expire, uplinks that may come twice."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from meterhub.clock import Clock
from meterhub.errors import BadInput, LinkDown
from meterhub.field.causes import in_words
from meterhub.field.link import Channel, ChannelUser, CollectorConfig, LinkHost
from meterhub.texts import mark
from meterhub_lora_wifi.network_server import ERRORS, REFUSED, Dialect, Downlink, Event, payload_of

Publish = Callable[[str, bytes], None]
WAKE_UP = b"\xfe"
NOT_ACKNOWLEDGED = mark("the node did not acknowledge what was sent to it")


class LorawanNode:
    """Attached anew when it was cut off; ``limits`` are the bytes that fit by data rate."""

    def __init__(
        self,
        collector: CollectorConfig,
        clock: Clock,
        publish: Publish,
        application: str,
        limits: Sequence[int],
        expires_s: float,
        dialect: Dialect,
    ) -> None:
        self.collector = collector
        self.eui: str = collector.options["dev_eui"]
        self._clock = clock
        self._publish = publish
        self._application = application
        self._limits = limits
        self._expires_s = expires_s
        self._dialect = dialect
        self._device = "" if dialect.eui else self.eui
        self._waits = False
        """Is there a downlink that the server may still hold?"""
        self._data_rate: int | None = None
        self._number = 0
        self._seen = ""
        self._pipe: NodeChannel | None = None

    @property
    def addressable(self) -> bool:
        """Are its application and its name known? Else its first uplink says them."""
        return self._application != "+" and bool(self._device)

    def attach(self, host: LinkHost) -> None:
        """It can be reached (again)."""
        if self._pipe is None:
            self._pipe = NodeChannel(self)
            self._pipe.user = host.attach(self.collector.id, self._pipe)

    def close(self, cause: str) -> None:
        """It cannot be reached any more."""
        if self._pipe is not None:
            self._pipe.close(cause)

    def ended(self) -> None:
        """The channel is closed; the next event opens another."""
        self._pipe = None

    def heard(self, event: Event, host: LinkHost, topic: str) -> None:
        """An event of this node. One that is told twice, by two gateways or after a lost receipt, counts once."""
        if event.key and event.key == self._seen:
            return
        self._seen = event.key or self._seen
        _, self._application, _, self._device = topic.split("/")[:4]
        if event.kind in ("up", "join", "status", "ack"):
            self.attach(host)
        user = self._pipe.user if self._pipe is not None else None
        if user is None:
            return
        if event.kind in ("up", "join", "status"):
            user.alive()
        if event.signal_dbm is not None:
            user.signal(event.signal_dbm)
        self._take(event, user)

    def _take(self, event: Event, user: ChannelUser) -> None:
        if event.kind == "up":
            self._data_rate = event.data_rate
            if event.data and event.port == self.collector.options["port"]:
                self._waits = False
                user.received(event.data)
        elif event.kind == "ack" and self._is_ours(event):
            self._waits = False
            if not event.acknowledged:
                user.gave_up(NOT_ACKNOWLEDGED)
        elif event.kind == "log" and event.code in ERRORS:
            user.gave_up(ERRORS[event.code])
        elif event.kind == "log" and event.items and self._is_ours(event):
            user.gave_up(REFUSED)

    def _is_ours(self, event: Event) -> bool:
        """Is it about the newest downlink? A server that knows no ids speaks of the only one."""
        return self._item() in event.items or not self._dialect.items

    def _too_late(self, number: int) -> None:
        """Nobody waits for an answer to this downlink any more: it must not be sent after all."""
        if self._waits and number == self._number and self._dialect.empty is not None and self._pipe is not None:
            with contextlib.suppress(LinkDown):
                self._publish(self._topic(), payload_of(self._dialect.empty))

    def _topic(self) -> str:
        return self._dialect.down.format(application=self._application, device=self._device)

    def _item(self) -> str:
        return f"{self.eui}-{self._number}"

    def send(self, data: bytes) -> None:
        """One downlink. Raises ``BadInput`` for more than the present data rate carries, ``LinkDown``."""
        data = data.lstrip(WAKE_UP) if self.collector.options["strip"] else data
        rate = self._data_rate
        largest = self._limits[min(rate, len(self._limits) - 1)] if rate is not None else max(self._limits)
        if len(data) > largest:
            raise BadInput(
                f"{len(data)} bytes are too long for the node's data rate, which carries {largest}",
                where=self.collector.id,
                hint="ask for less at once, or bring a gateway closer",
            )
        self._number += 1
        options = self.collector.options
        expires_ms = self._clock.now() + round(self._expires_s * 1000)
        wanted = Downlink(self._item(), self.eui, options["port"], data, options["confirmed"], expires_ms)
        self._publish(self._topic(), payload_of(self._dialect.speech(wanted)))
        self._waits = True
        if self._dialect.empty is not None:
            self._clock.call_later(self._expires_s, self._too_late, self._number)


class NodeChannel(Channel):
    """The pipe to one node."""

    def __init__(self, node: LorawanNode) -> None:
        self.peer = f"node {node.eui}"
        self.user: ChannelUser | None = None
        self._node = node
        self._cause = ""

    def send(self, data: bytes) -> None:
        """As ``LorawanNode.send``."""
        if self._cause:
            raise LinkDown(f"there is no connection: {in_words(self._cause)}", where=self.peer)
        self._node.send(data)

    def close(self, cause: str) -> None:
        """No more bytes either way."""
        if not self._cause:
            self._cause = cause
            self._node.ended()
            if self.user is not None:
                self.user.lost(cause)
