"""The schema of the site file; the reference in the docs is made from it."""

from __future__ import annotations

from typing import Any

import voluptuous as vol

from meterhub.config.base import Type, words_of
from meterhub.config.days import day
from meterhub.config.moments import local_time
from meterhub.config.schema import ListOf
from meterhub.config.types import (
    address,
    amount,
    boolean,
    choice,
    cron,
    file_path,
    host_port,
    identifier,
    key,
    mapping,
    network,
    place,
    seconds,
    text,
    time_zone,
    url,
    whole,
)

MAX_EVERY_S = 366 * 86_400


def _currency(value: Any) -> str:
    words = words_of(value)
    if len(words) != 3 or not (words.isascii() and words.isalpha() and words.isupper()):
        raise ValueError
    return words


def _action(value: Any) -> str:
    words = words_of(value)
    if not all(part and part.replace("_", "").isalnum() for part in words.split(".")) or len(words) > 100:
        raise ValueError
    return words


ACTION_NAME = Type("action", "the name of an action, such as meter.read,", _action)

HUB = {
    vol.Optional("name", default="MeterHub", description="what pages and receipts call this installation"): text(100),
    vol.Optional(
        "time_zone", default="Asia/Shanghai", description="zone of schedules and of every time that is shown"
    ): time_zone(),
    vol.Optional("language", default="zh-CN", description="language of pages until a person chooses one"): choice(
        "zh-CN", "en", "ja"
    ),
    vol.Optional("currency", default="CNY", description="ISO 4217 code of all amounts"): Type(
        "currency", "a currency code such as CNY", _currency
    ),
    vol.Optional("data", default="./data", description="folder of the database, made if missing"): file_path(),
    vol.Optional("operator", default="main", description="who runs the sites and receives the money"): identifier(),
}

WEB = {
    vol.Optional("listen", default="127.0.0.1:8645", description="where pages and the API are served"): host_port(),
    vol.Optional(
        "public_url", default="", description="where tenants and payment companies reach it from outside"
    ): url(empty=True),
    vol.Optional(
        "https", default="auto", description="auto marks cookies secure when the request came by HTTPS"
    ): choice("auto", "always"),
    vol.Optional("trusted_proxies", default=list, description="proxies whose X-Forwarded headers are believed"): ListOf(
        network(), maximum=100
    ),
}

LINE = {
    vol.Required("id", description="id of the wire, unique among all devices"): identifier(),
    vol.Optional("name", default="", description="what people call it"): text(100, empty=True),
    vol.Optional("baud", default=2400, description="bits per second on the wire"): whole(50, 4_000_000),
    vol.Optional("data_bits", default=8, description="data bits per byte"): whole(5, 8),
    vol.Optional("parity", default="even", description="parity bit"): choice("even", "odd", "none", "mark", "space"),
    vol.Optional("stop_bits", default=1, description="stop bits per byte"): whole(1, 2),
    vol.Optional("gap", default="0s", description="quiet time before each request"): seconds(0, 60),
    vol.Optional("meter_gap", default="0s", description="quiet time before each request to the same meter"): seconds(
        0, 3600
    ),
    vol.Optional("timeout", default="1s", description="how long a meter may take to begin its answer"): seconds(
        0.01, 600
    ),
    vol.Optional("tries", default=3, description="how often a request is sent at most"): whole(1, 20),
    vol.Optional(
        "quiet", default="100ms", description="after a time-out the wire is silent when no byte came so long"
    ): seconds(0.001, 60),
    vol.Optional(
        "envelope",
        default=list,
        description="what wraps each frame, from the inside out: kinds, or mappings with type and its keys",
    ): vol.Any(key(), mapping(), ListOf(vol.Any(key(), mapping()), maximum=8)),
    vol.Optional("channel", default="", description="which of its channels, when the collector has several"): text(
        64, empty=True
    ),
}

LINK = {
    vol.Required("id", description="id of the link, unique among all devices"): identifier(),
    vol.Required("type", description="kind of link, from a plugin; further keys are those of the kind"): key(),
    vol.Optional("name", default="", description="what people call it"): text(100, empty=True),
    vol.Optional("disabled", default=False, description="leave it out for now"): boolean(),
    vol.Optional("lines", default=list, description="its wires, when it has no collectors"): ListOf(LINE),
}

COLLECTOR = {
    vol.Required("id", description="id of the collector, unique among all devices"): identifier(),
    vol.Required(
        "link", description="id of the link it is reached by; further keys are those of its kind"
    ): identifier(),
    vol.Optional("name", default="", description="what people call it"): text(100, empty=True),
    vol.Optional("place", default="", description="where it hangs, such as Block A / 1"): place(),
    vol.Optional("site", default="", description="id of its site; the first one when left out"): text(64, empty=True),
    vol.Optional("disabled", default=False, description="leave it out for now"): boolean(),
    vol.Optional("lines", default=list, description="its wires"): ListOf(LINE),
}

