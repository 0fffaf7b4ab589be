"""App Service authentication, the part an API needs: only requests with a valid token of the issuer reach the app.

RS256 signatures against the issuer's published keys, `aud` must contain the app's audience, `iss` and `exp` must
be right. Source: "Authentication and authorization in Azure App Service", token validation for an API.
"""

import asyncio
import ssl
import time
from typing import Final

import aiohttp
import jwt
import msgspec

from infra.local.host.log import Logger
from infra.local.host.principal import Claims

ISSUER_SECONDS: Final = 10.0
# A token with an unknown key makes the keys be read again, but not more often than this.
KEYS_AGAIN_SECONDS: Final = 5.0


class Unauthorized(Exception):
    """The request has no valid token; the text says why and never holds the token."""


class IssuerUnreachable(Exception):
    """The issuer's keys could not be read."""


class TokenOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Whose tokens count, for which audience; `ca` is a PEM file that the issuer's certificate chains to."""

    issuer: str
    audience: str
    ca: str | None = None


class Authentication:
    """Checks tokens; keeps the issuer's keys."""

    def __init__(self, options: TokenOptions, logger: Logger) -> None:
        self._options = options
        self._logger = logger
        self._tls = ssl.create_default_context(cafile=options.ca)
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def claims(self, authorization: str) -> Claims:
        """The claims of a bearer token. Raises Unauthorized or IssuerUnreachable."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("no bearer token")
        token = token.strip()
        try:
            key = await self._key(str(jwt.get_unverified_header(token).get("kid", "")))
            return self._decoded(token, key)
        except jwt.PyJWTError as error:
            raise Unauthorized(f"{type(error).__name__}: {error}") from error

    def _decoded(self, token: str, key: jwt.PyJWK) -> Claims:
        claims: Claims = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            audience=self._options.audience,
            issuer=self._options.issuer,
            options={"require": ["exp", "aud", "iss"]},
        )
        return claims

    async def _key(self, key_id: str) -> jwt.PyJWK:
        async with self._reading:
            if key_id not in self._keys and time.monotonic() - self._read_at > KEYS_AGAIN_SECONDS:
                self._keys = await self._read_keys()
                self._read_at = time.monotonic()
        if key_id not in self._keys:
            raise Unauthorized("signed with a key the issuer does not publish")
        return self._keys[key_id]

    async def _read_keys(self) -> dict[str, jwt.PyJWK]:
        """Raises IssuerUnreachable."""
        timeout = aiohttp.ClientTimeout(total=ISSUER_SECONDS)
        connector = aiohttp.TCPConnector(ssl=self._tls)
        try:
            async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
                base = self._options.issuer.rstrip("/")
                configuration = await _document(session, f"{base}/.well-known/openid-configuration")
                keys = jwt.PyJWKSet.from_dict(await _document(session, str(configuration["jwks_uri"])))
        except (aiohttp.ClientError, TimeoutError, KeyError, ValueError, jwt.PyJWTError) as error:
            self._logger.error(f"The issuer's keys cannot be read: {type(error).__name__}: {error}")
            raise IssuerUnreachable from error
        return {str(key.key_id): key for key in keys.keys}


async def _document(session: aiohttp.ClientSession, url: str) -> dict[str, object]:
    """Raises aiohttp.ClientError, TimeoutError, ValueError."""
    async with session.get(url, raise_for_status=True) as response:
        document = await response.json(content_type=None)
        if not isinstance(document, dict):
            raise ValueError(f"{url} did not answer an object")
        return document
