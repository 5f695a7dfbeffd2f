"""QR codes as SVG: byte mode, error correction level M, versions 1 to 15 (up to 412 bytes).

Source: ISO/IEC 18004, clauses 7.3 to 7.10; the tables are those of its annexes for level M.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from markupsafe import Markup

from meterhub.errors import BadInput

QUIET = 4
"""Light modules around the code."""

# Per version: check bytes per block, then (blocks, data bytes per block) of one or two groups.
BLOCKS: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = (
    (10, ((1, 16),)),
    (16, ((1, 28),)),
    (26, ((1, 44),)),
    (18, ((2, 32),)),
    (24, ((2, 43),)),
    (16, ((4, 27),)),
    (18, ((4, 31),)),
    (22, ((2, 38), (2, 39))),
    (22, ((3, 36), (2, 37))),
    (26, ((4, 43), (1, 44))),
    (30, ((1, 50), (4, 51))),
    (22, ((6, 36), (2, 37))),
    (22, ((8, 37), (1, 38))),
    (24, ((4, 40), (5, 41))),
    (24, ((5, 41), (5, 42))),
)
ALIGNMENT = (
    (), (6, 18), (6, 22), (6, 26), (6, 30), (6, 34), (6, 22, 38), (6, 24, 42), (6, 26, 46), (6, 28, 50),
    (6, 30, 54), (6, 32, 58), (6, 34, 62), (6, 26, 46, 66), (6, 26, 48, 70),
)  # fmt: skip
MASKS: tuple[Callable[[int, int], bool], ...] = (
    lambda y, x: (y + x) % 2 == 0,
    lambda y, x: y % 2 == 0,
    lambda y, x: x % 3 == 0,
    lambda y, x: (y + x) % 3 == 0,
    lambda y, x: (y // 2 + x // 3) % 2 == 0,
    lambda y, x: y * x % 2 + y * x % 3 == 0,
    lambda y, x: (y * x % 2 + y * x % 3) % 2 == 0,
    lambda y, x: ((y + x) % 2 + y * x % 3) % 2 == 0,
)


def svg(text: str, label: str) -> Markup:
    """The code of a text as an image with a ``label`` for those who cannot see it. Raises ``BadInput``."""
    rows = matrix(text.encode())
    size = len(rows) + 2 * QUIET
    runs = "".join(
        f"M{x + QUIET} {y + QUIET}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark
    )
    return Markup(
        '<svg class="qr" role="img" aria-label="{}" viewBox="0 0 {} {}" shape-rendering="crispEdges">'
        '<rect width="{}" height="{}" fill="#fff"/><path fill="#000" d="{}"/></svg>'
    ).format(label, size, size, size, size, runs)


def matrix(data: bytes) -> list[list[bool]]:
    """The modules of the smallest code that holds ``data``, True is dark; raises ``BadInput`` when none does."""
    version = _version(len(data))
    rows = _frame(version)
    free = [[one is None for one in row] for row in rows]
    _place(rows, _codewords(data, version))
    best = min(range(len(MASKS)), key=lambda mask: _penalty(_masked(rows, free, mask)))
    return _masked(rows, free, best)


def _version(size: int) -> int:
    for version, (_, groups) in enumerate(BLOCKS, 1):
        room = sum(count * length for count, length in groups)
        if size + (2 if version < 10 else 3) <= room:
            return version
    raise BadInput("this text is too long for a QR code", hint="at most 412 bytes")


def _codewords(data: bytes, version: int) -> bytes:
    """Mode, length, data and padding, cut into blocks, each with its check bytes, interleaved."""
    check, groups = BLOCKS[version - 1]
    room = sum(count * length for count, length in groups)
    width = 8 if version < 10 else 16
    bits = f"0100{len(data):0{width}b}" + "".join(f"{one:08b}" for one in data)
    bits = (bits + "0000")[: room * 8]
    bits += "0" * (-len(bits) % 8)
    words = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    words += (b"\xec\x11" * room)[: room - len(words)]
    blocks, at = [], 0
    for count, length in groups:
        for _ in range(count):
            blocks.append(words[at : at + length])
            at += length
    checks = [_check_bytes(block, check) for block in blocks]
    longest = max(len(block) for block in blocks)
    mixed = [block[at] for at in range(longest) for block in blocks if at < len(block)]
    return bytes(mixed + [one[at] for at in range(check) for one in checks])


@cache
def _field() -> tuple[list[int], list[int]]:
    """Powers and logarithms of GF(256) with the polynomial 0x11D."""
    powers, logs, value = [0] * 512, [0] * 256, 1
    for exponent in range(255):
        powers[exponent] = powers[exponent + 255] = value
        logs[value] = exponent
        value = (value << 1) ^ (0x11D if value & 0x80 else 0)
    return powers, logs


def _check_bytes(block: bytes, count: int) -> list[int]:
    powers, logs = _field()
    generator = [1]
    for root in range(count):
        longer = [*generator, 0]
        for at, factor in enumerate(generator):
            if factor:
                longer[at + 1] ^= powers[logs[factor] + root]
        generator = longer
    rest = [*block, *[0] * count]
    for at in range(len(block)):
        lead = rest[at]
        if lead:
            for shift, factor in enumerate(generator):
                if factor:
                    rest[at + shift] ^= powers[logs[factor] + logs[lead]]
    return rest[len(block) :]


def _frame(version: int) -> list[list[bool | None]]:
    """Everything but data: finders, timing, alignment, room for the format, the version; None is free."""
    size = 17 + 4 * version
    rows: list[list[bool | None]] = [[None] * size for _ in range(size)]
    for top, left in ((0, 0), (0, size - 7), (size - 7, 0)):
        for y in range(max(top - 1, 0), min(top + 8, size)):
            for x in range(max(left - 1, 0), min(left + 8, size)):
                ring = max(abs(y - top - 3), abs(x - left - 3))
                rows[y][x] = ring not in (2, 4)
    for at in range(8, size - 8):
        rows[6][at] = rows[at][6] = at % 2 == 0
    for y in ALIGNMENT[version - 1]:
        for x in ALIGNMENT[version - 1]:
            if rows[y][x] is None or (6 in (y, x) and 8 < max(y, x) < size - 9):
                for dy in range(-2, 3):
                    for dx in range(-2, 3):
                        rows[y + dy][x + dx] = max(abs(dy), abs(dx)) != 1
    for y, x in _format_places(size):
        rows[y][x] = False
    rows[size - 8][8] = True
    if version >= 7:
        code = version << 12 | _remainder(version << 12, 0x1F25)
        for at in range(18):
            dark = bool(code >> at & 1)
            rows[at // 3][size - 11 + at % 3] = rows[size - 11 + at % 3][at // 3] = dark
    return rows


def _remainder(value: int, polynomial: int) -> int:
    while value.bit_length() >= polynomial.bit_length():
        value ^= polynomial << value.bit_length() - polynomial.bit_length()
    return value


def _format_places(size: int) -> list[tuple[int, int]]:
    """Where the 15 bits of the format go, twice, the highest bit first."""
    first = [(8, 0), (8, 1), (8, 2), (8, 3), (8, 4), (8, 5), (8, 7), (8, 8), (7, 8)]
    first += [(y, 8) for y in range(5, -1, -1)]
    second = [(size - 1 - at, 8) for at in range(7)] + [(8, size - 8 + at) for at in range(8)]
    return first + second


def _place(rows: list[list[bool | None]], words: bytes) -> None:
    """Fill the free modules, in pairs of columns from the right, upwards and downwards in turn."""
    bits = iter("".join(f"{word:08b}" for word in words))
    size = len(rows)
    upwards = True
    for right in range(size - 1, 0, -2):
        x = right if right > 6 else right - 1
        for y in range(size - 1, -1, -1) if upwards else range(size):
            for column in (x, x - 1):
                if rows[y][column] is None:
                    rows[y][column] = next(bits, "0") == "1"
        upwards = not upwards


def _masked(rows: list[list[bool | None]], free: list[list[bool]], mask: int) -> list[list[bool]]:
    test = MASKS[mask]
    done = [[bool(dark) ^ (free[y][x] and test(y, x)) for x, dark in enumerate(row)] for y, row in enumerate(rows)]
    code = (mask << 10 | _remainder(mask << 10, 0x537)) ^ 0x5412  # the two bits of level M are 00
    for at, (y, x) in enumerate(_format_places(len(rows))):
        done[y][x] = bool(code >> 14 - at % 15 & 1)
    return done


def _penalty(rows: list[list[bool]]) -> int:
    """How hard a code is to read: long runs, blocks of one colour, look-alikes of finders, too dark or too light."""
    size = len(rows)
    score = 0
    for line in [*rows, *(list(column) for column in zip(*rows, strict=True))]:
        text = "".join("1" if dark else "0" for dark in line)
        for run in text.replace("01", "0 1").replace("10", "1 0").split():
            score += len(run) - 2 if len(run) >= 5 else 0
        score += 40 * (text.count("10111010000") + text.count("00001011101"))
    for y in range(size - 1):
        for x in range(size - 1):
            score += 3 * (rows[y][x] == rows[y][x + 1] == rows[y + 1][x] == rows[y + 1][x + 1])
    dark = sum(sum(row) for row in rows)
    return score + 10 * (abs(dark * 20 - size * size * 10) // (size * size))
