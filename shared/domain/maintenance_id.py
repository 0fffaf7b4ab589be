"""Addresses of Microsoft.Maintenance: a maintenance configuration's ARM id, and the storage keys made from it."""

import re

import msgspec

from shared.domain.errors import RequestError, invalid
from shared.domain.resource_id import encode_key

PROVIDER = "Microsoft.Maintenance"
CONFIGURATION_TYPE = f"{PROVIDER}/maintenanceConfigurations"
ASSIGNMENT_TYPE = f"{PROVIDER}/configurationAssignments"
# Names of group and configuration together stay below this. Source: documentation of maintenance configurations.
NAMES_BELOW = 128  # characters
# Ours: two such names, a resource group and a subscription fit into one key of storage, 512 characters.
LONGEST_KEY = 150
_SHAPE = re.compile(
    r"/subscriptions/([^/]+)/resourcegroups/([^/]+)/providers/microsoft\.maintenance/maintenanceconfigurations/([^/]+)",
    re.IGNORECASE,
)
_FORBIDDEN = re.compile(r"[<>%&:\\?/#\x00-\x1f\x7f]")  # Source: Azure Resource Manager, naming rules for resources


class ConfigurationId(msgspec.Struct, frozen=True, kw_only=True):
    """The address of a configuration, spelling of the names kept as it came in."""

    subscription: str
    group: str
    name: str

    def __str__(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/{CONFIGURATION_TYPE}/{self.name}"
        )

    @property
    def scope(self) -> str:
        """Partition key of the configurations table: one subscription, which is also listed as a whole."""
        return encode_key(self.subscription)

    @property
    def row(self) -> str:
        """Row key: those of one resource group stand together."""
        return f"{encode_key(self.group)}|{encode_key(self.name)}"

    @property
    def key(self) -> str:
        """One text for the whole address, equal for equal configurations; partition key of their runs."""
        return f"{self.scope}|{self.row}"


def configuration_id(subscription: str, group: str, name: str) -> ConfigurationId:
    """The id with these route parameters. Raises RequestError 400 for a name that cannot be one."""
    check_name(name)
    if len(group) + len(name) >= NAMES_BELOW:
        message = (
            f"The names of resource group and configuration together must be shorter than {NAMES_BELOW} characters."
        )
        raise invalid("name", message)
    return ConfigurationId(subscription=subscription.lower(), group=group, name=name)


def parse_configuration_id(text: str, target: str) -> ConfigurationId:
    """The id written as ARM writes it, any casing. Raises RequestError 400 naming `target` when it is none."""
    found = _SHAPE.fullmatch(text.strip().rstrip("/"))
    if found is None:
        message = f"'{text}' is not the resource id of a maintenance configuration."
        raise RequestError(400, "LinkedInvalidPropertyId", message, target)
    return configuration_id(*found.groups())


def check_name(name: str) -> None:
    """Raises RequestError 400 for a name that Azure Resource Manager would not take."""
    if not name or _FORBIDDEN.search(name) or name != name.strip() or name.endswith("."):
        message = (
            f"'{name}' cannot be a name: no control characters, none of <>%&:\\?/#, no blank or full stop at its end."
        )
        raise invalid("name", message)
    if len(name) >= NAMES_BELOW or len(encode_key(name)) > LONGEST_KEY:
        text = f"A name has fewer than {NAMES_BELOW} characters, and few other than letters, digits and -_.()"
        raise invalid("name", f"{text}.")
