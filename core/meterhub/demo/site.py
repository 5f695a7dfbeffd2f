"""The demo estate: four collectors that dial in over TCP, with simulated meters behind them on 2400-baud lines.

Three carry a block's electricity meters each, the fourth the water meters of all blocks on one two-wire bus.

It is an ordinary site file, written into the data folder so that a newcomer can read it, change it and run it with
``meterhub run`` and ``meterhub simulate``.
"""

from __future__ import annotations

from pathlib import Path

from meterhub.config.entries import Site

BLOCKS = "ABC"
ROOMS_PER_FLOOR = 5
WATER_SHARE = 6
"""One meter of so many counts water."""
WATER_PROFILES = ("cjt188-water-prepaid", "mbus-water-valve", "cjt188-water-2018", "mbus-water", "mbus-heat")
"""Both dialects that two-wire buses carry, and a heat meter among them."""
PREPAID_PROFILE = "kede-2007-prepaid"
SITE_FILE = "site.yaml"

HEAD = """\
# The demo estate. Copy it, change it, and run it with:
#   meterhub run -c site.yaml        in one terminal
#   meterhub simulate -c site.yaml   in another
hub: {{name: Sunrise Court, time_zone: Asia/Shanghai, language: {language}, currency: CNY, data: .}}
web: {{listen: "127.0.0.1:{port}", public_url: "http://127.0.0.1:{port}"}}
plugins:
  dlt645:
  gprs:
  mbus:
  alipay:
  wechat:
  sms: {{provider: aliyun, sandbox: "127.0.0.1:{sms_port}", receipts_secret: demo}}
# Payment companies that are played on this machine and move no money.
payments:
  - {{id: alipay, type: alipay, sandbox: "127.0.0.1:{alipay_port}"}}
  - {{id: wechat, type: wechat, sandbox: "127.0.0.1:{wechat_port}"}}
# At any hour, so that a newcomer sees it: a supply whose credit on the server is used up is cut off.
money: {{no_cut_from: 0, no_cut_to: 0}}
links:
  - {{id: field, type: gprs, listen: "127.0.0.1:{field_port}", heartbeat: {{every: 20s, packet: "HB"}}}}
collectors:
"""

COLLECTOR = """\
  - id: c{number}
    name: Collector block {block}
    link: field
    registration: "DTU{number:05d}"
    place: Block {block}
    lines: [{{id: c{number}-a, baud: 2400, parity: even}}]
"""

WATER_COLLECTOR = """\
  - id: c{number}
    name: Collector water
    link: field
    registration: "DTU{number:05d}"
    lines: [{{id: c{number}-a, baud: 2400, parity: even}}]
"""

METER = (
    '  - {{id: {id}, line: c{number}-a, profile: {profile}, address: "{address:012d}",'
    " place: Block {block} / {floor} / {room}}}\n"
)
WATER_METER = (
    '  - {{id: {id}-{kind}, line: c{number}-a, profile: {profile}, address: "{address}",'
    " place: Block {block} / {floor} / {room}}}\n"
)

TAIL = """\
schedules:
  - {id: sweep, every: 1m, action: meter.read, target: {all: meters}}
"""


def site_text(meters: int, port: int, language: str) -> str:
    """The site file of the demo with ``meters`` meters; the collectors dial in at ``port + 1``.

    Alipay, WeChat Pay and a company for messages are played at the three ports after that.
    """
    water = meters // WATER_SHARE
    names = ("field_port", "alipay_port", "wechat_port", "sms_port")
    text = [HEAD.format(port=port, language=language, **{name: port + at for at, name in enumerate(names, 1)})]
    text += [COLLECTOR.format(number=number, block=block) for number, block in enumerate(BLOCKS, 1)]
    text.append(WATER_COLLECTOR.format(number=len(BLOCKS) + 1))
    text.append("meters:\n")
    text += [_water_meter(count) for count in range(water)]
    text += [_meter(count) for count in range(meters - water)]
    text.append(TAIL)
    return "".join(text)


def _meter(count: int) -> str:
    block, place = count % len(BLOCKS), count // len(BLOCKS)
    return METER.format(
        **_room(count),
        number=block + 1,
        profile=_profile(place),
        address=2_026_000_000_00 + (block + 1) * 100_000 + place + 1,
    )


def _water_meter(count: int) -> str:
    profile = WATER_PROFILES[count % len(WATER_PROFILES)]
    address = 26_000_000 + count + 1 if profile.startswith("mbus") else 20_260_100_000_000 + count + 1
    kind = "heat" if "heat" in profile else "water"
    return WATER_METER.format(**_room(count), number=len(BLOCKS) + 1, profile=profile, address=address, kind=kind)


def _room(count: int) -> dict[str, str | int]:
    """The place of a meter and the beginning of its id: the rooms of all blocks in turn, floor by floor."""
    block = BLOCKS[count % len(BLOCKS)]
    floor, room = divmod(count // len(BLOCKS), ROOMS_PER_FLOOR)
    number = f"{floor + 1}{room + 1:02d}"
    return {"id": f"{block.lower()}-{number}", "block": block, "floor": floor + 1, "room": number}


def _profile(place: int) -> str:
    if place % 10 == 1:
        return PREPAID_PROFILE
    if place % 10 == 4:
        return "dlt645-2007-three-phase"
    if place % 10 == 9:
        return "dlt645-1997-single-phase"
    return "dlt645-2007-single-phase"


def write_site(folder: Path, meters: int, port: int, language: str) -> Path:
    """Write the site file into ``folder`` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / SITE_FILE
    path.write_text(site_text(meters, port, language), encoding="utf-8")
    return path


def silent_meters(site: Site) -> set[str]:
    """One dead meter per estate, so that a newcomer sees what that looks like."""
    return {site.meters[-1].id} if len(site.meters) > 1 else set()
