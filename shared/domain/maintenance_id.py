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
LONGEST_GROUP = 90  # characters. Source: Azure Resource Manager, naming rules for resources
_SUBSCRIPTION = re.compile(r"[0-9A-Za-z-]{1,64}")
_GROUP = re.compile(r"[\w().-]{1,90}(?<!\.)")
_ROW = re.compile(r"[\w().~|-]{1,480}")  # what `encode_key` gives out, and our separator
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
    check_place(subscription, group)
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


def check_place(subscription: str, group: str = "") -> None:
    """Raises RequestError 400 for a subscription or a resource group that cannot be one; `group` empty: not asked."""
    if not _SUBSCRIPTION.fullmatch(subscription):
        message = f"The provided subscription identifier '{subscription[:LONGEST_GROUP]}' is malformed or invalid."
        raise RequestError(400, "InvalidSubscriptionId", message, "subscriptionId")
    if group and not (_GROUP.fullmatch(group) and len(encode_key(group)) <= LONGEST_KEY):
        text = f"'{group[:LONGEST_GROUP]}' cannot be a resource group: 1 to {LONGEST_GROUP} letters, digits and -_.()"
        raise invalid("resourceGroupName", f"{text}, no full stop at its end.")


def check_row(text: str) -> str:
    """A row key out of a page token. Raises RequestError 400 for one that no row can have."""
    if not _ROW.fullmatch(text):
        raise invalid("$skiptoken", "The page token is not one of ours; use nextLink as it was given.")
    return text
