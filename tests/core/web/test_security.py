"""Doors: who gets in, what a forged or hostile request meets, and what every answer carries."""

from __future__ import annotations

import json

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Response

from meterhub.actions import System
from meterhub.errors import MeterHubError, TooMany
from meterhub.people.keys import csrf_token
from meterhub.web import auth
from meterhub.web.app import build_app, parse_listen, start
from meterhub.web.rooms import ERROR_PAGE

OPEN = "/api/v1/actions/hub.ping"
PASSWORD = "a long pass phrase"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/devices"),
        ("GET", "/api/v1/devices/a-1"),
        ("GET", "/api/v1/entities/a-1.energy_total"),
        ("GET", "/api/v1/readings?entity=a-1.energy_total"),
        ("POST", OPEN),
        ("GET", "/api/v1/actions/run-1"),
        ("GET", "/api/v1/collections/prices"),
        ("POST", "/api/v1/collections/prices"),
        ("GET", "/api/v1/collections/prices/export"),
        ("POST", "/api/v1/collections/prices/import"),
        ("PATCH", "/api/v1/collections/prices/x"),
        ("DELETE", "/api/v1/collections/prices/x"),
        ("GET", "/api/v1/live"),
        ("GET", "/api/v1/openapi.json"),
        ("GET", "/api/v1/nothing"),
    ],
)
async def test_nothing_of_the_api_answers_without_a_login(house, api, method, path):
    for headers in ({}, {"Authorization": "Bearer mh_wrong"}, {"Authorization": "Bearer "}, {"Cookie": "meterhub=x"}):
        status, body = await api("", method, path, headers=headers)
        assert status == 401 and body["error"]["code"] == "not_logged_in" and body["error"]["hint"]


async def test_a_revoked_token_and_a_disabled_user_are_out_at_once(house, api):
    assert (await api("mia", "GET", "/api/v1/devices"))[0] == 200
    user = house.people.users.get("mia")
    [token] = await house.people.tokens.of_user(user)
    await house.people.tokens.revoke(user, token["id"], by=System())
    assert (await api("mia", "GET", "/api/v1/devices"))[0] == 401


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/devices", "/nothing", "/api/v1/collections/prices/export"])
async def test_every_answer_carries_the_security_headers(house, path):
    async with house.client.get(path, headers=await house.token("vera")) as answer:
        assert answer.headers.getall("Content-Security-Policy") == [CSP]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "camera=()" in answer.headers["Permissions-Policy"]


async def test_whoever_tries_too_often_is_told_when_to_come_back(house):
    async def busy(*_):
        raise TooMany("slow down", wait_s=7)

    house.prices.get = busy
    answer = await house.client.get("/api/v1/collections/prices/x", headers=await house.token("mia"))
    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")


async def test_health_needs_no_login_and_tells_no_secret(api):
    status, body = await api("", "GET", "/healthz")
    assert status == 200 and body["status"] == "ok" and body["version"] == "1.2"


async def test_metrics_are_for_this_machine_and_for_tokens_but_not_through_an_unknown_proxy(house, api):
    status, text = await api("", "GET", "/metrics")
    assert status == 200 and 'meterhub_devices{kind="meter",status="online"} 3.0' in text
    assert "a-1" not in text
    assert (await api("", "GET", "/metrics", headers={"X-Forwarded-For": "203.0.113.9"}))[0] == 401
    assert (await api("mia", "GET", "/metrics", headers={"X-Forwarded-For": "203.0.113.9"}))[0] == 200
    assert (await api("vera", "GET", "/metrics"))[0] == 403


