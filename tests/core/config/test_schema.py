"""A deployer's mistakes are answered with the place and the right word, all at once."""

from __future__ import annotations

from decimal import Decimal

import pytest
import voluptuous as vol

from meterhub.config.loader import load
from meterhub.config.nodes import Secret
from meterhub.config.schema import Checker, ListOf, check
from meterhub.config.types import choice, file_path, seconds, text, whole
from meterhub.errors import ConfigError, ConfigErrors, Misuse

SCHEMA = {vol.Required("listen"): str, vol.Optional("tries", default=3): int}


def test_defaults_are_filled_in():
    assert check({"listen": "x"}, SCHEMA) == {"listen": "x", "tries": 3}


def test_nothing_at_all_is_an_empty_mapping():
    assert check(None, {vol.Optional("tries", default=3): int}) == {"tries": 3}


def test_a_misspelt_key_is_answered_with_the_right_word():
    with pytest.raises(ConfigError) as caught:
        check({"listen": "x", "trys": 4}, SCHEMA, where="site.yaml:7")
    assert str(caught.value) == "site.yaml:7: there is no key trys (did you mean tries?)"


def test_a_key_that_resembles_nothing_is_answered_with_those_there_are():
    with pytest.raises(ConfigError) as caught:
        check({"listen": "x", "zzz": 4}, SCHEMA, where="site.yaml:7", path="plugins.gprs")
    assert str(caught.value) == "site.yaml:7: there is no key plugins.gprs.zzz (known keys: listen, tries)"


def test_all_mistakes_come_at_once():
    with pytest.raises(ConfigErrors) as caught:
        check({"trys": 4, "tries": "many"}, SCHEMA, where="site.yaml:7")
    assert [str(error) for error in caught.value.errors] == [
        "site.yaml:7: there is no key trys (did you mean tries?)",
        "site.yaml:7: tries is 'many'; a whole number is needed",
        "site.yaml:7: the key listen is missing",
    ]


def test_something_else_than_a_mapping_is_said_plainly():
    with pytest.raises(ConfigError, match="a mapping is expected here, not 'listen'"):
        check("listen", SCHEMA, where="site.yaml:7")


def test_inner_mistakes_are_told_at_their_own_line(write):
    schema = {
        "heartbeat": {vol.Optional("every"): seconds(1), vol.Required("packet"): text()},
        "lines": [{vol.Required("id"): text(), vol.Optional("parity"): choice("even", "odd")}],
    }
    node = load(
        write("heartbeat:\n  evry: 60s\nlines:\n  - id: a\n    parity: evn\n  - id: b\n    party: odd\n  - x\n")
    )
    with pytest.raises(ConfigErrors) as caught:
        check(node, schema, path="links[field]")
    assert sorted(str(error) for error in caught.value.errors) == [
        "site.yaml:2: the key links[field].heartbeat.packet is missing",
        "site.yaml:2: there is no key links[field].heartbeat.evry (did you mean every?)",
        "site.yaml:5: links[field].lines[a].parity is 'evn'; one of even, odd is needed (did you mean even?)",
        "site.yaml:7: there is no key links[field].lines[b].party (did you mean parity?)",
        "site.yaml:8: links[field].lines[#3] is 'x'; a mapping is needed",
    ]


def test_plain_python_types_read_the_text_of_the_file(write):
    node = load(write("a: 5\nb: no\nc: 0.10\nd: 000000012345\ne: [1, 2]\nf: 4\n"))
    schema = {"a": int, "b": bool, "c": Decimal, "d": str, "e": [int], "f": vol.All(int, vol.Range(max=9))}
    expected = {"a": 5, "b": False, "c": Decimal("0.10"), "d": "000000012345", "e": [1, 2], "f": 4}
    assert check(node, schema) == expected


def test_a_schema_with_float_is_the_authors_mistake():
    with pytest.raises(Misuse, match="use decimal"):
        check({}, {"a": float})


def test_a_list_has_limits_and_may_be_left_empty():
    pair = Checker({vol.Optional("of", default=list): ListOf(whole(), maximum=2)})
    assert pair.check({"of": None}) == {"of": []}
    with pytest.raises(ConfigError, match="of is a list; a list of at least 0 and at most 2 items is needed"):
        pair.check({"of": ["1", "2", "3"]})


def test_a_path_starts_from_the_folder_of_the_site_file(write, tmp_path):
    write("log: logs/x\n", "inner/part.yaml")
    node = load(write("part: !include inner/part.yaml\nlog: y\n"))
    checked = check(node, {"part": {"log": file_path()}, "log": file_path()})
    assert checked == {"part": {"log": tmp_path / "logs/x"}, "log": tmp_path / "y"}


def test_a_wrong_secret_is_not_told():
    with pytest.raises(ConfigError) as caught:
        check({"tries": Secret("hunter2"), "listen": "x"}, SCHEMA)
    assert str(caught.value) == "tries is a secret; a whole number is needed"


def test_a_plain_function_may_check_too():
    def even(value):
        if int(value) % 2:
            raise vol.Invalid("an even number is expected")
        return int(value)

    assert check({"a": "4"}, {"a": even}) == {"a": 4}
    with pytest.raises(ConfigError, match="a: an even number is expected"):
        check({"a": "5"}, {"a": even})
    with pytest.raises(ConfigError, match="a: not a valid value"):
        check({"a": "x"}, {"a": even})


def test_hostile_keys_and_values_are_shown_harmless():
    with pytest.raises(ConfigErrors) as caught:
        check({"\x1b[31m": "1", "tries": "\x1b]0;x\x07" + "y" * 500, "listen": ""}, SCHEMA)
    said = str(caught.value)
    assert "\x1b" not in said and "\\x1b[31m" in said and len(said) < 400
