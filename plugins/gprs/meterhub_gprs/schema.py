"""What a gprs link and a collector on it say in the site file."""

from __future__ import annotations

import voluptuous as vol

from meterhub.config.types import host_port
from meterhub.field.calls.settings import LISTEN, LISTEN_SCHEMA, REGISTRATION_SCHEMA, latency_schema

LINK_SCHEMA = {
    **{key: value for key, value in LISTEN_SCHEMA.items() if key != "listen"},
    vol.Required("listen", description=LISTEN): host_port(),
    **latency_schema("500ms", "5s"),
}
COLLECTOR_SCHEMA = REGISTRATION_SCHEMA