@pytest.mark.parametrize(
    ("body", "media", "status", "code"),
    [
        (b"{", "application/json", 400, "bad_input"),
        (b"\xff\xfe", "application/json", 400, "bad_input"),
        (b"[" * 100_000, "application/json", 400, "bad_input"),
        (b'{"params":' * 20_000 + b"1" + b"}" * 20_000, "application/json", 400, "bad_input"),
        (b'{"target": NaN}', "application/json", 400, "bad_input"),
        (b'{"params": {"a": ' + b"9" * 10_000 + b"}}", "application/json", 400, "bad_input"),
        (b"", "application/json", 400, "bad_input"),
        (b'"text"', "application/json", 400, "bad_input"),
        (b'{"target": "a"}', "text/plain", 415, "wrong_type"),
        (b"target=a", "application/x-www-form-urlencoded", 415, "wrong_type"),
        (b" " * 2_000_000, "application/json", 413, "too_large"),
    ],
)
async def test_hostile_bodies_meet_a_clear_error(api, body, media, status, code):
    answer, found = await api("mia", "POST", OPEN, data=body, headers={"Content-Type": media})
    assert (answer, found["error"]["code"]) == (status, code), found
    assert len(json.dumps(found)) < 1_000 and "Traceback" not in json.dumps(found)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/devices/" + "x" * 4_000,
        "/api/v1/devices/%00",
        "/api/v1/devices/..%2f..%2fetc",
        "/api/v1/entities/a-1",
        "/api/v1/entities/a-1.energy_total.x",
        "/api/v1/entities/.",
        "/api/v1/nothing",
    ],
)
async def test_strange_paths_are_not_found_in_json(api, path):
    status, found = await api("mia", "GET", path)
    assert status == 404 and found["error"]["code"] == "not_found"


async def test_a_wrong_method_says_which_would_work(house, api):
    async with house.client.delete("/api/v1/devices", headers=await house.token("mia")) as answer:
        found = await answer.json()
        assert answer.status == 405 and "GET" in answer.headers["Allow"] and found["error"]["code"] == "wrong_method"


async def test_an_unexpected_failure_gives_a_code_and_no_traceback(house, api, caplog):
    async def broken(row_id, *more):
        raise ZeroDivisionError("secret inside")

    house.prices.get = broken
    status, found = await api("mia", "GET", "/api/v1/collections/prices/x")
    code = found["error"]["hint"].split()[3].rstrip(";")
    assert status == 500 and "secret" not in json.dumps(found) and code in caplog.text


# Sessions, as browsers use them.


@pytest.fixture
async def door(house):
    """A second application with the login page's calls, as the pages have them."""
    await house.people.users.set_password("vera", PASSWORD, by=System())

    async def login(request):
        given = await request.post()
        await auth.login(request, given["name"], given["password"])
        return Response(text=request["session"].csrf)

    async def link(request):
        return Response(text=(await auth.login_with_link(request, request.match_info["secret"])).csrf)

    async def logout(request):
        await auth.logout(request)
        return Response(text="bye")

    async def show(request):
        return Response(text=request["session"].csrf if request["session"] else "nobody")

    def pages(app: Application) -> None:
        app.router.add_post("/login", login)
        app.router.add_get("/login/link/{secret}", link)
        app.router.add_post("/logout", logout)
        app.router.add_get("/", show)

    client = TestClient(TestServer(build_app(house.rooms, pages)))
    await client.start_server()
    yield client
    await client.close()


async def _login(door, **headers):
    data = {"name": "vera", "password": PASSWORD}
    async with door.post("/login", data=data, headers=headers) as answer:
        return answer.status, await answer.text(), answer.headers.getall("Set-Cookie", [])


async def test_a_login_sets_a_cookie_that_scripts_cannot_read_and_the_api_takes_it(door):
    status, _, [cookie] = await _login(door)
    assert status == 200 and cookie.startswith("meterhub=")
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    async with door.get("/api/v1/devices") as answer:
        assert answer.status == 200


async def test_a_wrong_password_says_neither_which_was_wrong_nor_sets_a_cookie(door):
    for name in ("vera", "nobody"):
        async with door.post("/login", data={"name": name, "password": "x"}) as answer:
            assert answer.status == 401 and "Set-Cookie" not in answer.headers
            assert (await answer.json())["error"]["message"] == "the name or the password is wrong"


async def test_a_cookie_alone_changes_nothing(door):
    _, csrf, _ = await _login(door)
    async with door.post(OPEN, json={}) as answer:
        assert answer.status == 403
    async with door.post(OPEN, json={}, headers={"X-CSRF-Token": csrf}) as answer:
        assert answer.status == 202
    async with door.post("/logout", data={"csrf": csrf[::-1]}) as answer:
        assert answer.status == 403
    async with door.post("/logout", data={"csrf": csrf}) as answer:
        assert answer.status == 200
    async with door.get("/api/v1/devices") as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_change_from_another_site_is_refused_even_with_the_right_token(door, headers):
    _, csrf, _ = await _login(door)
    async with door.post(OPEN, json={}, headers={"X-CSRF-Token": csrf, **headers}) as answer:
        assert answer.status == 403
    assert (await _login(door, **headers))[0] == 403


