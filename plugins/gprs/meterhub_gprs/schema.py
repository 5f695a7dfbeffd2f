"""What a gprs link and a collector on it say in the site file."""

from __future__ import annotations

import voluptuous as vol

from meterhub.config.types import boolean, choice, host_port, secret, text
from meterhub.field.calls.settings import LISTEN, LISTEN_SCHEMA, REGISTRATION_SCHEMA, latency_schema
from meterhub_gprs.presets import PRESETS

LINK_SCHEMA = {
    vol.Optional("preset", default="transparent", description="What the terminals do when they call."): choice(
        *PRESETS
    ),
    **{key: value for key, value in LISTEN_SCHEMA.items() if key not in ("listen", "transport")},
    vol.Required("listen", description=LISTEN): host_port(),
    vol.Optional("transport", description="How collectors call; not given: as the preset says."): choice("tcp", "udp"),
    **latency_schema("500ms", "5s"),
}
COLLECTOR_SCHEMA = {
    **REGISTRATION_SCHEMA,
    vol.Optional("identity", description="IMEI, ICCID, MAC or phone number, which the preset makes a packet of."): text(
        40
    ),
    vol.Optional("secret", description="What it sends after its registration, best as !secret."): secret(),
    vol.Optional("pairing", default=False, description="Its registration is chosen among the newcomers."): boolean(),
    vol.Optional("parity", default="even", description="Parity of its port, when the hub sets the speed."): choice(
        "even", "odd", "none", "mark", "space"
    ),
}
