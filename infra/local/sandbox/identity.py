"""Tokens: who calls, signed with a key made at start and checked on every ARM request."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.local.sandbox.config import SandboxConfig, seeded_guid
from infra.local.sandbox.http import Json, Refusal, Request, Response, json_response

MANAGEMENT = "https://management.azure.com"
EVENT_GRID = "https://eventgrid.azure.net"
"""Whom tokens for Event Grid's topics are for. Source: azure-eventgrid, its default scope."""
LIFETIME = timedelta(hours=24)
_KEY_ID = "sandbox-1"
_MANAGEMENT_NAMES = (MANAGEMENT, "https://management.core.windows.net")


class Caller(msgspec.Struct, frozen=True):
    """Who sent a request: the token's object id and name."""

    id: str
    name: str


class Identity:
    """Issues and checks tokens of one tenant. `origin` is where ARM listens, and the issuer's address.

    Without a key it makes one of its own, which takes longer than making all the rest of a sandbox.
    """

    def __init__(self, config: SandboxConfig, key: rsa.RSAPrivateKey | None = None) -> None:
        self._key = key or new_key()
        self._config = config
        self._known: dict[str, Json] = {}
        self._callers: dict[tuple[str, str], tuple[Caller, int]] = {}
        """Whose requests carry this header, for this audience, and the second at which its token expires."""
        self.identity_header = seeded_guid(config.seed, "identity header")

    @property
    def issuer(self) -> str:
        return f"{self._config.origin}/{self._config.tenant}/v2.0"

    def owner_token(self, now: datetime) -> str:
        """The token of the person who runs the sandbox: valid for ARM, for topics and for the app."""
        return self._sign("owner", "Olivia Owner", [MANAGEMENT, EVENT_GRID, self._config.app_audience], now)

    def caller(self, request: Request, now: datetime, audience: str = MANAGEMENT) -> Caller:
        """Whose request this is, with a token for this audience. Raises Refusal 401 in ARM's words."""
        given = request.header("Authorization")
        caller, expires = self._callers.get((given, audience), (None, 0))
        if caller is not None and now.timestamp() < expires:
            return caller
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _refuse("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        claims = self._claims(token.strip())
        if claims["exp"] <= now.timestamp():
            raise _refuse("ExpiredAuthenticationToken", "The access token has expired.")
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if not any(_is_for(each, audience) for each in audiences):
            message = f"The access token has been obtained for wrong audience or resource '{claims['aud']}'."
            raise _refuse("InvalidAuthenticationTokenAudience", message)
        caller = Caller(str(claims["oid"]), str(claims.get("name", "")))
        self._callers[given, audience] = caller, claims["exp"]
        return caller

    def openid_configuration(self) -> Response:
        base = f"{self._config.origin}/{self._config.tenant}"
        return json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "response_types_supported": ["code", "id_token", "token"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    def keys(self) -> Response:
        key = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return json_response({"keys": [{**key, "kid": _KEY_ID, "use": "sig", "alg": "RS256"}]})

    def token_endpoint(self, request: Request, now: datetime) -> Response:
        """Client credentials: any client id is a principal of this tenant, any secret is right."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        client = form.get("client_id", "")
        resource = form.get("resource") or form.get("scope", "").split(" ")[0].removesuffix("/.default")
        if not client or not resource:
            return _oauth_error("invalid_request", "client_id and scope are needed.")
        token = self._sign(f"client:{client}", client, self._audience(resource), now)
        lifetime = int(LIFETIME.total_seconds())
        return json_response(
            {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token}
        )

    def managed_identity(self, request: Request, now: datetime) -> Response:
        """App Service's endpoint, api-version 2019-08-01: the header must be the one the app was given."""
        if request.header("X-IDENTITY-HEADER") != self.identity_header:
            return json_response({"statusCode": 401, "message": "The identity header is missing or wrong."}, status=401)
        resource = request.query.get("resource", "")
        audience = self._audience(resource)
        if audience not in (MANAGEMENT, EVENT_GRID):
            return _oauth_error("invalid_resource", f"The resource '{resource}' is not known in this tenant.")
        return json_response(
            {
                "access_token": self._sign("app", "open-update-manager", audience, now),
                "expires_on": str(int((now + LIFETIME).timestamp())),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": seeded_guid(self._config.seed, "client", "app"),
            }
        )

    def _audience(self, resource: str) -> str:
        """The sandbox's own address stands for management: an SDK with another base URL asks for that."""
        host = urlsplit(resource).hostname
        return MANAGEMENT if _is_for(resource, MANAGEMENT) or host in ("127.0.0.1", "localhost") else resource

    def _sign(self, who: str, name: str, audience: str | list[str], now: datetime) -> str:
        client = seeded_guid(self._config.seed, "client", who)
        claims = {
            "aud": audience,
            "iss": self.issuer,
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int((now + LIFETIME).timestamp()),
            "tid": self._config.tenant,
            "oid": seeded_guid(self._config.seed, "principal", who),
            "appid": client,
            "azp": client,
            "name": name,
            "ver": "2.0",
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": _KEY_ID})

    def _claims(self, token: str) -> dict[str, Any]:
        """The claims of a token we signed; time and audience are judged by the caller, with the sandbox's clock."""
        if token not in self._known:
            try:
                self._known[token] = jwt.decode(
                    token,
                    self._key.public_key(),
                    algorithms=["RS256"],
                    issuer=self.issuer,
                    options={
                        "require": ["exp", "aud", "oid"],
                        "verify_exp": False,
                        "verify_nbf": False,
                        "verify_iat": False,
                        "verify_aud": False,
                    },
                )
            except jwt.InvalidTokenError as error:
                raise _refuse("InvalidAuthenticationToken", f"The access token is invalid: {error}.") from error
        return self._known[token]


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _is_for(given: str, audience: str) -> bool:
    return given.rstrip("/") in (_MANAGEMENT_NAMES if audience == MANAGEMENT else (audience,))


def _refuse(code: str, message: str) -> Refusal:
    refusal = Refusal(401, code, message)
    refusal.headers = {"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{code}"'}
    return refusal


def _oauth_error(code: str, message: str) -> Response:
    return json_response({"error": code, "error_description": message}, status=400)
