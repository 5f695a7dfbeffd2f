"""Collections over HTTP: rows with strict types, exports that open safely, imports that are tried first."""

from __future__ import annotations

import csv
import io
import sys
import zipfile

import pytest

PRICES = "/api/v1/collections/prices"
FLAT = {"id": "flat", "name": "Flat rate", "fen": 52, "kind": "flat", "active": True, "key": "geheim"}


async def test_rows_are_added_looked_at_changed_and_deleted_and_a_secret_never_comes_back(house, api):
    status, row = await api("mia", "POST", PRICES, json=FLAT)
    assert status == 201 and (row["fen"], row["active"]) == (52, True) and "key" not in row
    assert (await api("vera", "GET", PRICES + "/flat"))[1]["name"] == "Flat rate"
    status, row = await api("mia", "PATCH", PRICES + "/flat", json={"fen": 60, "kind": None})
    assert status == 200 and (row["fen"], row["kind"], row["name"]) == (60, None, "Flat rate")
    assert house.prices.kept["flat"]["key"] == "geheim"
    assert (await api("mia", "DELETE", PRICES + "/flat"))[0] == 204
    assert (await api("mia", "GET", PRICES + "/flat"))[0] == 404


async def test_a_list_has_total_facets_and_a_cursor(house, api):
    for number in range(5):
        await api("mia", "POST", PRICES, json={**FLAT, "id": f"p{number}"})
    _, first = await api("vera", "GET", PRICES + "?limit=3&kind=flat&kind=tiered")
    _, rest = await api("vera", "GET", PRICES + f"?limit=3&kind=flat&kind=tiered&cursor={first['cursor']}")
    assert [one["id"] for one in first["items"] + rest["items"]] == ["p0", "p1", "p2", "p3", "p4"]
    assert (first["total"], first["facets"], rest["cursor"]) == (5, {"kind": {"flat": 5}}, None)
    assert (await api("vera", "GET", PRICES + "?kind=tiered"))[1]["total"] == 0


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"fen": "52"}, "fen"),
        ({"fen": 1.5}, "fen"),
        ({"fen": True}, "fen"),
        ({"fen": 10**30}, "fen"),
        ({"active": 1}, "active"),
        ({"active": "true"}, "active"),
        ({"kind": "square"}, "kind"),
        ({"name": 7}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 5000}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"valid": "2026-01-01"}, "valid"),
        ({"nmae": "x"}, "nmae"),
    ],
)
async def test_a_value_of_the_wrong_type_is_named(house, api, change, where):
    for method, path, body in (("POST", PRICES, {**FLAT, **change}), ("PATCH", PRICES + "/flat", change)):
        status, found = await api("mia", method, path, json=body)
        assert (status, found["error"]["where"]) == (400, where)
    assert house.prices.kept == {}


async def test_what_is_required_is_missed(api):
    status, found = await api("mia", "POST", PRICES, json={"id": "flat"})
    assert (status, found["error"]["where"]) == (400, "name")


async def test_rights_and_limits_of_collections(api):
    assert (await api("vera", "POST", PRICES, json=FLAT))[0] == 403
    assert (await api("vera", "GET", "/api/v1/collections/users"))[0] == 403
    assert (await api("vera", "GET", "/api/v1/collections/audit/export"))[0] == 403
    assert (await api("olga", "POST", "/api/v1/collections/audit", json={}))[0] == 403
    assert (await api("olga", "DELETE", "/api/v1/collections/logins/1"))[0] == 403
    status, found = await api("olga", "GET", PRICES + "?knid=flat")
    assert (status, found["error"]["hint"]) == (400, "did you mean kind?")
    assert (await api("olga", "GET", PRICES + "?sort=key2"))[0] == 400
    assert (await api("olga", "GET", "/api/v1/collections/nothing"))[0] == 404


async def test_a_second_operator_sees_nothing_of_the_first(api):
    _, users = await api("otto", "GET", "/api/v1/collections/users")
    assert [one["id"] for one in users["items"]] == ["otto"]
    assert (await api("otto", "GET", "/api/v1/collections/users/olga"))[0] == 404
    assert (await api("otto", "PATCH", "/api/v1/collections/users/olga", json={"status": "disabled"}))[0] == 404
    assert "olga" not in (await api("otto", "GET", "/api/v1/collections/users/export"))[1]


async def test_real_users_are_managed_over_the_same_routes(house, api):
    new = {"id": "nina", "role": "viewer", "name": "尼娜"}
    status, row = await api("olga", "POST", "/api/v1/collections/users", json=new)
    assert (status, row["status"], row["name"]) == (201, "active", "尼娜")
    assert (await api("nina", "GET", "/api/v1/devices"))[0] == 200
    assert (await api("olga", "PATCH", "/api/v1/collections/users/nina", json={"status": "disabled"}))[0] == 200
    assert (await api("nina", "GET", "/api/v1/devices"))[0] == 401
    assert (await api("mia", "POST", "/api/v1/collections/users", json={**new, "id": "nora"}))[0] == 403


