"""Languages are negotiated, texts fall back to English, and plugins bring catalogues of their own."""

from __future__ import annotations

import struct

import pytest

from meterhub import texts
from meterhub.texts import Texts, accepted, negotiate, texts_for


@pytest.mark.parametrize(
    ("user", "cookie", "header", "language"),
    [
        ("ja", "en", "zh-CN", "ja"),
        ("", "zh-CN", "en", "zh-CN"),
        ("", "", "zh-Hans-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("", "", "fr;q=0.9, ja;q=0.5, en;q=0.7", "en"),
        ("", "", "fr", "zh-CN"),
        ("", "", "en;q=0, ja;q=0.1", "ja"),
        ("klingon", "<script>", ";;q=x,,", "zh-CN"),
    ],
)
def test_the_language_is_the_users_else_the_cookies_else_the_browsers(user, cookie, header, language):
    assert negotiate(user, cookie, header, default="zh-CN") == language


def test_a_long_header_is_read_only_in_part():
    assert len(accepted(",".join(["en"] * 5000))) <= 10


def test_a_name_by_language_falls_back_to_english_then_to_any():
    assert Texts("ja").pick({"en": "Energy", "zh": "电量", "ja": "電力量"}) == "電力量"
    assert Texts("ja").pick({"en": "Energy", "zh": "电量"}) == "Energy"
    assert Texts("ja").pick({"zh": "电量"}) == "电量"
    assert Texts("zh-CN").pick("") == Texts("zh-CN").pick(None) == ""


def test_an_unknown_text_and_an_unknown_language_stay_english():
    assert texts_for("xx")("No catalogue has this text") == "No catalogue has this text"
    assert (
        texts_for("zh-CN").count("%(n)d thing nobody knows", "%(n)d things nobody knows", 3) == "3 things nobody knows"
    )


def test_a_plugin_adds_its_own_words(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "_folders", dict(texts._folders))
    _catalogue(tmp_path / "ja" / "LC_MESSAGES" / "acme.mo", "A text of Acme", "アクメの文")
    texts.add(tmp_path, "acme")
    assert texts_for("ja")("A text of Acme") == "アクメの文"
    assert texts_for("en")("A text of Acme") == "A text of Acme"
    monkeypatch.undo()
    texts_for.cache_clear()


def _catalogue(file, msgid, text):
    """A compiled catalogue of one text: header entry and the text, as gettext's file format has them."""
    pairs = [(b"", b"Content-Type: text/plain; charset=utf-8\n"), (msgid.encode(), text.encode())]
    tables_end, body, ids, strings = 28 + 16 * len(pairs), b"", [], []
    for column, table in ((0, ids), (1, strings)):
        for pair in pairs:
            table += [len(pair[column]), tables_end + len(body)]
            body += pair[column] + b"\0"
    header = [0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0]
    file.parent.mkdir(parents=True)
    file.write_bytes(struct.pack(f"<{7 + len(ids + strings)}I", *header, *ids, *strings) + body)
