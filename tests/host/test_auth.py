"""App Service authentication in front of the app: which tokens count, and who the app is told is calling."""

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.host.running import RunningHost, started, wait_until, write_app

AUDIENCE = "api://test-app"
TENANT = "11111111-1111-1111-1111-111111111111"

CODE = """
import json, os
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="{*path}")
def everything(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(json.dumps({"headers": dict(req.headers), "on": os.environ.get("WEBSITE_AUTH_ENABLED")}))
"""


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Issuer:
    """An OpenID issuer on loopback: its configuration and its keys over HTTPS. Keys may be added while it runs."""

    def __init__(self, folder: Path) -> None:
        self.keys: dict[str, rsa.RSAPrivateKey] = {}
        self.asked: list[str] = []
        authority = trustme.CA()
        self.ca = folder / "issuer-ca.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.base = f"https://127.0.0.1:{self.server.server_port}"
        self.url = f"{self.base}/{TENANT}/v2.0"
        self.add_key("first")
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add_key(self, name: str) -> None:
        self.keys[name] = new_key()

    def token(self, key: str | rsa.RSAPrivateKey = "first", kid: str = "first", **changes: Any) -> str:  # noqa: ANN401
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.url,
            "aud": ["https://management.azure.com", AUDIENCE],
            "iat": now,
            "exp": now + 600,
            "oid": "22222222-2222-2222-2222-222222222222",
            "tid": TENANT,
            "name": "Ada Löve",
            "roles": ["Reader", "Writer"],
            **changes,
        }
        present = {name: value for name, value in claims.items() if value is not None}
        private = self.keys[key] if isinstance(key, str) else key
        return jwt.encode(present, private, algorithm="RS256", headers={"kid": kid})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                body = json.dumps(issuer.document(self.path)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base class's signature
                """Quiet."""

        return Handler

    def document(self, path: str) -> dict[str, Any]:
        if path.endswith("/.well-known/openid-configuration"):
            return {"issuer": self.url, "jwks_uri": f"{self.base}/keys"}
        public = jwt.algorithms.RSAAlgorithm.to_jwk
        return {"keys": [{**public(k.public_key(), as_dict=True), "kid": name} for name, k in self.keys.items()]}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    running = Issuer(tmp_path_factory.mktemp("issuer"))
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[RunningHost]:
    app = write_app(tmp_path_factory.mktemp("app"), CODE)
    arguments = ("--issuer", issuer.url, "--audience", AUDIENCE, "--ca", str(issuer.ca))
    with started(app, *arguments, AzureWebJobsDisableHomepage="true") as running:
        yield running


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_valid_token_is_let_in_and_named(host: RunningHost, issuer: Issuer) -> None:
    seen = host.call("GET", "/x", headers=bearer(issuer.token())).json()
    headers = seen["headers"]
    assert seen["on"] == "True"
    assert headers["x-ms-client-principal-id"] == "22222222-2222-2222-2222-222222222222"
    assert headers["x-ms-client-principal-name"] == "Ada Löve"
    assert headers["x-ms-client-principal-idp"] == "aad"
    principal = json.loads(base64.b64decode(headers["x-ms-client-principal"]))
    claims = [(claim["typ"], claim["val"]) for claim in principal["claims"]]
    assert ("http://schemas.microsoft.com/identity/claims/objectidentifier", headers["x-ms-client-principal-id"]) in (
        claims
    )
    assert ("http://schemas.microsoft.com/identity/claims/tenantid", TENANT) in claims
    assert ("name", "Ada Löve") in claims
    assert [value for kind, value in claims if kind == "roles"] == ["Reader", "Writer"]
    assert [value for kind, value in claims if kind == "aud"] == ["https://management.azure.com", AUDIENCE]


def test_a_single_audience_is_enough(host: RunningHost, issuer: Issuer) -> None:
    assert host.call("GET", "/x", headers=bearer(issuer.token(aud=AUDIENCE))).status == 200


def test_the_scheme_is_written_in_any_case(host: RunningHost, issuer: Issuer) -> None:
    assert host.call("GET", "/x", headers={"authorization": f"bearer {issuer.token()}"}).status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://management.azure.com"},
        {"aud": ["api://other", AUDIENCE + "/"]},
        {"aud": None},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"iss": "https://login.example.com/x/v2.0"},
        {"iss": None},
        {"nbf": 4_000_000_000},
        {"kid": "unknown"},
        {"key": new_key()},
    ],
    ids=lambda changes: ",".join(changes),
)
def test_a_wrong_token_is_refused(host: RunningHost, issuer: Issuer, changes: dict[str, Any]) -> None:
    answer = host.call("GET", "/x", headers=bearer(issuer.token(**changes)))
    assert (answer.status, answer.body) == (401, b"")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer a.b.c", "Basic YTpi", "token"])
