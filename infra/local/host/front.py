"""The HTTP front: authentication, the platform's own paths, then the function whose route fits.

Order as in Azure: App Service authentication (which leaves Event Grid's webhook out), /admin with the master key, home
page, routes.
"""

import hmac
from typing import Final

import msgspec
from aiohttp import web
from multidict import MultiMapping

from infra.local.host.admin import Admin
from infra.local.host.auth import Authentication, IssuerUnreachable, Unauthorized
from infra.local.host.eventgrid import PATH as EVENT_GRID_PATH
from infra.local.host.eventgrid import EventGrid
from infra.local.host.invoker import Invoker
from infra.local.host.log import Logger
from infra.local.host.metadata import Function, HttpTrigger
from infra.local.host.principal import FORGEABLE, principal_headers
from infra.local.host.routes import Match, Routes
from infra.local.host.wire import HttpRequest, HttpResponse

# "Azure Functions HTTP trigger", limits: the request length is limited to 100 MB.
MAX_BODY_BYTES: Final = 100 * 1024 * 1024
# Belongs to the platform in Azure; nothing here answers below it.
_PLATFORM_PATHS: Final = ("/runtime/", "/.auth/")
# The front sets these itself.
_NOT_COPIED: Final = frozenset({"content-length", "transfer-encoding", "connection"})


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What the front answers with; without `authentication` everybody is let in, as on a site without it."""

    routes: Routes
    invoker: Invoker
    admin: Admin
    event_grid: EventGrid
    logger: Logger
    master_key: str
    home_page: bool
    authentication: Authentication | None


def application(site: Site) -> web.Application:
    """One handler for every path and method."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    front = Front(site)
    app.router.add_route("*", r"/{path:[\s\S]*}", front.handle)  # a path may hold an encoded line break
    return app


class Front:
    """Answers requests."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def handle(self, request: web.Request) -> web.Response:
        """Whatever comes in."""
        path = request.rel_url.raw_path.lower()
        if path == "/admin" or path.startswith("/admin/"):
            if not self._has_key(request):
                return web.Response(status=401)
            return await self._site.admin.handle(request.method, path, await request.read())
        if path == EVENT_GRID_PATH and request.method in ("POST", "OPTIONS"):
            return await self._site.event_grid.handle(request)
        headers = {name.lower(): value for name, value in _joined(request.headers).items()}
        if self._site.authentication is not None:
            try:
                headers = await self._authenticated(headers, self._site.authentication)
            except Unauthorized as error:
                return self._unauthorized(request, str(error))
            except IssuerUnreachable:
                return web.Response(status=503)
        return await self._answer(request, headers)

    async def _authenticated(self, headers: dict[str, str], authentication: Authentication) -> dict[str, str]:
        """The request's headers without forged ones, with the caller's. Raises Unauthorized or IssuerUnreachable."""
        claims = await authentication.claims(headers.get("authorization", ""))
        own = {name: value for name, value in headers.items() if not name.startswith(FORGEABLE)}
        return {**own, **principal_headers(claims)}

    def _unauthorized(self, request: web.Request, why: str) -> web.Response:
        self._site.logger.warning("Refused a request without a valid token.", method=request.method, why=why)
        return web.Response(status=401, headers={"WWW-Authenticate": f'Bearer realm="{request.host}"'})

    async def _answer(self, request: web.Request, headers: dict[str, str]) -> web.Response:
        raw_path = request.rel_url.raw_path
        if raw_path in {"", "/"} and self._site.home_page:
            return web.Response(text="Your Functions app is up and running.")
        if raw_path.lower().startswith(_PLATFORM_PATHS):
            return web.Response(status=404)
        match = self._site.routes.match(request.method, raw_path)
        if match is None:
            return web.Response(status=204 if raw_path in {"", "/"} else 404)
        if not self._may_call(match.function, request):
            return web.Response(status=401)
        return await self._invoke(match, request, headers)

    async def _invoke(self, match: Match, request: web.Request, headers: dict[str, str]) -> web.Response:
        value = HttpRequest(
            method=request.method,
            url=str(request.url),
            headers=headers,
            query=_joined(request.query),
            params=match.params,
            body=await request.read(),
        )
        outcome = await self._site.invoker.invoke(match.function, value, {})
        if not outcome.succeeded:
            return web.Response(status=500)
        return _written(outcome.response or HttpResponse(status=204))

    def _may_call(self, function: Function, request: web.Request) -> bool:
        assert isinstance(function.trigger, HttpTrigger)
        return function.trigger.auth_level == "anonymous" or self._has_key(request)

    def _has_key(self, request: web.Request) -> bool:
        given = request.headers.get("x-functions-key") or request.query.get("code") or ""
        return hmac.compare_digest(given.encode(), self._site.master_key.encode())


def _joined(pairs: MultiMapping[str], separator: str = ",") -> dict[str, str]:
    """One value a name, several joined, as Azure's host hands them on."""
    return {name: _text(separator.join(pairs.getall(name))) for name in pairs}


def _text(value: str) -> str:
    """Bytes that are no UTF-8 reach the app as replacement characters; aiohttp keeps them as lone surrogates."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _written(response: HttpResponse) -> web.Response:
    answer = web.Response(status=response.status, body=response.body)
    for name, value in response.headers.items():
        if name.lower() not in _NOT_COPIED:
            answer.headers[name] = value
    for cookie in response.cookies:
        answer.headers.add("Set-Cookie", cookie)
    return answer
