"""A meter protocol in one file: Acme's text meters answer ``?17 energy`` with ``17 energy 12345``."""

from meterhub import hookimpl
from meterhub.errors import Refused
from meterhub.field.codec import StreamCodec
from meterhub.field.dialogue import Ask, PollReport
from meterhub.field.protocol import Protocol, ProtocolType, SimulatedMeter


class AcmeCodec(StreamCodec):
    """Frames are lines of text; the frame object is the list of words."""

    def find(self, buffer):
        end = buffer.find(b"\n")
        return (None, 0) if end < 0 else (buffer[:end].decode("ascii", "replace").split() or ["?"], end + 1)

    def encode(self, frame):
        return " ".join(frame).encode() + b"\n"


class Acme(Protocol):
    """Reads registers by name, one exchange each."""

    def codec(self):
        return AcmeCodec()

    def point(self, key, spec, kind, scale):
        return spec["register"]

    def read(self, meter, points):
        report = PollReport()
        for place, register in enumerate(points):
            wanted = [meter.address, register]
            answer = yield Ask(["?" + meter.address, register], lambda words, wanted=wanted: words[:2] == wanted)
            if answer[2:3] and answer[2].isdigit():
                report.updated.append((place, int(answer[2]), "good"))
            else:
                report.failed.append((place, Refused(f"{register}: {' '.join(answer[2:])}", where=meter.id)))
        return report

    def simulate(self, meter, world):
        return AcmeTwin(meter.address, world)


class AcmeTwin(SimulatedMeter):
    """Counts one unit per simulated second."""

    def __init__(self, address, world):
        self.address, self.world, self.began_ms = address, world, world.now_ms()

    def answer(self, frame):
        if frame[0] != "?" + self.address:
            return None
        return AcmeCodec().encode([self.address, *frame[1:2], str((self.world.now_ms() - self.began_ms) // 1000)])


@hookimpl
def register_protocols():
    """Make ``protocol: acme`` known to profiles."""
    return [ProtocolType("acme", lambda ctx, config: Acme(), point_schema={"register": str})]
