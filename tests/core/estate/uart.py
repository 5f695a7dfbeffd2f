"""A wire as a port sees it that is set otherwise than the sender: bit by bit."""

from __future__ import annotations


def wave(data, baud, step_s=1e-6 * 20):
    """The level of the wire over time: start bit, 8 data bits, even parity, stop bit; silence around."""
    bits = [1] * 20
    for byte in data:
        bits += [0, *((byte >> place) & 1 for place in range(8)), byte.bit_count() & 1, 1]
    bits += [1] * 40
    per_bit = round(1 / baud / step_s)
    return [bit for bit in bits for _ in range(per_bit)]


def through(data, sent_baud, read_baud, *, bits=8, parity=True, step_s=1e-6 * 20):
    """What a port set otherwise makes of bytes on the wire; framing errors are given out as they are, as ports do."""
    level, heard, at = wave(data, sent_baud), bytearray(), 0
    per_bit = 1 / read_baud / step_s
    while at < len(level) - 1:
        if not (level[at] == 1 and level[at + 1] == 0):
            at += 1
            continue
        start = at + 1
        places = [round(start + (number + 1.5) * per_bit) for number in range(bits)]
        if places[-1] >= len(level):
            break
        heard.append(sum(level[place] << number for number, place in enumerate(places)))
        at = min(round(start + (bits + 1.5 + parity) * per_bit), len(level) - 1)
    return bytes(heard)
