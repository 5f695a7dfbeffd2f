"""Sentences made in English are recognised and told in the reader's language, with their values."""

from __future__ import annotations

import gettext
from pathlib import Path

import pytest

from meterhub import texts
from meterhub.errors import NoAnswer
from meterhub.field.causes import in_words
from meterhub.sentences import FIELD, Sentences
from meterhub.texts import texts_for
from meterhub_alipay.outcomes import error_of as alipay
from meterhub_wechat.outcomes import error_of as wechat

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = [*ROOT.glob("core/meterhub/locale/zh_CN/*/*.mo"), *ROOT.glob("plugins/*/meterhub_*/locale/zh_CN/*/*.mo")]


def test_a_sentence_with_values_is_told_with_its_values_and_a_cause_within_it_too():
    said = texts_for("zh-CN").said
    assert said(NoAnswer("no answer in time, asked 3 times").message) == "超时无应答，已询问 3 次"
    assert said(f"the connection was lost: {in_words('closed')}") == "连接中断：对方关闭了连接"


def test_an_error_as_it_is_kept_is_told_with_its_place_and_its_hint():
    said = texts_for("zh-CN").said
    error = NoAnswer("no answer in time, asked 3 times", where="a-101", hint="read the meter before trying again")
    assert said(str(error)) == "a-101: 超时无应答，已询问 3 次 (重试前请先抄读表计)"
    assert said("court: no answer in time, asked 3 times") == "court: 超时无应答，已询问 3 次"
    assert said("court: a cat (it sat)") == "court: a cat (it sat)"


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (alipay({"code": "40004", "sub_code": "ACQ.TRADE_NOT_EXIST"}, "a"), "支付宝答复 ACQ.TRADE_NOT_EXIST"),
        (wechat(404, b'{"code": "ORDER_NOT_EXIST"}', "w"), "微信支付答复 404 ORDER_NOT_EXIST"),
        (wechat(502, b"", "w"), "微信支付答复 502"),
    ],
)
def test_what_a_company_answered_is_told_in_the_readers_language(monkeypatch, refusal, told):
    monkeypatch.setattr(texts, "_folders", dict(texts._folders))
    for name in ("alipay", "wechat"):
        texts.add(ROOT / "plugins" / name / f"meterhub_{name}" / "locale", f"meterhub_{name}")
    assert texts_for("zh-CN").said(str(refusal)).partition(": ")[2] == told
    monkeypatch.undo()
    texts_for.cache_clear()


def test_english_and_what_no_text_fits_stay_as_they_are():
    assert texts_for("en").said("no answer in time, asked 3 times") == "no answer in time, asked 3 times"
    assert texts_for("zh-CN").said("the cat sat on the mat") == "the cat sat on the mat"
    assert texts_for("ja").said("") == ""


def test_values_stand_where_the_translation_wants_them_and_lists_are_told_one_by_one():
    said = Sentences({"{meter} said {words} in all": "{words}<{meter}>", "too late": "晚", "too early": "早"})
    assert said("a-1 said too late, too early in all") == "晚, 早<a-1>"
    assert said("a-1 said {meter} in all") == "{meter}<a-1>"


def test_of_two_texts_that_fit_the_one_that_says_more_is_meant():
    said = Sentences({"there is no {what}": "1 {what}", "there is no meter {id}": "2 {id}"})
    assert (said("there is no meter a-1"), said("there is no cat")) == ("2 a-1", "1 cat")


def test_braces_that_are_no_field_are_just_braces():
    text = 'such as {"target": "a-101"}, for {name}'
    assert Sentences({text: "例 {name}"})('such as {"target": "a-101"}, for me') == "例 me"


def test_a_text_as_long_as_a_book_is_not_searched():
    assert Sentences({"there is no {what}": "{what}"})("there is no " + "x" * 5000).startswith("there")


@pytest.mark.parametrize("file", CATALOGUES, ids=lambda one: one.stem)
def test_every_sentence_of_a_catalogue_is_recognised_when_it_carries_values(file):
    with file.open("rb") as source:
        texts = {key: text for key, text in vars(gettext.GNUTranslations(source))["_catalog"].items() if key}
    texts = {key: text for key, text in texts.items() if isinstance(key, str)}
    said = Sentences(texts)
    for key, text in texts.items():
        if FIELD.search(key):
            assert said(FIELD.sub("7A", key)) == FIELD.sub("7A", text)
