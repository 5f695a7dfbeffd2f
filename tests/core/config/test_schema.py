"""A deployer's mistakes are answered with the place and the right word, all at once."""

import pytest
import voluptuous as vol

from meterhub.config.schema import check
from meterhub.errors import ConfigError, ConfigErrors

SCHEMA = {vol.Required("listen"): str, vol.Optional("tries", default=3): int}


def test_defaults_are_filled_in() -> None:
    assert check({"listen": "x"}, SCHEMA) == {"listen": "x", "tries": 3}


def test_a_misspelt_key_is_answered_with_the_right_word() -> None:
    with pytest.raises(ConfigError) as caught:
        check({"listen": "x", "trys": 4}, SCHEMA, where="site.yaml:7")
    assert str(caught.value) == "site.yaml:7: there is no key trys (did you mean tries?)"


def test_all_mistakes_come_at_once() -> None:
    with pytest.raises(ConfigErrors) as caught:
        check({"trys": 4, "tries": "many"}, SCHEMA, where="site.yaml:7")
    assert len(caught.value.errors) == 3


def test_something_else_than_a_mapping_is_said_plainly() -> None:
    with pytest.raises(ConfigError, match="a mapping is expected"):
        check("listen", SCHEMA, where="site.yaml:7")