METER = {
    vol.Required("id", description="id of the meter, unique among all devices"): identifier(),
    vol.Required("line", description="id of the wire it hangs on"): identifier(),
    vol.Required("profile", description="its model"): identifier(),
    vol.Required("address", description="its address on the wire, digits as they are printed on it"): address(),
    vol.Optional("place", default="", description="where it hangs, such as Block A / 1 / 101"): place(),
    vol.Optional("name", default="", description="what people call it"): text(100, empty=True),
    vol.Optional("site", default="", description="id of its site; the first one when left out"): text(64, empty=True),
    vol.Optional("options", description="options of its protocol, over those of the profile"): mapping(),
    vol.Optional("disabled", default=False, description="leave it out for now"): boolean(),
}

TARGET = {
    vol.Optional("all", description="all devices of a kind"): choice("meters", "collectors"),
    vol.Optional("meters", description="ids of meters"): ListOf(identifier(), minimum=1),
    vol.Optional("collector", description="meters behind this collector"): identifier(),
    vol.Optional("line", description="meters on this wire"): identifier(),
    vol.Optional("profile", description="meters of this model"): identifier(),
    vol.Optional("place", description="meters at this place and below"): place(),
    vol.Optional("site", description="meters of this site"): identifier(),
}

PAYMENT = {
    vol.Required("id", description="id of the merchant account; it stands in the address of its notices"): identifier(),
    vol.Required("type", description="payment company, from a plugin; further keys are those of the company"): key(),
    vol.Optional("name", default="", description="what people call it"): text(100, empty=True),
    vol.Optional("site", default="", description="takes money for this site alone; for all when left out"): text(
        64, empty=True
    ),
    vol.Optional("disabled", default=False, description="leave it out for now"): boolean(),
}

MONEY = {
    vol.Optional("order_time", default="15m", description="how long an order can be paid"): seconds(60, 86_400),
    vol.Optional("least", default="1.00", description="the least that one order may be"): amount(),
    vol.Optional("most", default="5000.00", description="the most that one order may be"): amount(),
    vol.Optional("tiles", default=list, description="amounts that the tenant's page offers"): ListOf(
        amount(), maximum=12
    ),
    vol.Optional(
        "late", default="person", description="what becomes of money that comes after an order's time"
    ): choice("person", "apply", "refund"),
    vol.Optional("no_cut_from", default=20, description="hour from which nobody is cut off"): whole(0, 24),
    vol.Optional("no_cut_to", default=8, description="hour from which one may be cut off again"): whole(0, 24),
    vol.Optional(
        "no_cut_days", default=list, description="days on which nobody is cut off: 2026-10-01, 10-01 each year, sat"
    ): ListOf(day(), maximum=400),
    vol.Optional(
        "two_people_over", default="0.00", description="over this amount a second person approves; 0.00 for never"
    ): amount(),
    vol.Optional("most_cuts", default=20, description="how many may be cut off within an hour"): whole(0, 100_000),
    vol.Optional(
        "fresh", default="2h", description="nobody is cut off whose meter answered longer ago than this"
    ): seconds(60, 604_800),
}

SCHEDULE = {
    vol.Required("id", description="id of the schedule"): identifier(),
    vol.Optional("name", default="", description="what people call it"): text(100, empty=True),
    vol.Optional("cron", description="minute, hour, day, month, weekday, in the zone of the hub"): cron(),
    vol.Optional("every", description="interval, instead of cron"): seconds(1, MAX_EVERY_S, whole=True),
    vol.Optional("at", description="once, at this time of the hub's zone, instead of cron"): local_time(),
    vol.Optional("action", default="meter.read", description="what is done"): ACTION_NAME,
    vol.Optional("target", description="on what: all that is told must hold; all meters when left out"): TARGET,
    vol.Optional("params", description="parameters of the action"): mapping(),
    vol.Optional("catch_up", default="once", description="after a stop, do what was missed"): choice("once", "none"),
    vol.Optional("enabled", default=True, description="false keeps it but lets it rest"): boolean(),
}

SITE_ENTRY = {
    vol.Required("id", description="id of the site"): identifier(),
    vol.Optional("name", default="", description="what people call it"): text(100, empty=True),
    vol.Optional("time_zone", description="its zone, when it is not that of the hub"): time_zone(),
}

SECTIONS: dict[str, dict[Any, Any]] = {
    "hub": HUB,
    "web": WEB,
    "plugins": {},
    "sites": SITE_ENTRY,
    "links": LINK,
    "collectors": COLLECTOR,
    "meters": METER,
    "payments": PAYMENT,
    "money": MONEY,
    "schedules": SCHEDULE,
    "automations": {},
}
"""The top-level keys of the site file in their order, with the schema of the section or of its entries."""