async def test_an_export_has_exactly_the_filter_in_utf_8_and_no_formulas(house, api):
    for number, name in enumerate(("=cmd|' /C calc'!A1", "+49 221", "-5.2", "@SUM(A1)", "'quoted", '贵,"价"\n')):
        await api("mia", "POST", PRICES, json={**FLAT, "id": f"p{number}", "name": name})
    await api("mia", "POST", PRICES, json={**FLAT, "id": "other", "kind": "tiered", "valid": 1_772_294_400_000})
    async with house.client.get(PRICES + "/export?format=csv&kind=flat", headers=await house.token("vera")) as answer:
        body = await answer.read()
        assert answer.content_type == "text/csv" and "prices.csv" in answer.headers["Content-Disposition"]
    assert body.startswith(b"\xef\xbb\xbf")
    table = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    assert table[0] == ["id", "name", "fen", "kind", "valid", "active"]
    names = [row[1] for row in table[1:]]
    assert names == ["'=cmd|' /C calc'!A1", "'+49 221", "-5.2", "'@SUM(A1)", "''quoted", '贵,"价"\n']
    assert table[1][2] == "0.52"


async def test_what_was_exported_can_be_imported_and_changes_nothing(house, api):
    for number, name in enumerate(("=1+1", "plain", "'x")):
        await api("mia", "POST", PRICES, json={**FLAT, "id": f"p{number}", "name": name, "valid": 1_772_294_400_000})
    _, text = await api("mia", "GET", PRICES + "/export")
    before = house.prices.writes
    status, found = await _import(api, text)
    assert (status, found["same"], found["applied"]) == (200, 3, 0) and house.prices.writes == before


def _import(api, text, query="", user="mia", media="text/csv"):
    data = text.encode() if isinstance(text, str) else text
    return api(user, "POST", f"{PRICES}/import{query}", data=data, headers={"Content-Type": media})


FILE = "id,name,fen,kind\na,Alpha,0.50,flat\nb,Beta,1.255,flat\nc,,1,flat\nd,Delta,2,square\ne,Eps,3,tiered,6\n"


async def test_a_dry_run_judges_every_line_and_changes_nothing(house, api):
    status, found = await _import(api, FILE, "?dry_run=1")
    assert status == 200 and (found["dry_run"], found["applied"], house.prices.kept) == (True, 0, {})
    verdicts = [(one["line"], one["id"], one["verdict"], one.get("error", {}).get("where")) for one in found["lines"]]
    assert verdicts == [
        (2, "a", "create", None),
        (3, "b", "error", "fen"),
        (4, "c", "error", "name"),
        (5, "d", "error", "kind"),
        (6, "e", "error", ""),
    ]


async def test_all_or_nothing_is_the_rule_and_good_lines_alone_the_choice(house, api):
    _, found = await _import(api, FILE)
    assert (found["applied"], house.prices.kept) == (0, {})
    _, found = await _import(api, FILE, "?mode=good")
    assert (found["applied"], list(house.prices.kept)) == (1, ["a"])
    _, found = await _import(api, "id,fen\na,0.70\n")
    assert (found["update"], house.prices.kept["a"]["fen"]) == (1, 70)
    _, again = await _import(api, "id,fen\na,0.70\n")
    assert (again["same"], again["applied"]) == (1, 0)


async def test_what_the_source_refuses_only_then_is_said_at_its_line(house, api):
    _, found = await _import(api, "id,name\na,refused\nb,good\n", "?mode=good")
    assert [one["verdict"] for one in found["lines"]] == ["error", "create"] and list(house.prices.kept) == ["b"]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 400),
        ("id,nmae\n", 400),
        ("id,id\n", 400),
        ('id,name\na,"open', 400),
        (b"\xff\xfe\x00\xd8\xff", 400),
        ("id,name\n" + "a,b\n" * 20_001, 400),
        ("id,name\na,x\na,y\n", 200),
    ],
)
async def test_files_that_are_no_table_of_this_collection(house, api, text, status):
    assert (await _import(api, text))[0] == status
    assert house.prices.kept == {}


async def test_a_file_in_chinese_windows_coding_is_understood(house, api):
    await _import(api, "id,name\na,居民电价\n".encode("gb18030"))
    assert house.prices.kept["a"]["name"] == "居民电价"


async def test_import_needs_the_right_to_edit_and_a_file(api):
    assert (await _import(api, FILE, user="vera"))[0] == 403
    assert (await _import(api, FILE, media="image/png"))[0] == 415
    assert (await _import(api, FILE, "?dryrun=1"))[0] == 400
    assert (await _import(api, FILE, "?mode=some"))[0] == 400


async def test_excel_holds_texts_and_no_formulas(house, api):
    pytest.importorskip("xlsxwriter", reason="xlsxwriter is not installed: Excel files are not tested")
    await api("mia", "POST", PRICES, json={**FLAT, "name": "=1+1"})
    async with house.client.get(PRICES + "/export?format=xlsx", headers=await house.token("vera")) as answer:
        body = await answer.read()
    assert answer.status == 200 and "prices.xlsx" in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(body)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "'=1+1" in sheet and "<f>" not in sheet


async def test_without_the_extra_an_excel_file_is_refused_with_its_name(house, api, monkeypatch):
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    async with house.client.get(PRICES + "/export?format=xlsx", headers=await house.token("vera")) as answer:
        assert answer.status == 501 and b"meterhub[excel]" in await answer.read()


async def test_another_format_is_the_callers_mistake(api):
    assert (await api("vera", "GET", PRICES + "/export?format=pdf"))[0] == 400
