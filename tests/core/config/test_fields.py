"""Forms, docs and API are derived from the schema that checks."""

from __future__ import annotations

import pytest
import voluptuous as vol

from meterhub.config.fields import describe, fields_of
from meterhub.config.schema import ListOf
from meterhub.config.site_schema import SECTIONS
from meterhub.config.types import choice, host_port, seconds, secret, whole

SCHEMA = {
    vol.Required("listen", description="where collectors | dial in"): host_port(),
    vol.Optional("tries", default=3): whole(1, 9, unit="times"),
    vol.Optional("key"): secret(),
    vol.Optional("mode", default="a"): choice("a", "b"),
    "heartbeat": {vol.Optional("every", default="60s"): seconds(1, 3600)},
    "lines": ListOf({vol.Required("id"): str}, maximum=4),
    "plain": vol.All(int, vol.Range(min=0, max=7)),
    "either": vol.Any("x", "y"),
    "names": [str],
}


def test_a_field_knows_all_that_a_form_needs():
    listen, tries, key, mode, heartbeat, lines, plain, either, names = fields_of(SCHEMA)
    assert (listen.type, listen.required, listen.label) == ("host_port", True, "Listen")
    assert (tries.type, tries.default, tries.minimum, tries.maximum, tries.unit) == ("whole", 3, 1, 9, "times")
    assert key.secret and mode.choices == ("a", "b") and mode.default == "a"
    assert heartbeat.type == "group" and heartbeat.fields[0].default == "60s"
    assert (lines.type, lines.maximum, lines.fields[0].name) == ("list", 4, "id")
    assert (plain.type, plain.minimum, plain.maximum) == ("whole", 0, 7)
    assert (either.type, either.choices) == ("choice", ("x", "y"))
    assert (names.type, names.item) == ("list", "text")


def test_the_table_for_the_docs_tells_inner_keys_too():
    rows = describe(SCHEMA).splitlines()
    assert rows[0] == "| key | value | default | meaning |"
    assert rows[2] == "| `listen` | host port | **required** | where collectors \\| dial in |"
    assert "| `heartbeat.every` | duration 1…3600 s | `60s` |  |" in rows
    assert "| `lines[].id` | text | **required** |  |" in rows


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_of_the_site_file_is_explained(section):
    def unexplained(fields):
        for field in fields:
            if not field.help:
                yield field.name
            yield from unexplained(field.fields)

    assert list(unexplained(fields_of(SECTIONS[section]))) == []
