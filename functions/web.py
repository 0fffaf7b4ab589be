"""The HTTP edge: who asks, about what, and how answers and refusals look. Azure's words throughout."""

import base64
import logging
import re
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

import azure.functions as func
import msgspec

from shared.domain.condition import Condition, is_known
from shared.domain.errors import RequestError, invalid
from shared.domain.logline import logline
from shared.domain.prepared import prepared
from shared.domain.reading import decode_body
from shared.domain.resource_id import MachineId, machine_id
from shared.settings import SettingError
from shared.wiring import Services, new_id, services

log = logging.getLogger(__name__)
# One template serves Azure VMs and Arc machines.
MACHINE = "subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{kind}/{name}"
LARGEST_BODY = 256 * 1024  # bytes; Azure's installPatches bodies are a few kilobytes (ours)
# The first version with on-demand patching; every later one is taken, for SDKs and the CLI each bring their own.
OLDEST_VERSION = "2020-06-01"
# The first stable version with dynamic scopes, the one that the current SDK sends (design, "the API is Azure's").
MAINTENANCE_VERSION = "2023-04-01"
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-(preview|beta|alpha))?")
_REQUEST_ID = "x-ms-client-request-id"
LONGEST_LOGGED = 200  # characters of what a caller wrote, in one log line (ours)
LONGEST_NUMBER = 9  # digits of a number in a query (ours): far more than any of them needs
LONGEST_REQUEST_ID = 128  # characters; Azure's are GUIDs (ours)

Body = dict[str, Any] | list[Any]
_Kind = TypeVar("_Kind")


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request, with the caller that App Service authentication let in."""

    request: func.HttpRequest
    who: str
    services: Services

    @property
    def machine(self) -> MachineId:
        """Raises RequestError 404 when the route's parameters name no machine."""
        route = self.request.route_params
        return machine_id(route["subscription"], route["group"], route["provider"], route["kind"], route["name"])

    @property
    def request_id(self) -> str:
        """The caller's own id of this request, else one of ours."""
        given = self.request.headers.get(_REQUEST_ID) or new_id()
        if len(given) > LONGEST_REQUEST_ID:
            raise invalid(_REQUEST_ID, f"{_REQUEST_ID} may have at most {LONGEST_REQUEST_ID} characters.")
        return given


def answer(request: func.HttpRequest, handle: Callable[[Call], func.HttpResponse]) -> func.HttpResponse:
    """Handle a request; every refusal becomes Azure's error body."""
    try:
        return handle(_call(request))
    except RequestError as refusal:
        facts = {"status": refusal.status, "code": refusal.code, "target": refusal.target[:LONGEST_LOGGED]}
        log.info(logline("refused", method=request.method, **facts))
        return error(refusal)
    except SettingError as missing:
        log.exception("settings are not usable")
        return error(RequestError(503, "ServiceNotConfigured", str(missing)))
    except Exception:
        log.exception(logline("request failed", method=request.method))
        return error(RequestError(500, "InternalServerError", "The request failed; the app's log says why."))


def error(refusal: RequestError) -> func.HttpResponse:
    body: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.target:
        body["target"] = refusal.target
    headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else None
    return reply({"error": {**body, "details": []}}, refusal.status, headers)


def reply(body: Body, status: int = 200, headers: dict[str, str] | None = None) -> func.HttpResponse:
    return func.HttpResponse(
        msgspec.json.encode(body), status_code=status, headers=headers or {}, mimetype="application/json"
    )


def resource_reply(call: Call, body: Body, etag: str, status: int = 200) -> func.HttpResponse:
    """A resource with its ETag; 304 to a reader who has it already."""
    if call.request.method == "GET" and is_known(condition(call), etag):
        return func.HttpResponse(status_code=304, headers={"ETag": etag})
    return reply(body, status, {"ETag": etag})


def condition(call: Call) -> Condition:
    """`If-Match` and `If-None-Match`."""
    headers = call.request.headers
    return Condition(if_match=headers.get("If-Match", ""), if_none_match=headers.get("If-None-Match", ""))


def require_version(call: Call, oldest: str = OLDEST_VERSION) -> str:
    """The api-version, as ARM requires one. Raises RequestError 400."""
    version: str = call.request.params.get("api-version", "")
    if not version:
        raise RequestError(
            400, "MissingApiVersionParameter", "The api-version query parameter is required.", "api-version"
        )
    if not _VERSION.fullmatch(version) or version < oldest:
        message = f"The api-version '{version}' is not supported; use {oldest} or newer."
        raise RequestError(400, "InvalidApiVersionParameter", message, "api-version")
    return version


def read_body(call: Call) -> bytes:
    body = call.request.get_body() or b""
    if len(body) > LARGEST_BODY:
        raise RequestError(413, "RequestEntityTooLarge", f"A body may have at most {LARGEST_BODY} bytes.", "body")
    return body


def read_json(call: Call, kind: type[_Kind]) -> _Kind:
    """The body as a value of this kind. Raises RequestError 400 or 413."""
    return decode_body(read_body(call), kind)


def page_size(call: Call, default: int, most: int) -> int:
    """`$top`. Raises RequestError 400."""
    text = call.request.params.get("$top", str(default))
    if len(text) > LONGEST_NUMBER or not text.isdecimal() or not 1 <= int(text) <= most:
        raise invalid("$top", f"$top must be a whole number from 1 to {most}.")
    return int(text)


def page_token(call: Call, kind: type[_Kind]) -> _Kind | None:
    """`$skiptoken`, where a list goes on. Raises RequestError 400 for one that is not ours."""
    token = call.request.params.get("$skiptoken", "")
    if not token:
        return None
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(token.encode()), type=prepared(kind))
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise invalid("$skiptoken", "The page token is not one of ours; use nextLink as it was given.") from error


def next_link(call: Call, path: str, token: msgspec.Struct) -> str:
    """An absolute URL that repeats this request's filters and goes on where it stopped."""
    kept = [(name, value) for name, value in call.request.params.items() if name != "$skiptoken"]
    packed = base64.urlsafe_b64encode(msgspec.json.encode(token)).decode()
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in [*kept, ("$skiptoken", packed)])
    return f"{call.services.settings.base_url}/{quote(path)}?{query}"


def _call(request: func.HttpRequest) -> Call:
    """Raises RequestError 401 when App Service authentication is off or let nobody in."""
    built = services()
    who = request.headers.get("x-ms-client-principal-id", "")
    if not built.settings.authenticated or not who:
        message = "Authentication is required: the app answers only behind App Service authentication."
        raise RequestError(401, "AuthenticationFailed", message)
    return Call(request=request, who=who, services=built)
