"""The headers App Service authentication adds for the caller of a request. Pure.

Source: "Work with user identities in Azure App Service authentication": X-MS-CLIENT-PRINCIPAL and its claims.
"""

import base64
from collections.abc import Mapping
from typing import Final

import msgspec

Claims = Mapping[str, object]

# Inbound headers that begin like these are taken away first: only the platform may say who calls. Other x-ms-*
# headers, e.g. x-ms-client-request-id, are the client's own and pass.
FORGEABLE: Final = ("x-ms-client-principal", "x-ms-token-", "x-ms-auth-")

_NAME_TYPE: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
_ROLE_TYPE: Final = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
# The platform's long names for these claims; others keep their own.
_LONG_NAMES: Final = {
    "oid": "http://schemas.microsoft.com/identity/claims/objectidentifier",
    "tid": "http://schemas.microsoft.com/identity/claims/tenantid",
    "sub": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
    "email": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
}
# Who the caller is called, in this order; a token of an application has only the last ones.
_NAME_CLAIMS: Final = ("preferred_username", "upn", "unique_name", "email", "name", "appid", "azp")


def principal_headers(claims: Claims) -> dict[str, str]:
    """The X-MS-CLIENT-PRINCIPAL* headers, names in lower case."""
    headers = {
        "x-ms-client-principal-idp": "aad",
        "x-ms-client-principal-id": str(claims.get("oid") or claims.get("sub") or ""),
        "x-ms-client-principal": base64.b64encode(msgspec.json.encode(_document(claims))).decode(),
    }
    name = next((str(claims[claim]) for claim in _NAME_CLAIMS if claims.get(claim)), "")
    return {**headers, "x-ms-client-principal-name": name} if name else headers


def _document(claims: Claims) -> dict[str, object]:
    flat = [
        {"typ": _LONG_NAMES.get(name, name), "val": _value(value)}
        for name, values in claims.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    return {"auth_typ": "aad", "claims": flat, "name_typ": _NAME_TYPE, "role_typ": _ROLE_TYPE}


def _value(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
