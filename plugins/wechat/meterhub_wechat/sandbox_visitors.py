"""How the WeChat sandbox tells an app who is looking at its page: a code by way of the browser, the openid for it."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from meterhub.sim.world import World
from meterhub_wechat.schema import SANDBOX_APP_SECRET

MOST = 10_000
BAD_CODE, BAD_SECRET = 40029, 40125


class Visitors:
    """Codes that were given out and not used yet."""

    def __init__(self, world: World) -> None:
        self._random = world.random("wechat visitors")
        self._codes: dict[str, str] = {}

    def routes(self) -> list[web.AbstractRouteDef]:
        """As at open.weixin.qq.com and api.weixin.qq.com."""
        return [
            web.get("/connect/oauth2/authorize", self._authorize),
            web.get("/sns/oauth2/access_token", self._token),
        ]

    async def _authorize(self, request: web.Request) -> web.Response:
        code = f"{self._random.getrandbits(128):032x}"
        self._codes[code] = f"o{self._random.getrandbits(96):024x}"
        if len(self._codes) > MOST:
            del self._codes[next(iter(self._codes))]
        back = request.query.get("redirect_uri", "")
        query = urlencode({"code": code, "state": request.query.get("state", "")})
        raise web.HTTPFound(f"{back}{'&' if '?' in back else '?'}{query}")

    async def _token(self, request: web.Request) -> web.Response:
        if request.query.get("secret") != SANDBOX_APP_SECRET:
            return web.json_response({"errcode": BAD_SECRET, "errmsg": "invalid appsecret"})
        openid = self._codes.pop(request.query.get("code", ""), "")
        if not openid:
            return web.json_response({"errcode": BAD_CODE, "errmsg": "invalid code"})
        return web.json_response({"access_token": "x", "expires_in": 7200, "openid": openid, "scope": "snsapi_base"})
