"""The block `properties.fleet` of a maintenance configuration: what Azure does not do. Absent: Azure's behaviour.

| field | meaning |
|---|---|
| `enabled` | false: no window opens (imported configurations start so) |
| `rules` | further recurrences: `recurEvery`, and `startDateTime` and `duration` where they differ |
| `deferralDays` | only updates published at least so many days before the window opens; Windows only |
| `patchNameMasksToInclude`, `patchNameMasksToExclude` | Windows updates by title |
| `maxConcurrency` | machines patched at one time, a count or a percentage of the run's machines |
| `maxFailures` | failed machines after which nothing more starts, likewise |
| `waves` | groups of machines one after the other, with a soak time and a success threshold between them |
| `lookAgain` | machines that are off or disconnected at their turn are looked at again until the cut-off |
| `preEventLead` | how long before the window the pre-event is sent, ISO 8601 |
| `waitFor` | handlers that have to report success before the run starts |
"""

import re
from collections.abc import Sequence
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from shared.domain.errors import RequestError, invalid
from shared.domain.machine import Machine
from shared.domain.recurrence import FLEET
from shared.domain.resource_id import parse_machine_id
from shared.domain.selection import NAME_MASK, masks
from shared.domain.window import ExtraRule, read_rules

AT = "properties.fleet"
# All of these are ours.
MOST_RULES = 10
MOST_WAVES = 20
MOST_MEMBERS = 100  # tag values, zones, update domains or machines in one wave
MOST_HANDLERS = 10
LONGEST_NAME = 64  # characters of a wave or a handler
LONGEST_DEFERRAL = 365  # days
LONGEST_SOAK = timedelta(hours=23)  # a window has 24
LARGEST_COUNT = 100_000  # machines
# Azure's pre-event leaves 40 minutes before the start. Source: documentation of pre and post events.
DEFAULT_LEAD = timedelta(minutes=40)
# Handlers may cancel until 10 minutes before the start; a lead has to leave them some time.
SHORTEST_LEAD, LONGEST_LEAD = timedelta(minutes=15), timedelta(hours=24)
_PERCENT = re.compile(r"([0-9]{1,3}) ?%")
_COUNT = re.compile(r"[0-9]{1,6}")


