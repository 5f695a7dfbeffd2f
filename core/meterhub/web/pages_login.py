"""What is seen without a login: the login page, static files, errors."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from meterhub.errors import BadInput, MeterHubError, NotFound
from meterhub.texts import LANGUAGES, mark
from meterhub.web import auth
from meterhub.web.assets import STATIC_DIR
from meterhub.web.pages import Site

YEAR_S = 31_536_000
LOGIN_PATH = "/login"
TITLES = {
    400: mark("That did not work"),
    403: mark("You may not do this"),
    404: mark("Nothing is here"),
    429: mark("Too many attempts"),
}


def routes(site: Site) -> Sequence[web.RouteDef]:
    """Login, logout, login links, static files."""
    door = Door(site)
    return [
        web.get(LOGIN_PATH, door.show),
        web.post(LOGIN_PATH, door.log_in),
        web.get("/login/link/{secret}", door.by_link, allow_head=False),
        web.post("/logout", door.log_out),
        web.get("/static/{path:.+}", static),
    ]


class Door:
    """Where people come in and go out."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: web.Request) -> web.Response:
        """The login page; ``?language=`` changes its language."""
        language = request.query.get("language", "")
        if language in LANGUAGES:
            answer = web.HTTPSeeOther(LOGIN_PATH)
            answer.set_cookie("language", language, max_age=YEAR_S, samesite="Lax")
            raise answer
        if request["actor"] is not None:
            raise web.HTTPSeeOther(safe_next(request.query.get("next", "")))
        return self._page(request, request.query.get("next", ""))

    async def log_in(self, request: web.Request) -> web.Response:
        """Name and password; back to where the visitor wanted to go."""
        given = await request.post()
        name, back = str(given.get("name", "")).strip()[:100], str(given.get("next", ""))
        try:
            await auth.login(request, name, str(given.get("password", ""))[:1000])
        except BadInput as error:
            return self._page(request, back, name, error)
        raise web.HTTPSeeOther(safe_next(back))

    async def by_link(self, request: web.Request) -> web.Response:
        """A link that works once."""
        try:
            await auth.login_with_link(request, request.match_info["secret"])
        except BadInput as error:
            return self._page(request, "", "", error)
        raise web.HTTPSeeOther("/")

    async def log_out(self, request: web.Request) -> web.Response:
        """End this session."""
        await auth.logout(request)
        raise web.HTTPSeeOther(LOGIN_PATH)

    def _page(
        self, request: web.Request, back: str, name: str = "", error: MeterHubError | None = None
    ) -> web.Response:
        visitor, now_ms = self._site.visitor(request), self._site.rooms.clock.now()
        status = error.status if error is not None else 200
        return self._site.look.page(
            request, "login.html", visitor, now_ms, status=status, next=safe_next(back), name=name, error=error
        )


def safe_next(path: str) -> str:
    """Where to go after the login: a path of our own, never another site."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path[:2000] if plain and not path.startswith(LOGIN_PATH) else "/"


async def static(request: web.Request) -> web.StreamResponse:
    """A file of ``static/``; one asked for with its mark never changes."""
    file = (STATIC_DIR / request.match_info["path"]).resolve()
    if not file.is_relative_to(STATIC_DIR.resolve()) or not file.is_file():
        raise NotFound("there is no such file")
    keep = f"public, max-age={YEAR_S}, immutable" if request.query.get("v") else "no-cache"
    return web.FileResponse(file, headers={"Cache-Control": keep})


def error_page(site: Site, request: web.Request, error: MeterHubError, code: str) -> web.StreamResponse:
    """An error as a page: what happened, where, what next, and a code to quote."""
    visitor = site.visitor(request)
    if "HX-Request" in request.headers:
        html = site.look.draw("flash.html", visitor, site.rooms.clock.now(), error=error)
        return web.Response(text=html, content_type="text/html")
    title = site.texts(request)(TITLES.get(error.status, mark("Something went wrong")))
    return site.look.page(request, "error.html", visitor, site.rooms.clock.now(), title=title, error=error, code=code)
