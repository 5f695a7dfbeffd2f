"""Forms of actions: what people see beside each field."""

from __future__ import annotations

import voluptuous as vol

from meterhub.estate.meter_commands import COMMANDS
from meterhub.web.forms import PARAMETERS


def test_every_parameter_of_the_cores_own_commands_has_a_label():
    names = {str(key.schema if isinstance(key, vol.Marker) else key) for one in COMMANDS for key in one.schema}
    assert names - set(PARAMETERS) == set()
