"""A machine's address: its ARM resource id, and the storage keys made from it."""

import re
from functools import cached_property, lru_cache

import msgspec

from shared.domain.errors import RequestError

VM_TYPE = "Microsoft.Compute/virtualMachines"
ARC_TYPE = "Microsoft.HybridCompute/machines"
_TYPES = {VM_TYPE.lower(): VM_TYPE, ARC_TYPE.lower(): ARC_TYPE}
_FAMILIES = {VM_TYPE: "vm", ARC_TYPE: "arc"}
_PLAIN = re.compile(r"[a-z0-9._()-]*")
# Texts whose parsing or encoding is remembered, and the longest of them, characters (ours): a worker asks for the same
# few again and again; under 32 MiB. Azure's own ids are far shorter, but callers send what they like.
KEPT, LONGEST_KEPT = 4096, 512
# /subscriptions/{s}/resourceGroups/{g}/providers/{p}/{t}/{n} split at the slashes
_SEGMENTS = 9


class MachineId(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The ARM id of an Azure VM or an Arc machine, spelling of the names kept as it came in."""

    subscription: str
    group: str
    type: str
    name: str

    def __str__(self) -> str:
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/{self.type}/{self.name}"

    @property
    def is_vm(self) -> bool:
        return self.type == VM_TYPE

    @property
    def provider(self) -> str:
        return self.type.partition("/")[0]

    @cached_property
    def scope(self) -> str:
        """Partition key of the machines table: one resource group."""
        return f"{encode_key(self.subscription)}|{encode_key(self.group)}"

    @cached_property
    def row(self) -> str:
        """Row key of the machines table: `vm|name` or `arc|name`."""
        return f"{_FAMILIES[self.type]}|{encode_key(self.name)}"

    @cached_property
    def key(self) -> str:
        """Partition key of the tables kept per machine."""
        return f"{self.scope}|{self.row}"


def machine_id(subscription: str, group: str, provider: str, kind: str, name: str) -> MachineId:
    """The id with these route parameters. Raises RequestError 404 for a type that is not a machine."""
    known = _TYPES.get(f"{provider}/{kind}".lower())
    if known is None or not (subscription and group and name):
        message = f"The resource type '{provider}/{kind}' is not a machine; use {VM_TYPE} or {ARC_TYPE}."
        raise RequestError(404, "InvalidResourceType", message, f"{provider}/{kind}")
    return MachineId(subscription=subscription.lower(), group=group, type=known, name=name)


def parse_machine_id(text: str) -> MachineId:
    """The id written as ARM writes it, any casing. Raises RequestError when it is not a machine's."""
    return _parsed(text) if len(text) <= LONGEST_KEPT else _parsed.__wrapped__(text)


@lru_cache(KEPT)
def _parsed(text: str) -> MachineId:
    parts = text.split("/")
    if len(parts) != _SEGMENTS or [parts[i].lower() for i in (0, 1, 3, 5)] != ["", *_LITERALS]:
        raise RequestError(400, "LinkedInvalidPropertyId", f"'{text}' is not a machine's resource id.", "id")
    return machine_id(parts[2], parts[4], parts[6], parts[7], parts[8])


_LITERALS = ["subscriptions", "resourcegroups", "providers"]


def encode_key(text: str) -> str:
    """Lower case; letters and digits of any script and `-_.()` as they are, every other character as `~HH` a byte.

    Texts that differ in more than case never share a key. Source: "Understanding the Table service data model":
    slashes, `#`, `?` and control characters are forbidden; `|` stays free as our separator, `~` as our escape.
    """
    return _encoded(text) if len(text) <= LONGEST_KEPT else _encoded.__wrapped__(text)


@lru_cache(KEPT)
def _encoded(text: str) -> str:
    lower = text.lower()
    if _PLAIN.fullmatch(lower):
        return lower
    return "".join(char if char.isalnum() or char in "-_.()" else _escaped(char) for char in lower)


def _escaped(char: str) -> str:
    return "".join(f"~{byte:02X}" for byte in char.encode())
