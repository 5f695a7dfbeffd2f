"""What a page shows of a run: values of entities, items by name, records, and what to do next."""

from __future__ import annotations

from meterhub.cause import Cause
from meterhub.runs import Run, RunState
from meterhub.texts import texts_for
from meterhub.web.runs import run_view


class NoActions:
    """Knows no action."""

    def get(self, name):
        from meterhub.errors import NotFound

        raise NotFound(name)


def view(result, language="zh-CN"):
    run = Run("run-1", "meter.read_register", "a-101", {}, "user:ann", Cause("user", "ann"), 0)
    run.state, run.result = RunState.CONFIRMED, result
    return run_view(run, None, NoActions(), texts_for(language))


def item(number, value="1.0", unit="yuan"):
    return {"key": f"k{number}", "name": f"Item {number}", "name_zh": f"第{number}项", "value": value, "unit": unit}


def test_items_are_named_and_counted_in_the_language_of_the_page():
    assert view({"values": [item(1)]})["read_back"] == [{"name": "第1项", "text": "1.0 元"}]
    assert view({"values": [item(1, None)]}, "en")["read_back"] == [{"name": "Item 1", "text": "no value"}]
    plain = {"name": "c1-a", "value": "found", "unit": None}
    assert view({"values": [plain]})["read_back"] == [{"name": "c1-a", "text": "found"}]


def test_many_values_are_folded():
    shown = view({"values": [item(number) for number in range(40)]})
    assert (len(shown["read_back"]), len(shown["more"])) == (12, 28)


def test_what_was_read_back_comes_before_items():
    shown = view({"read_back": {"relay": True}, "values": [item(1)]})
    assert [one["name"] for one in shown["read_back"]] == ["relay", "第1项"]


def test_records_are_a_table():
    records = [
        {"time": "2026-11-24T06:00", "values": [item(1), item(2)]},
        {"time": "2026-11-24T06:15", "values": [item(2, None)]},
    ]
    assert view({"records": records})["records"] == {
        "head": ["时间", "第1项 元", "第2项 元"],
        "rows": [["2026-11-24 06:00", "1.0", "1.0"], ["2026-11-24 06:15", "", ""]],
    }
    assert view({"records": []})["records"] is None


def test_what_to_do_next_is_said():
    assert view({"next": {"en": "press it", "zh": "请按键"}})["next"] == "请按键"
    assert view(None)["next"] == ""
