"""The filter of a dynamic scope: which machines of a subscription or resource group it takes, and why not the others.

Source of the fields: Microsoft.Maintenance ConfigurationAssignmentFilterProperties. A filter that is left out takes
everything; filters that are given have to hold together; inside one the values are alternatives. Everything is compared
without regard to case, and regions by their short names. It is evaluated when a run is planned, not when it is written.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from shared.domain.errors import invalid
from shared.domain.location import region
from shared.domain.machine import Machine, OperatingSystem
from shared.domain.reason import Reason, reason
from shared.domain.resource_id import ARC_TYPE, VM_TYPE, MachineId

AT = "properties.filter"
# Source: Update Manager documentation, service limits of dynamic scopes.
MOST_TAGS = 50
MOST_GROUPS = 50
# Ours.
MOST_VALUES = 100  # values of one tag, locations, types
LONGEST_VALUE = 512  # characters; Azure's longest tag name
_TYPES = {name.lower(): name for name in (VM_TYPE, ARC_TYPE)}
_SYSTEMS = {name.lower(): name.value for name in (OperatingSystem.WINDOWS, OperatingSystem.LINUX)}


class TagOperator(StrEnum):
    """Whether a machine needs all of the tags, or one of them."""

    ALL = "All"
    ANY = "Any"


# The specification gives no default; this is what the Terraform provider documents.
DEFAULT_OPERATOR = TagOperator.ANY
_OPERATORS = {operator.lower(): operator for operator in TagOperator}


class _Block(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Written back without what was left out."""


class TagSettings(_Block, frozen=True):
    """Tag names, each with the values that will do."""

    tags: dict[str, tuple[str, ...]] | None = None
    filter_operator: str | None = None


class Filter(_Block, frozen=True):
    """Azure's five filters; one that is left out takes everything."""

    resource_types: tuple[str, ...] | None = None
    resource_groups: tuple[str, ...] | None = None
    os_types: tuple[str, ...] | None = None
    locations: tuple[str, ...] | None = None
    tag_settings: TagSettings | None = None


def read_filter(given: Filter | None, group: str) -> Filter:
    """The filter with known words in Azure's spelling; `group` is the scope's resource group, empty on a subscription.

    Raises RequestError 400 naming the field: unknown words, too many entries, groups outside the scope.
    """
    given = given or Filter()
    groups = _texts(given.resource_groups, MOST_GROUPS, "resourceGroups")
    for index, name in enumerate(groups or ()):
        if group and name.lower() != group.lower():
            text = f"The scope is the resource group '{group}'; '{name}' is outside of it."
            raise invalid(f"{AT}.resourceGroups[{index}]", text)
    return replace(
        given,
        resource_types=_words(given.resource_types, _TYPES, "resourceTypes"),
        resource_groups=groups,
        os_types=_words(given.os_types, _SYSTEMS, "osTypes"),
        locations=_texts(given.locations, MOST_VALUES, "locations"),
        tag_settings=_tag_settings(given.tag_settings),
    )


def why_filtered(given: Filter, machine: Machine, address: MachineId) -> Reason | None:
    """Why a filter that `read_filter` gave out leaves a machine out, by the first part that does; None: it takes it."""
    if given.resource_types and address.type not in given.resource_types:
        return reason("TypeNotSelected", f"{address.type}; selected: {_listed(given.resource_types)}")
    if given.resource_groups and address.group.lower() not in _lower(given.resource_groups):
        return reason("GroupNotSelected", f"{address.group}; selected: {_listed(given.resource_groups)}")
    if given.os_types and machine.os not in given.os_types:
        return reason("SystemNotSelected", f"{machine.os}; selected: {_listed(given.os_types)}")
    if given.locations and region(machine.location) not in {region(name) for name in given.locations}:
        return reason("LocationNotSelected", f"{machine.location}; selected: {_listed(given.locations)}")
    return _why_tags(given.tag_settings, machine)


def _why_tags(settings: TagSettings | None, machine: Machine) -> Reason | None:
    if settings is None or not settings.tags:
        return None
    held = {name.lower(): value.lower() for name, value in machine.tags.items()}
    missing = [name for name, values in settings.tags.items() if held.get(name.lower()) not in _lower(values)]
    if settings.filter_operator == TagOperator.ALL:
        return reason("TagsNotSelected", f"All needed; not fitting: {_listed(missing)}") if missing else None
    if len(missing) < len(settings.tags):
        return None
    return reason("TagsNotSelected", f"Any needed; none fits of: {_listed(missing)}")


def _tag_settings(given: TagSettings | None) -> TagSettings | None:
    if given is None or not given.tags:
        return None
    at = f"{AT}.tagSettings"
    if len(given.tags) > MOST_TAGS:
        raise invalid(f"{at}.tags", f"At most {MOST_TAGS} tags are taken in one scope.")
    if len({name.lower() for name in given.tags}) < len(given.tags):
        raise invalid(f"{at}.tags", "Tag names that differ in case only are one tag; join their values.")
    tags = {}
    for name, values in given.tags.items():
        if not name or len(name) > LONGEST_VALUE:
            raise invalid(f"{at}.tags", f"A tag's name has 1 to {LONGEST_VALUE} characters.")
        kept = _texts(values, MOST_VALUES, f"tagSettings.tags.{name}", least=0)
        if kept is None:
            raise invalid(f"{at}.tags.{name}", "Give at least one value; a tag without values would fit nothing.")
        tags[name] = kept
    operator = _OPERATORS.get((given.filter_operator or DEFAULT_OPERATOR).lower())
    if operator is None:
        raise invalid(f"{at}.filterOperator", f"'{given.filter_operator}' is not an operator; use All or Any.")
    return TagSettings(tags=tags, filter_operator=operator)


def _words(given: tuple[str, ...] | None, known: dict[str, str], field: str) -> tuple[str, ...] | None:
    for index, text in enumerate(given or ()):
        if text.strip().lower() not in known:
            raise invalid(f"{AT}.{field}[{index}]", f"'{text}' cannot be selected; use {_listed(known.values())}.")
    return tuple(dict.fromkeys(known[text.strip().lower()] for text in given or ())) or None


def _texts(given: tuple[str, ...] | None, most: int, field: str, *, least: int = 1) -> tuple[str, ...] | None:
    """Entries without outer blanks, doubles dropped; an empty list is the same as none."""
    if len(given or ()) > most:
        raise invalid(f"{AT}.{field}", f"At most {most} entries are taken.")
    for index, text in enumerate(given or ()):
        if not least <= len(text.strip()) <= LONGEST_VALUE:
            raise invalid(f"{AT}.{field}[{index}]", f"An entry has {least} to {LONGEST_VALUE} characters.")
    return tuple({text.strip().lower(): text.strip() for text in given or ()}.values()) or None


def _lower(texts: tuple[str, ...]) -> set[str]:
    return {text.lower() for text in texts}


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(texts)
