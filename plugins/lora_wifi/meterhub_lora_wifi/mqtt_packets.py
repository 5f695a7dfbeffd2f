"""MQTT 3.1.1 packets (OASIS standard, 2014), as much as our client and our simulated broker need. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from meterhub.errors import BadFrame

CONNECT, CONNACK, PUBLISH, PUBACK = 1, 2, 3, 4
SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 12, 13, 14
LARGEST = 256 * 1024
REFUSED = {
    1: "it does not speak MQTT 3.1.1",
    2: "it refuses the client id",
    3: "it is not available",
    4: "wrong user or password",
    5: "the user may not use it",
}
"""What CONNACK says (section 3.2.2.3)."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One control packet: kind and flags of its first byte, and what follows its length."""

    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """What was published. ``packet_id`` is 0 with QoS 0."""

    topic: str
    payload: bytes
    packet_id: int = 0


def packed(kind: int, flags: int = 0, body: bytes = b"") -> bytes:
    """A packet as bytes (section 2.2)."""
    length, left = bytearray(), len(body)
    while True:
        left, digit = left >> 7, left & 0x7F
        length.append(digit | (0x80 if left else 0))
        if not left:
            return bytes([kind << 4 | flags]) + bytes(length) + body


def text(words: str) -> bytes:
    """A string with its length before it (section 1.5.3)."""
    data = words.encode()
    return len(data).to_bytes(2, "big") + data


def connect(client_id: str, keep_alive_s: int, user: str = "", password: str = "") -> bytes:
    """CONNECT with a session that the broker keeps (section 3.1)."""
    flags = (0x80 if user else 0) | (0x40 if password else 0)
    body = text("MQTT") + bytes([4, flags]) + keep_alive_s.to_bytes(2, "big") + text(client_id)
    for words in (user, password):
        body += text(words) if words else b""
    return packed(CONNECT, 0, body)


def subscribe(packet_id: int, topic: str, qos: int = 1) -> bytes:
    """SUBSCRIBE to one topic filter (section 3.8)."""
    return packed(SUBSCRIBE, 2, packet_id.to_bytes(2, "big") + text(topic) + bytes([qos]))


def publish(topic: str, payload: bytes, packet_id: int = 0) -> bytes:
    """PUBLISH with QoS 0, or 1 when there is a packet id (section 3.3)."""
    number = packet_id.to_bytes(2, "big") if packet_id else b""
    return packed(PUBLISH, 2 if packet_id else 0, text(topic) + number + payload)


def puback(packet_id: int) -> bytes:
    """PUBACK (section 3.4)."""
    return packed(PUBACK, 0, packet_id.to_bytes(2, "big"))


def words_at(body: bytes, at: int) -> tuple[str, int]:
    """The string at a place, and the place after it; raises ``BadFrame``."""
    end = at + 2 + int.from_bytes(body[at : at + 2], "big")
    if end > len(body) or at + 2 > len(body):
        raise BadFrame("a string is longer than its packet")
    try:
        return body[at + 2 : end].decode(), end
    except UnicodeDecodeError:
        raise BadFrame("a string is not UTF-8") from None


def message_of(packet: Packet) -> Message:
    """What a PUBLISH says; raises ``BadFrame``."""
    topic, at = words_at(packet.body, 0)
    if not packet.flags & 0x06:
        return Message(topic, packet.body[at:])
    if len(packet.body) < at + 2:
        raise BadFrame("the packet id is missing")
    return Message(topic, packet.body[at + 2 :], int.from_bytes(packet.body[at : at + 2], "big"))


class Reader:
    """Finds packets in a stream."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[Packet]:
        """The packets that are complete now; raises ``BadFrame`` for what can be none: close the connection then."""
        buffer = self._buffer
        found: list[Packet] = []
        buffer += data
        while len(buffer) >= 2:
            length, shift, at = 0, 0, 1
            while at < len(buffer) and at <= 4:
                length |= (buffer[at] & 0x7F) << shift
                shift, at = shift + 7, at + 1
                if not buffer[at - 1] & 0x80:
                    break
            else:
                if at > 4:
                    raise BadFrame("the length of a packet has more than four digits")
                return found
            if length > LARGEST:
                raise BadFrame(f"a packet of {length} bytes is too long")
            if len(buffer) < at + length:
                return found
            found.append(Packet(buffer[0] >> 4, buffer[0] & 0x0F, bytes(buffer[at : at + length])))
            del buffer[: at + length]
        return found


def fits(topic: str, wanted: str) -> bool:
    """Does a topic fit a filter with ``+`` and ``#`` (section 4.7)?"""
    names, parts = topic.split("/"), wanted.split("/")
    for number, part in enumerate(parts):
        if part == "#":
            return True
        if number >= len(names) or part not in ("+", names[number]):
            return False
    return len(names) == len(parts)
