"""What a deployer writes stays what was written, and each mistake is answered with file and line."""

from __future__ import annotations

import logging

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterhub.config import compose
from meterhub.config.loader import load
from meterhub.config.nodes import Secret
from meterhub.errors import ConfigError, ConfigErrors


@pytest.fixture(params=["C parser", "Python parser"])
def parser(request, monkeypatch):
    """Both parsers must read alike, since not every machine has the C one."""
    if request.param == "Python parser":
        monkeypatch.setattr(compose, "PARSER", yaml.SafeLoader)


def test_scalars_stay_the_text_that_was_written(write, parser):
    content = load(write("a: 000000012345\nb: 12:30:00\nc: no\nd: 1e3\ne:\nf: ''\ng: ~\nh: null\ni: 'null'\nj: 0x1F\n"))
    assert content == {
        "a": "000000012345",
        "b": "12:30:00",
        "c": "no",
        "d": "1e3",
        "e": None,
        "f": "",
        "g": None,
        "h": None,
        "i": "null",
        "j": "0x1F",
    }


def test_every_key_and_item_knows_its_line(write, parser):
    content = load(write("meters:\n  - {id: a,\n     line: b}\n  - id: c\n    line:\n      d\n"))
    meters = content["meters"]
    assert (content.where("meters"), meters.where(), meters.where(0)) == ("site.yaml:1", "site.yaml:2", "site.yaml:2")
    assert (meters[0].where("id"), meters[0].where("line")) == ("site.yaml:2", "site.yaml:3")
    assert (meters[1].where("id"), meters[1].where("line")) == ("site.yaml:4", "site.yaml:5")


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "~\n"])
def test_an_empty_file_is_nothing(write, text):
    assert load(write(text)) is None


def test_a_byte_order_mark_and_windows_line_ends_are_taken(write):
    content = load(write(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n"))
    assert (content, content.where("b")) == ({"a": "1", "b": "2"}, "site.yaml:2")


def test_an_included_file_answers_with_its_own_name_and_line(write, mistakes):
    write("a: 1\nb: 2\na: 3\n", "blocks/meters.yaml")
    assert mistakes("x: 1\nmeters: !include blocks/meters.yaml\n") == [
        "blocks/meters.yaml:3: the key a stands twice in this mapping; the first is in line 1 (delete one of them)"
    ]


def test_an_include_is_relative_to_the_file_that_says_it(write):
    write("more: !include rooms.yaml\n", "blocks/a.yaml")
    write("[101, 102]\n", "blocks/rooms.yaml")
    assert load(write("block: !include blocks/a.yaml\n")) == {"block": {"more": ["101", "102"]}}


def test_an_include_loop_is_named(write, mistakes):
    write("back: !include site.yaml\n", "other.yaml")
    assert mistakes("x: !include other.yaml\n") == [
        "other.yaml:1: site.yaml includes itself (site.yaml -> other.yaml -> site.yaml)"
    ]


def test_a_file_may_be_included_twice(write):
    write("1\n", "one.yaml")
    assert load(write("[!include one.yaml, !include one.yaml]\n")) == ["1", "1"]


def test_secrets_come_from_their_own_file_and_never_show_themselves(write, caplog):
    write("sms_key: hunter2\n", "secrets.yaml")
    secret = load(write("key: !secret sms_key\n"))["key"]
    assert secret == "hunter2" and isinstance(secret, Secret) and secret.encode() == b"hunter2"
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("%s %r %s", secret, [secret], f"{secret:>9}")
    assert "hunter2" not in caplog.text and type(secret.reveal()) is str and secret.reveal() == "hunter2"


def test_a_secret_may_come_from_the_environment(write, monkeypatch):
    monkeypatch.setenv("METERHUB_SECRET_SMS_KEY", "from-env")
    assert load(write("key: !secret sms-key\n"))["key"] == "from-env"


def test_a_missing_secret_names_the_place_the_file_and_the_near_miss(write, mistakes):
    write("sms_key: hunter2\nempty:\n", "secrets.yaml")
    said = mistakes("a: 1\nkey: !secret sms_kye\nother: !secret empty\n")
    assert said[0].startswith("site.yaml:2: there is no secret sms_kye (did you mean sms_key? Else write sms_kye: …")
    assert said[0].endswith("into secrets.yaml beside the site file, or set METERHUB_SECRET_SMS_KYE)")
    assert said[1].startswith("site.yaml:3: the secret empty is empty")
    assert "hunter2" not in "".join(said)


def test_a_broken_secrets_file_does_not_tell_what_is_in_it(write, mistakes):
    write("sms_key: 'hunter2\n", "secrets.yaml")
    said = "\n".join(mistakes("key: !secret sms_key\n"))
    assert "secrets.yaml:" in said and "hunter2" not in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: !include no.yaml\n", "site.yaml:2: there is no file no.yaml"),
        ("a: !include .\n", "site.yaml:1: . is not a file"),
        ("a: !include\n", "site.yaml:1: !include needs the name of a file"),
        ('a: !include "x\\0y"\n', "site.yaml:1: x\\x00y is no name of a file"),
        ("a: !secret 'two words'\n", "site.yaml:1: !secret needs a name"),
        ("a:\n\tb: 1\n", "site.yaml:2: a tab is not allowed as indentation (use spaces)"),
        ("a: [1, 2\nb: 3\n", "site.yaml:2: this is not YAML: "),
        ("a: 1\nb: c: d\n", "site.yaml:2: this is not YAML: "),
        ("a: 1\nb: !python/object:os.system x\n", "site.yaml:2: the tag !python/object:os.system is not known"),
        ("a: !!int 5\n", "site.yaml:1: the tag !!int is not known (there are !include FILE and !secret NAME)"),
        ("a: !include [x]\n", "site.yaml:1: the tag !include is not known"),
        ("a: 1\n? [a, b]\n: 1\n", "site.yaml:2: a key must be a plain word"),
        ("a: 1\n~: 2\n", "site.yaml:2: a key is missing before the colon"),
        ("a: 1\n---\nb: 2\n", "site.yaml:2: a second document begins here (use one file for each)"),
        ("a: 1\nb: *nope\n", "site.yaml:2: there is no anchor &nope above"),
        ("a: &a [*a]\n", "site.yaml:1: there is no anchor &a above"),
        ("a: 1\n<<: 5\n", "site.yaml:2: << takes over a mapping; this is none"),
        ("a: 1\nb: \x01\n", "site.yaml:2: the character U+0001 is not allowed"),
        ("a: " + "[" * 60 + "]" * 60, "site.yaml:1: more than 40 levels of nesting"),
        ("a: 1\nname: 阳光".encode("gbk"), "site.yaml:2: byte D1 is not UTF-8 (save the file as UTF-8)"),
        ("a: 1\n".encode("utf-16"), "site.yaml:1: the file is UTF-16 (save it as UTF-8)"),
        ('"a\x1b[31m": 1\n"a\x1b[31m": 2\n'.replace("\x1b", "\\e"), "the key a\\x1b[31m stands twice"),
    ],
)
def test_mistakes_are_answered_in_words(mistakes, text, says, parser):
    assert says in "\n".join(mistakes(text))


