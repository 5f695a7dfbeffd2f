"""The types of configuration values. Each turns the text of the file into a value, and can describe itself.

Use them in plain voluptuous mappings::

    {vol.Required("listen", description="where to listen"): host_port(), vol.Optional("tries", default=3): whole(1, 9)}

They also take values that are typed already, as in the body of an API call. Text in quotes is taken like plain text.
Every failure says what is needed; the schema adds the key, the value got, file and line.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from meterhub.config.base import FOLDER, Type, Wrong, limits_text, near_miss, within, words_of
from meterhub.config.durations import duration_text, parse_duration
from meterhub.config.nodes import Secret

LANGUAGES = ("en", "zh", "ja")
RESERVED_IDS = frozenset(("export", "import"))
MAX_TEXT = 1000

_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_KEY = re.compile(r"[a-z0-9_]{1,64}")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_AMOUNT = re.compile(r"(\d{1,9})(?:\.(\d{1,2}))?", re.ASCII)
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~/-]*)?")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")
_CRON = re.compile(r"[0-9A-Za-z*,/#-]+")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Those that turn the direction of writing are among them: with them a name reads as another one."""
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class HostPort(NamedTuple):
    """A network address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def text(maximum: int = MAX_TEXT, *, empty: bool = False) -> Type:
    """Text of at most ``maximum`` characters, without control characters other than tab and line break."""

    def convert(value: Any) -> str:
        words = words_of(value)
        if not words.isprintable() and _CONTROL.search(words):
            raise Wrong("text without control characters is needed")
        if len(words) > maximum or not (words or empty):
            raise ValueError
        return words

    return Type("text", f"text of at most {maximum} characters", convert, maximum=maximum)


def secret() -> Type:
    """Text that is never shown; best given as ``!secret name``. Gives a ``Secret``."""

    def convert(value: Any) -> Secret:
        if not words_of(value):
            raise ValueError
        return Secret(value[:])

    return Type("secret", "a secret, such as !secret name,", convert, secret=True)


def whole(minimum: int | None = None, maximum: int | None = None, unit: str = "") -> Type:
    """A whole number (``int``) within the limits; decimal digits only."""

    def convert(value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return within(value, minimum, maximum)  # type: ignore[no-any-return]
        if not _WHOLE.fullmatch(value):
            raise ValueError
        return within(int(value), minimum, maximum)  # type: ignore[no-any-return]

    needed = "a whole number" + limits_text(minimum, maximum, unit)
    return Type("whole", needed, convert, minimum=minimum, maximum=maximum, unit=unit)


def decimal(minimum: Decimal | int | None = None, maximum: Decimal | int | None = None, unit: str = "") -> Type:
    """An exact decimal number (``Decimal``) within the limits, written without exponent."""

    def convert(value: Any) -> Decimal:
        words = str(value) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value
        if not _DECIMAL.fullmatch(words):
            raise ValueError
        return within(Decimal(words), minimum, maximum)  # type: ignore[no-any-return]

    needed = "a number such as 12.5" + limits_text(minimum, maximum, unit)
    return Type("decimal", needed, convert, minimum=minimum, maximum=maximum, unit=unit)


def boolean() -> Type:
    """One of true, yes, on, false, no, off, in any case."""

    def convert(value: Any) -> bool:
        if isinstance(value, bool):
            return value
        if (found := _BOOLEANS.get(words_of(value).lower())) is None:
            raise ValueError
        return found

    return Type("boolean", "one of true, false, yes, no, on, off", convert, choices=("true", "false"))


def seconds(minimum: float | None = None, maximum: float | None = None, *, whole: bool = False) -> Type:
    """A duration such as ``200ms``, ``60s``, ``5m``, ``1h30m`` or ``2d``, in seconds (``float``, or ``int``)."""

    def convert(value: Any) -> float:
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        found = Decimal(str(value)) if plain else parse_duration(value)
        if not found.is_finite() or (whole and found != int(found)):
            raise ValueError
        return within(int(found) if whole else float(found), minimum, maximum)  # type: ignore[no-any-return]

    low, high = (None if limit is None else duration_text(limit) for limit in (minimum, maximum))
    needed = "a duration with a unit, such as 60s, 5m or 1h30m," if low is None and high is None else "a duration"
    needed += limits_text(low, high)
    return Type("duration", needed, convert, minimum=minimum, maximum=maximum, unit="s")


def choice(*choices: str) -> Type:
    """One of the given words; a near miss is named."""

    def convert(value: Any) -> str:
        if isinstance(value, str) and value in choices:
            return value
        raise Wrong(f"one of {', '.join(choices)} is needed", near_miss(value, choices))

    return Type("choice", f"one of {', '.join(choices)}", convert, choices=choices)


def identifier() -> Type:
    """An id: small letters, digits and dashes, not beginning with a dash, at most 64; not ``export`` or ``import``."""

    def convert(value: Any) -> str:
        if not _IDENTIFIER.fullmatch(value):
            raise ValueError
        if value in RESERVED_IDS:
            raise Wrong("this word is reserved; another id is needed")
        return value  # type: ignore[no-any-return]

    return Type("identifier", "an id of small letters, digits and dashes, such as a-101,", convert)


def key() -> Type:
    """A name of small letters, digits and underscores, such as ``lora_wifi``."""

    def convert(value: Any) -> str:
        if not _KEY.fullmatch(value):
            raise ValueError
        return value  # type: ignore[no-any-return]

    return Type("key", "a name of small letters, digits and underscores", convert)


def address() -> Type:
    """A meter's address as it stands in the file, leading zeros kept; its protocol checks it further."""

    def convert(value: Any) -> str:
        words = words_of(value)
        if not 0 < len(words) <= 64 or not words.isprintable() or " " in words:
            raise ValueError
        return words

    return Type("address", "an address of at most 64 characters without spaces", convert)


