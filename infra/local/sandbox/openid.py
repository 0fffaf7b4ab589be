"""The addresses of the identity endpoints: OpenID, tokens, managed identity, and what `az` reads to know a cloud."""

from datetime import datetime

from infra.local.sandbox.config import SandboxConfig
from infra.local.sandbox.http import Request, Response, json_response
from infra.local.sandbox.identity import MANAGEMENT, Identity

_OF_RESOURCES = ("/subscriptions", "/providers/")
"""How the paths begin that most requests ask for."""


def identity_answer(identity: Identity, config: SandboxConfig, request: Request, now: datetime) -> Response | None:
    """The answer of an identity endpoint; None when the path is none of them."""
    if request.path.startswith(_OF_RESOURCES):
        return None
    tenant = f"/{config.tenant}"
    called = (request.method.upper(), request.path.lower())
    match called:
        case ("GET", "/msi/token"):
            return identity.managed_identity(request, now)
        case ("GET", "/metadata/endpoints"):
            return _endpoints(config)
        case ("GET", path) if path in (_openid(tenant), _openid(f"{tenant}/v2.0")):
            return identity.openid_configuration()
        case ("GET", path) if path == f"{tenant}/discovery/v2.0/keys":
            return identity.keys()
        case ("POST", path) if path in (f"{tenant}/oauth2/v2.0/token", f"{tenant}/oauth2/token"):
            return identity.token_endpoint(request, now)
    return None


def _openid(base: str) -> str:
    return f"{base}/.well-known/openid-configuration"


def _endpoints(config: SandboxConfig) -> Response:
    """What `az cloud register` reads: one object."""
    return json_response(
        {
            "name": "sandbox",
            "portal": config.origin,
            "gallery": config.origin,
            "graph": config.origin,
            "graphAudience": config.origin,
            "resourceManager": config.origin,
            "authentication": {
                "loginEndpoint": config.origin,
                "audiences": [MANAGEMENT],
                "tenant": config.tenant,
                "identityProvider": "AAD",
            },
            "suffixes": {"storage": "core.windows.net", "keyVaultDns": "vault.azure.net"},
        }
    )
