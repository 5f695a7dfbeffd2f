"""One's own account: password, language, colours, and the places where one is logged in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from meterhub.errors import BadInput, MeterHubError, NotAllowed, NotLoggedIn
from meterhub.people.passwords import MIN_LENGTH
from meterhub.people.user import User
from meterhub.texts import LANGUAGES, Texts, mark
from meterhub.web import auth, forms
from meterhub.web.addresses import client_address
from meterhub.web.pages import Site
from meterhub.web.pages_login import YEAR_S
from meterhub.web.render import THEMES

DONE = {
    "password": mark("The password is changed. Your other sessions have ended."),
    "session": mark("That session has ended."),
}


def routes(site: Site) -> Sequence[web.RouteDef]:
    """``/account`` and its forms."""
    pages = AccountPages(site)
    return [
        web.get("/account", pages.show),
        web.post("/account/theme", pages.theme),
        web.post("/account/language", pages.language),
        web.post("/account/password", pages.password),
        web.post("/account/sessions/{session}/revoke", pages.revoke),
    ]


class AccountPages:
    """The handlers."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: web.Request) -> web.Response:
        """The page."""
        return await self._page(request)

    async def theme(self, request: web.Request) -> web.Response:
        """Light, dark, or as the system wishes; kept in a cookie, so that the first paint is right."""
        theme = str((await request.post()).get("theme", ""))
        answer = web.HTTPSeeOther("/account")
        answer.set_cookie("theme", theme if theme in THEMES else THEMES[0], max_age=YEAR_S, samesite="Lax")
        raise answer

    async def language(self, request: web.Request) -> web.Response:
        """The language of pages, for this browser and this user."""
        language = str((await request.post()).get("language", ""))
        if language not in LANGUAGES:
            raise BadInput("this language is not known", hint=", ".join(LANGUAGES.values()))
        user = _user(request)
        await self._site.rooms.people.users.set_profile(
            user.name, by=user, language=language, address=self._address(request)
        )
        answer = web.HTTPSeeOther("/account")
        answer.set_cookie("language", language, max_age=YEAR_S, samesite="Lax")
        raise answer

    async def password(self, request: web.Request) -> web.Response:
        """A new password; the old one is asked for, and throttled as a login is."""
        given, people = await request.post(), self._site.rooms.people
        old, new, again = (str(given.get(name, ""))[:1000] for name in ("old", "new", "again"))
        texts = self._site.texts(request)
        fields = _password_fields(texts)
        error: MeterHubError | None = None
        if new != again:
            fields[2]["error"] = texts(mark("The two are not the same."))
            return await self._page(request, fields, status=400)
        try:
            await people.logins.change_password(request["session"].session, old, new, auth.visitor(request))
        except NotLoggedIn:
            fields[0]["error"] = texts(mark("The old password is wrong."))
        except BadInput as problem:
            at = {"password": 1, "new": 1, "old": 0}.get(problem.where)
            if at is None:
                error = problem
            else:
                fields[at]["error"] = texts.said(problem.message)
        else:
            raise web.HTTPSeeOther("/account?done=password")
        return await self._page(request, fields, error, status=400)

    async def revoke(self, request: web.Request) -> web.Response:
        """Log out somewhere else."""
        number = request.match_info["session"]
        if not number.isdigit():
            raise BadInput("this is no session")
        await self._site.rooms.people.sessions.revoke(int(number), by=_user(request), address=self._address(request))
        raise web.HTTPSeeOther("/account?done=session")

    async def _page(
        self,
        request: web.Request,
        fields: list[dict[str, Any]] | None = None,
        error: MeterHubError | None = None,
        status: int = 200,
    ) -> web.Response:
        user, texts, here = _user(request), self._site.texts(request), request["session"]
        rows = await self._site.rooms.people.sessions.of_user(user)
        done = DONE.get(request.query.get("done", ""), "")
        return self._site.page(
            request,
            "account.html",
            status=status,
            fields=fields or _password_fields(texts),
            error=error,
            done=texts(done),
            sessions=[
                {
                    "id": row["id"],
                    "device": row["agent"] or texts(mark("Unknown browser")),
                    "address": row["address"],
                    "since_ms": row["created_ms"],
                    "seen_ms": row["seen_ms"],
                    "here": here is not None and row["id"] == here.id,
                }
                for row in rows
            ],
        )

    def _address(self, request: web.Request) -> str:
        return client_address(request, self._site.rooms.trusted_proxies)


def _user(request: web.Request) -> User:
    actor = request["actor"]
    if not isinstance(actor, User):
        raise NotAllowed("this page belongs to a user", hint="log in with a name and password")
    return actor


def _password_fields(texts: Texts) -> list[dict[str, Any]]:
    rule = texts(mark("At least %(n)d characters.")) % {"n": MIN_LENGTH}
    return [
        forms.blank("old", texts(mark("Old password")), "password", required=True),
        forms.blank("new", texts(mark("New password")), "password", required=True, help=rule),
        forms.blank("again", texts(mark("New password again")), "password", required=True),
    ]
