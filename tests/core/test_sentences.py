"""Sentences made in English are recognised and told in the reader's language, with their values."""

from __future__ import annotations

import gettext
from pathlib import Path

import pytest

from meterhub.errors import NoAnswer
from meterhub.field.causes import in_words
from meterhub.sentences import FIELD, Sentences
from meterhub.texts import texts_for

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = [*ROOT.glob("core/meterhub/locale/zh_CN/*/*.mo"), *ROOT.glob("plugins/*/meterhub_*/locale/zh_CN/*/*.mo")]


def test_a_sentence_with_values_is_told_with_its_values_and_a_cause_within_it_too():
    said = texts_for("zh-CN").said
    assert said(NoAnswer("no answer in time, asked 3 times").message) == "超时无应答，已询问 3 次"
    assert said(f"the connection was lost: {in_words('closed')}") == "连接中断：对方关闭了连接"


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