async def test_our_own_origin_passes(door):
    _, csrf, _ = await _login(door)
    own = {"Origin": f"http://{door.host}:{door.port}", "Sec-Fetch-Site": "same-origin"}
    async with door.post(OPEN, json={}, headers={"X-CSRF-Token": csrf, **own}) as answer:
        assert answer.status == 202


async def test_a_login_link_works_once(house, door):
    secret = await house.people.tokens.create_link(house.people.users.get("vera"), by=System())
    async with door.get(f"/login/link/{secret}") as answer:
        assert answer.status == 200 and "Set-Cookie" in answer.headers
    async with door.get(f"/login/link/{secret}") as answer:
        assert answer.status == 401


async def test_the_session_goes_on_under_a_new_token_when_rights_change(house, door):
    _, csrf, _ = await _login(door)
    await house.people.users.set_roles("vera", [("manager", "")], by=System())
    async with door.get("/") as answer:
        fresh = await answer.text()
        assert "Set-Cookie" in answer.headers and fresh != csrf
    async with door.post(OPEN, json={}, headers={"X-CSRF-Token": fresh}) as answer:
        assert answer.status == 202


async def test_the_form_token_says_nothing_of_the_session(door):
    _, csrf, [cookie] = await _login(door)
    token = cookie.split("=", 1)[1].split(";")[0]
    assert csrf == csrf_token(token) and token not in csrf


# Proxies.


async def _logged_address(house, door, **headers):
    await _login(door, **headers)
    [row] = await house.store.query("SELECT address FROM login_history ORDER BY id DESC LIMIT 1")
    return row["address"]


async def test_a_forged_forwarded_address_is_not_believed(house, door):
    assert await _logged_address(house, door, **{"X-Forwarded-For": "203.0.113.9"}) == "127.0.0.1"


@pytest.fixture
async def behind_proxy(house, door):
    from dataclasses import replace

    await door.close()
    house.rooms = replace(house.rooms, trusted_proxies=("127.0.0.0/8", "10.0.0.5"))

    async def login(request):
        given = await request.post()
        return Response(text=(await auth.login(request, given["name"], given["password"])).csrf)

    client = TestClient(TestServer(build_app(house.rooms, lambda app: app.router.add_post("/login", login))))
    await client.start_server()
    yield client
    await client.close()


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.0.0.5", "203.0.113.9"),
        ("1.2.3.4, 203.0.113.9", "203.0.113.9"),
        ("rubbish", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
async def test_behind_a_trusted_proxy_the_true_address_is_the_last_that_is_no_proxy(
    house, behind_proxy, forwarded, address
):
    assert await _logged_address(house, behind_proxy, **{"X-Forwarded-For": forwarded}) == address


async def test_over_https_the_cookie_is_bound_to_host_and_https(house, behind_proxy):
    status, _, [cookie] = await _login(behind_proxy, **{"X-Forwarded-Proto": "https"})
    assert status == 200 and cookie.startswith("__Host-meterhub=") and "Secure" in cookie


# The server itself.


async def test_browsers_get_errors_as_pages_and_the_api_as_json(house):
    async def page(request, error: MeterHubError, code):
        return Response(text=f"<h1>{error.message}</h1>", content_type="text/html")

    def pages(app: Application) -> None:
        app[ERROR_PAGE] = page

    client = TestClient(TestServer(build_app(house.rooms, pages)))
    await client.start_server()
    async with client.get("/nothing", headers={"Accept": "text/html"}) as answer:
        assert answer.status == 404 and answer.content_type == "text/html"
    async with client.get("/api/v1/x", headers={"Accept": "text/html"}) as answer:
        assert answer.status == 401 and answer.content_type == "application/json"
    await client.close()


async def test_a_site_listens_where_told_and_an_address_in_use_is_said_in_words(house):
    app = build_app(house.rooms)
    site = await start(app, "127.0.0.1:0")
    assert site.port
    with pytest.raises(MeterHubError, match=r"cannot listen on [^ ]*: address already in use [(]another program"):
        await start(build_app(house.rooms), f"127.0.0.1:{site.port}")
    await site.stop()


def test_addresses_to_listen_on():
    assert parse_listen("127.0.0.1:8645") == ("127.0.0.1", 8645)
    assert parse_listen("[::1]:80") == ("::1", 80)
    for wrong in ("8645", "localhost", "a:b", "a:99999"):
        with pytest.raises(MeterHubError):
            parse_listen(wrong)
