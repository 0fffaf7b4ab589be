"""Any request to the app with its whole answer: status, headers and body, whatever the status."""

import json
import urllib.error
import urllib.request
from typing import Any

import msgspec

from infra.local.stack import Stack

VERSION = "api-version=2023-04-01"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    etag: str = ""
    body: Any = None

    @property
    def error(self) -> tuple[str, str]:
        """Azure's code, and the field to mend."""
        return self.body["error"]["code"], self.body["error"].get("target", "")


def ask(stack: Stack, method: str, path: str, body: object = None, **headers: str) -> Answer:
    """`headers` with `_` for `-`; the api-version is added where the path has no query."""
    target = stack.host.app + (path if "?" in path else f"{path}?{VERSION}")
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    login = {"Authorization": f"Bearer {stack.cloud.token}", "Content-Type": "application/json"}
    sent = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(target, sent, login | given, method=method)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            return _answer(answer.status, answer.headers.get("ETag", ""), answer.read())
    except urllib.error.HTTPError as refusal:
        return _answer(refusal.code, refusal.headers.get("ETag", ""), refusal.read())


def _answer(status: int, etag: str, content: bytes) -> Answer:
    return Answer(status=status, etag=etag, body=json.loads(content) if content else None)