def host_port() -> Type:
    """``127.0.0.1:8645``, ``[::1]:8645`` or ``localhost:8645`` as a ``HostPort``; port 0 takes any free one."""

    def convert(value: Any) -> HostPort:
        host, _, port = words_of(value).rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = str(ipaddress.IPv6Address(host[1:-1]))
        elif not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", host):
            raise ValueError
        if not re.fullmatch(r"[0-9]{1,5}", port):
            raise ValueError
        return HostPort(host, within(int(port), 0, 65535))

    return Type("host_port", "an address with a port, such as 127.0.0.1:8645,", convert)


def network() -> Type:
    """An IP address or network such as ``10.0.0.0/8``."""
    needed = "an IP address or network such as 10.0.0.0/8"
    return Type("network", needed, lambda value: ipaddress.ip_network(words_of(value)))


def time_zone() -> Type:
    """A time zone of the IANA data such as ``Asia/Shanghai``, as a ``ZoneInfo``."""

    def convert(value: Any) -> ZoneInfo:
        if isinstance(value, ZoneInfo):
            return value
        try:
            return ZoneInfo(words_of(value))
        except (KeyError, ValueError, OSError):
            hint = near_miss(value, available_timezones())
            raise Wrong("a time zone such as Asia/Shanghai is needed", hint) from None

    return Type("time_zone", "a time zone such as Asia/Shanghai", convert)


def cron() -> Type:
    """A cron rule of five fields: minute, hour, day of month, month, day of week."""
    needed = 'a cron rule of five fields, such as "*/15 * * * *",'

    def convert(value: Any) -> str:
        fields = words_of(value).split()
        if len(fields) != 5 or not all(_CRON.fullmatch(one) and one.lower() != "r" for one in fields):
            raise ValueError
        _check_cron(" ".join(fields), needed)
        return " ".join(fields)

    return Type("cron", needed, convert)


def _check_cron(rule: str, needed: str) -> None:
    from croniter import croniter  # 40 ms to import: only configurations with a cron rule pay it
    from croniter.croniter import CroniterBadDateError, CroniterError

    try:
        croniter(rule, 0).get_next()
    except CroniterBadDateError:
        raise Wrong("a cron rule that does occur is needed") from None
    except CroniterError as error:
        raise Wrong(f"{needed} is needed", str(error)[:200]) from None


def file_path() -> Type:
    """A path; a relative one starts from the folder of the site file. The file need not exist."""

    def convert(value: Any) -> Path:
        words = str(value) if isinstance(value, Path) else words_of(value)
        if not words or not words.isprintable() or len(words) > 4096:
            raise ValueError
        return FOLDER.get() / words

    return Type("path", "a path", convert)


def packet(maximum: int = 256) -> Type:
    """Bytes on a link: ASCII text as it stands, or ``hex:AA55``."""

    def convert(value: Any) -> bytes:
        if isinstance(value, bytes):
            return value
        words = words_of(value)
        data = bytes.fromhex(words[4:]) if words.startswith("hex:") else words.encode("ascii")
        if not 0 < len(data) <= maximum:
            raise ValueError
        return data

    return Type("packet", f"ASCII text or hex:AA55 of 1 to {maximum} bytes", convert, maximum=maximum)


def packet_text(data: bytes) -> str:
    """Bytes as text where they are readable, else as ``hex:…``; either can be given back to ``packet()``."""
    words = data.decode("ascii", "replace")
    return words if words.isprintable() and data.isascii() and not words.startswith("hex:") else f"hex:{data.hex()}"


def localized() -> Type:
    """Text by language, ``{en: …, zh: …, ja: …}``, or plain text, which stands for all of them (as ``{"en": …}``)."""
    one = text()

    def convert(value: Any) -> Mapping[str, str]:
        if isinstance(value, str):
            return {"en": one(value)}
        if not isinstance(value, Mapping) or not value:
            raise ValueError
        if strange := [language for language in value if language not in LANGUAGES]:
            raise Wrong(f"text by language, en, zh or ja, is needed, not {strange[0]}")
        return {language: one(words) for language, words in value.items()}

    return Type("localized", "text, or text by language such as {en: …, zh: …},", convert)


def place() -> Type:
    """A path in the place tree such as ``Block A / 1 / 101``, as a tuple of names; '' is the site itself."""

    def convert(value: Any) -> tuple[str, ...]:
        *above, last = [name.strip() for name in words_of(value).split("/")]
        names = (*map(sys.intern, above), last)  # a building's name is kept once for all its meters
        if len(value) > 200 or not value.isprintable() or len(names) > 8:
            raise ValueError
        if not all(names):
            if value.strip():
                raise ValueError
            return ()
        return names

    return Type("place", "a place such as Block A / 1 / 101, of at most 8 levels,", convert)


def mapping() -> Type:
    """A mapping that is kept as it stands, for a schema that is known only later; empty gives an empty one."""

    def convert(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError
        return value

    return Type("mapping", "a mapping of keys and values", convert)


def amount() -> Type:
    """An amount of money in yuan, as whole fen."""

    def convert(value: Any) -> int:
        found = _AMOUNT.fullmatch(words_of(value))
        if found is None:
            raise ValueError
        return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))

    return Type("amount", "an amount of money such as 50 or 50.00", convert)


def url(*, empty: bool = False) -> Type:
    """An address that begins with http:// or https://, without query and without a slash at its end."""

    def convert(value: Any) -> str:
        words = words_of(value).rstrip("/")
        if not (words == "" and empty) and not _URL.fullmatch(words):
            raise ValueError
        return words

    return Type("url", "an address such as https://pay.example.org", convert)