def test_several_mistakes_of_loading_come_together(mistakes):
    said = mistakes("a: !include no.yaml\nb: !secret none\nc: 1\nc: 2\n")
    assert [one.split(": ")[0] for one in said] == ["site.yaml:1", "site.yaml:2", "site.yaml:4"]


def test_anchors_and_merge_keys_save_repetition(write):
    content = load(write("base: &base\n  baud: 2400\n  parity: even\nline:\n  <<: *base\n  parity: odd\ncopy: *base\n"))
    assert content["line"] == {"parity": "odd", "baud": "2400"}
    assert content["copy"] == {"baud": "2400", "parity": "even"}
    assert (content["line"].where("baud"), content["line"].where("parity")) == ("site.yaml:2", "site.yaml:6")


def test_a_file_that_explodes_is_refused(mistakes):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert mistakes("\n".join(lines))[0].startswith("site.yaml:7: the configuration has more than 4,000,000 values")


def test_a_file_that_is_missing_or_too_large_is_refused(write, mistakes, monkeypatch, tmp_path):
    with pytest.raises(ConfigError, match=r"there is no file nowhere\.yaml"):
        load(tmp_path / "nowhere.yaml")
    monkeypatch.setattr("meterhub.config.reading.MAX_BYTES", 10)
    assert "site.yaml is larger than" in mistakes("a: 123456789\n")[0]


PIECES = [
    *"ab-[]{},:|>'#~%?!@\n\t \"",
    ": ",
    "- ",
    "  ",
    "&x ",
    "*x",
    "<<",
    "...",
    "---",
    "!!str ",
    "!include ",
    "!secret ",
]
YAML_PIECES = st.lists(st.sampled_from([*PIECES, "site.yaml"]), max_size=30).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(st.one_of(st.text(), YAML_PIECES, st.binary(max_size=60)))
def test_anything_is_read_or_refused_in_words(write, text):
    content = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    try:
        load(write(content))
    except ConfigErrors as refused:
        assert all(error.message and error.where for error in refused.errors)