def test_without_a_token_nobody_is_let_in(host: RunningHost, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for path in ("/", "/x", "/.auth/me", "/%61dmin/host/status"):
        assert host.call("GET", path, headers=headers).status == 401, path


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_other_algorithms_are_refused(host: RunningHost, issuer: Issuer, algorithm: str) -> None:
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    secret = "" if algorithm == "none" else "x" * 32
    token = jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": "first"})
    assert host.call("GET", "/x", headers=bearer(token)).status == 401


def test_a_changed_token_is_refused(host: RunningHost, issuer: Issuer) -> None:
    head, body, signature = issuer.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**claims, "oid": "me"}).encode()).rstrip(b"=").decode()
    assert host.call("GET", "/x", headers=bearer(f"{head}.{forged}.{signature}")).status == 401


def test_forged_platform_headers_never_reach_the_app(host: RunningHost, issuer: Issuer) -> None:
    forged = {
        "X-MS-CLIENT-PRINCIPAL": "forged",
        "x-ms-client-principal-id": "forged",
        "X-Ms-Client-Principal-Name": "forged",
        "X-MS-CLIENT-PRINCIPAL-IDP": "forged",
        "X-MS-TOKEN-AAD-ACCESS-TOKEN": "forged",
        "X-MS-AUTH-TOKEN": "forged",
    }
    own = {"x-ms-client-request-id": "mine", "x-ms-return-client-request-id": "true"}
    headers = {**forged, **own, **bearer(issuer.token(name=None))}
    seen = host.call("GET", "/x", headers=headers).json()["headers"]
    assert "forged" not in seen.values()
    assert "x-ms-client-principal-name" not in seen
    assert own.items() <= seen.items()


def test_a_new_key_of_the_issuer_is_found(host: RunningHost, issuer: Issuer) -> None:
    issuer.add_key("second")
    headers = bearer(issuer.token(key="second", kid="second"))
    wait_until(lambda: host.call("GET", "/x", headers=headers).status == 200, "the keys were read again")


def test_the_keys_are_not_read_for_every_unknown_key(host: RunningHost, issuer: Issuer) -> None:
    host.call("GET", "/x", headers=bearer(issuer.token(kid="unknown")))
    before = len(issuer.asked)
    for _ in range(20):
        assert host.call("GET", "/x", headers=bearer(issuer.token(kid="unknown"))).status == 401
    assert len(issuer.asked) - before <= 4


def test_admin_asks_for_the_key_instead(host: RunningHost, issuer: Issuer) -> None:
    assert host.admin("GET", "host/status").status == 200
    assert host.call("GET", "/admin/host/status", headers=bearer(issuer.token())).status == 401


def test_no_token_is_ever_logged(host: RunningHost, issuer: Issuer) -> None:
    good, bad = issuer.token(), issuer.token(aud="api://other", jti="x" * 40)
    host.call("GET", "/x", headers=bearer(good))
    host.call("GET", "/y", headers=bearer(bad))
    wait_until(lambda: bool(host.log("Refused", why="InvalidAudienceError: Audience doesn't match")), "refusal logged")
    text = "".join(host.raw)
    for token in (good, bad):
        assert token not in text
        assert token.split(".")[1] not in text
        assert token.split(".")[2] not in text


def test_an_unreachable_issuer_is_a_503(tmp_path: Path, issuer: Issuer) -> None:
    app = write_app(tmp_path / "app", CODE)
    with started(app, "--issuer", "https://127.0.0.1:1/t/v2.0", "--audience", AUDIENCE) as host:
        assert host.call("GET", "/x", headers=bearer(issuer.token())).status == 503
        assert host.call("GET", "/x").status == 401


def test_an_issuer_with_an_untrusted_certificate_is_a_503(tmp_path: Path, issuer: Issuer) -> None:
    with started(write_app(tmp_path, CODE), "--issuer", issuer.url, "--audience", AUDIENCE) as host:
        assert host.call("GET", "/x", headers=bearer(issuer.token())).status == 503


def test_without_an_issuer_headers_pass_as_they_came(tmp_path: Path) -> None:
    with started(write_app(tmp_path, CODE)) as host:
        seen = host.call("GET", "/x", headers={"x-ms-client-principal-id": "anybody"}).json()
        assert seen["headers"]["x-ms-client-principal-id"] == "anybody"
        assert seen["on"] is None