class _Block(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Written back without what was left out."""


class TagValues(_Block, frozen=True):
    """Machines whose tag `name` has one of `values`."""

    name: str
    values: tuple[str, ...]


class Wave(_Block, frozen=True):
    """One group of machines: by tag, zone, update domain or list, exactly one of these.

    `soak` passes after its last machine ended; `success_threshold` is the percentage of its machines that must have
    succeeded for the next wave to start.
    """

    name: str
    tag: TagValues | None = None
    zones: tuple[str, ...] | None = None
    update_domains: tuple[int, ...] | None = None
    machines: tuple[str, ...] | None = None
    soak: timedelta = timedelta()
    success_threshold: int = 0


class Fleet(_Block, frozen=True):
    """The block, normalised; the table in this module says what each field means."""

    enabled: bool = True
    rules: tuple[ExtraRule, ...] = ()
    deferral_days: int = 0
    patch_name_masks_to_include: tuple[str, ...] | None = None
    patch_name_masks_to_exclude: tuple[str, ...] | None = None
    max_concurrency: int | str | None = None
    max_failures: int | str | None = None
    waves: tuple[Wave, ...] = ()
    look_again: bool = False
    pre_event_lead: timedelta = DEFAULT_LEAD
    wait_for: tuple[str, ...] = ()


def read_fleet(given: Fleet) -> Fleet:
    """The block, checked field by field. Raises RequestError 400 naming the field."""
    _at_most(given.rules, MOST_RULES, "rules")
    _within(given.deferral_days, 0, LONGEST_DEFERRAL, "deferralDays", "days")
    if not SHORTEST_LEAD <= given.pre_event_lead <= LONGEST_LEAD:
        raise invalid(f"{AT}.preEventLead", "preEventLead must be from PT15M to PT24H.")
    _check_names(given.wait_for, MOST_HANDLERS, "waitFor", [f"waitFor[{i}]" for i in range(len(given.wait_for))])
    return replace(
        given,
        rules=read_rules(given.rules, FLEET),
        patch_name_masks_to_include=_masks(given.patch_name_masks_to_include, "patchNameMasksToInclude"),
        patch_name_masks_to_exclude=_masks(given.patch_name_masks_to_exclude, "patchNameMasksToExclude"),
        max_concurrency=_share(given.max_concurrency, "maxConcurrency", least=1),
        max_failures=_share(given.max_failures, "maxFailures", least=0),
        waves=_waves(given.waves),
    )


def share_of(share: int | str, machines: int, *, least: int = 0) -> int:
    """A count as it is; a percentage of so many machines, rounded down, but not below `least`."""
    if isinstance(share, int):
        return share
    return max(least, machines * int(share.removesuffix("%")) // 100)


def soaking(fleet: Fleet) -> timedelta:
    """Time that passes between the waves at least; after the last one nothing waits."""
    return sum((wave.soak for wave in fleet.waves[:-1]), timedelta())


def wave_of(waves: Sequence[Wave], machine: Machine, zone: str = "", update_domain: int | None = None) -> int:
    """Which wave a machine belongs to, the first that names it; those that none names come last, after all waves."""
    for index, wave in enumerate(waves):
        if _is_member(wave, machine, zone, update_domain):
            return index
    return len(waves)


def _is_member(wave: Wave, machine: Machine, zone: str, update_domain: int | None) -> bool:
    if wave.tag is not None:
        values = [value.lower() for name, value in machine.tags.items() if name.lower() == wave.tag.name.lower()]
        return any(value.lower() in values for value in wave.tag.values)
    if wave.zones is not None:
        return zone in wave.zones
    if wave.update_domains is not None:
        return update_domain in wave.update_domains
    return machine.id.lower() in {address.lower() for address in wave.machines or ()}


def _waves(given: tuple[Wave, ...]) -> tuple[Wave, ...]:
    _check_names([wave.name for wave in given], MOST_WAVES, "waves", [f"waves[{i}].name" for i in range(len(given))])
    return tuple(_wave(wave, f"{AT}.waves[{index}]") for index, wave in enumerate(given))


def _wave(wave: Wave, at: str) -> Wave:
    members = (wave.tag.values if wave.tag else None, wave.zones, wave.update_domains, wave.machines)
    named = [each for each in members if each is not None]
    if len(named) != 1 or not named[0]:
        raise invalid(at, "A wave has exactly one of tag, zones, updateDomains and machines, and it is not empty.")
    if len(named[0]) > MOST_MEMBERS:
        raise invalid(at, f"A wave names at most {MOST_MEMBERS} values; use a tag for more machines.")
    if not timedelta() <= wave.soak <= LONGEST_SOAK:
        raise invalid(f"{at}.soak", "soak must be from PT0S to PT23H.")
    if not 0 <= wave.success_threshold <= 100:
        raise invalid(f"{at}.successThreshold", "successThreshold is a percentage from 0 to 100.")
    if wave.tag and not wave.tag.name.strip():
        raise invalid(f"{at}.tag.name", "A tag has a name.")
    return replace(wave, machines=_addresses(wave.machines, f"{at}.machines"))


def _addresses(given: tuple[str, ...] | None, at: str) -> tuple[str, ...] | None:
    if given is None:
        return None
    found = []
    for index, address in enumerate(given):
        try:
            found.append(str(parse_machine_id(address)))
        except RequestError as error:
            raise invalid(f"{at}[{index}]", error.message) from error
    return tuple(found)


def _share(given: int | str | None, field: str, *, least: int) -> int | str | None:
    """A whole number of machines, or a percentage written `20%`."""
    if given is None:
        return None
    text = str(given).strip()
    percent = _PERCENT.fullmatch(text)
    if percent and least <= int(percent.group(1)) <= 100:
        return f"{int(percent.group(1))}%"
    if not isinstance(given, bool) and _COUNT.fullmatch(text) and least <= int(text) <= LARGEST_COUNT:
        return int(text)
    raise invalid(
        f"{AT}.{field}", f"'{given}' is not a share; write a count, at least {least}, or a percentage like 20%."
    )


def _masks(given: tuple[str, ...] | None, field: str) -> tuple[str, ...] | None:
    return masks(given, NAME_MASK, f"{AT}.{field}")


def _check_names(names: Sequence[str], most: int, field: str, targets: Sequence[str]) -> None:
    _at_most(names, most, field)
    for index, name in enumerate(names):
        if not name.strip() or len(name) > LONGEST_NAME:
            raise invalid(f"{AT}.{targets[index]}", f"A name has 1 to {LONGEST_NAME} characters.")
        if name.lower() in {other.lower() for other in names[:index]}:
            raise invalid(f"{AT}.{targets[index]}", f"The name '{name}' is used twice.")


def _at_most(given: Sequence[object], most: int, field: str) -> None:
    if len(given) > most:
        raise invalid(f"{AT}.{field}", f"At most {most} entries are taken.")


def _within(number: int, least: int, most: int, field: str, unit: str) -> None:
    if not least <= number <= most:
        raise invalid(f"{AT}.{field}", f"{field} must be from {least} to {most} {unit}.")
