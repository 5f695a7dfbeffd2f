"""What a deployer writes stays what was written, and each mistake is answered with file and line."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterhub.config.loader import Secret, load
from meterhub.errors import ConfigError


@pytest.fixture
def write(tmp_path):
    def put(text, name="site.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return put


def mistake(path):
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value)


def test_scalars_stay_the_text_that_was_written(write):
    content = load(write("a: 000000012345\nb: 12:30:00\nc: no\nd: 1e3\ne:\nf: ''\ng: ~\n"))
    assert content == {"a": "000000012345", "b": "12:30:00", "c": "no", "d": "1e3", "e": None, "f": "", "g": None}


def test_every_key_and_item_knows_its_line(write):
    content = load(write("meters:\n  - {id: a,\n     line: b}\n  - {id: c}\n"))
    assert [content["meters"].where(item) for item in (0, 1)] == ["site.yaml:2", "site.yaml:4"]
    assert content["meters"][0].where("line") == "site.yaml:3"


def test_an_included_file_answers_with_its_own_name_and_line(write):
    write("a: 1\nb: 2\na: 3\n", "meters.yaml")
    text = mistake(write("x: 1\nmeters: !include meters.yaml\n"))
    assert text.startswith("meters.yaml:3: the key a stands twice in this mapping; the first is in line 1")


def test_an_include_loop_is_named(write):
    write("back: !include site.yaml\n", "other.yaml")
    assert "other.yaml:1: site.yaml includes itself (site.yaml -> other.yaml -> site.yaml)" in mistake(
        write("x: !include other.yaml\n")
    )


def test_secrets_come_from_their_own_file_and_never_show_themselves(write):
    write("sms_key: hunter2\n", "secrets.yaml")
    secret = load(write("key: !secret sms_key\n"))["key"]
    assert secret == "hunter2" and isinstance(secret, Secret) and "hunter2" not in repr({"key": secret})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: !include no.yaml\n", "site.yaml:1: there is no file no.yaml"),
        ("a: 1\nb: !secret nothing\n", "site.yaml:2: "),
        ("a:\n\tb: 1\n", "site.yaml:2: a tab is not allowed as indentation (use spaces)"),
        ("a: [1, 2\n", "this is not YAML"),
        ("a: !python/object:os.system x\n", "the tag !python/object:os.system is not known"),
        ("? [a, b]\n: 1\n", "a key must be a plain word"),
        ("a: 1\n---\nb: 2\n", "site.yaml:2: a second document begins here"),
    ],
)
def test_mistakes_are_answered_in_words(write, text, says):
    assert says in mistake(write(text))


def test_a_file_that_explodes_is_refused(write):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "the configuration has more than" in mistake(write("\n".join(lines)))


def test_other_encodings_are_refused_in_words(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_bytes("name: 阳光".encode("gbk"))
    assert "is not UTF-8" in mistake(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.text())
def test_any_text_is_read_or_refused_in_words(tmp_path, text):
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        load(path)
    except ConfigError as error:
        assert error.message
