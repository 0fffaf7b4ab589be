"""A configuration with a window soon, saved as the API does, and its run."""

from datetime import datetime, timedelta

from shared.domain.assignment import Assignment, on_machine
from shared.domain.configuration import Configuration, next_windows
from shared.domain.opening import run_id
from shared.domain.run import RunMachine, Step
from shared.store.runs import Loaded
from shared.workflows.openings import schedule
from tests.cloud.world import Json, address_of
from tests.domain.maintenance import ADDRESS, fleet, put
from tests.workflows.house import House

SECONDS = timedelta(seconds=1)


def soon(house: House, minutes: float = 30, **block: object) -> Configuration:
    """A configuration whose next window opens in so many minutes; with these fields in its own block."""
    start = (house.now + timedelta(minutes=minutes)).replace(second=0, microsecond=0)
    window = {"startDateTime": f"{start:%Y-%m-%d %H:%M}", "timeZone": "UTC", "recurEvery": "1Day", "duration": "02:00"}
    return put(fleet(block, **window), now=house.now)


def save(house: House, configuration: Configuration, *machines: Json) -> datetime:
    """Saved as the API does, with these machines assigned; the start of its next window."""
    schedule(house.store, configuration, house.now, house.now)
    house.store.configurations.save(configuration)
    for machine in machines:
        own = on_machine(address_of(machine), "a")
        house.store.assignments.save(Assignment(id=own, configuration=configuration.id))
    return next_windows(configuration, house.now, 1)[0].start


def loaded(house: House, start: datetime) -> Loaded:
    found = house.store.runs.load(run_id(ADDRESS, start))
    assert found is not None
    return found


def part(house: House, start: datetime, machine: Json) -> RunMachine:
    return next(each for each in loaded(house, start).machines if each.machine.lower() == machine["id"].lower())


def permitted(house: House, start: datetime) -> bool:
    """Whether a machine of the run holds a permit."""
    found = house.store.runs.load(run_id(ADDRESS, start))
    return found is not None and any(each.step is Step.PERMITTED for each in found.machines)


def code(of: RunMachine) -> str:
    return of.reason.code if of.reason else ""


def healthy(house: House, count: int) -> list[Json]:
    """Machines that a run patches: not off, not patched by the platform."""
    chosen = [m for m in house.fleet if m["script"] == "healthy" and m["pending"]]
    house.know(*chosen)
    fit = [m for m in chosen if not by_platform(house, m)]
    assert len(fit) >= count
    return fit[:count]


def by_platform(house: House, machine: Json) -> bool:
    settings = house.record(machine).machine.settings
    return settings.patch_mode == "AutomaticByPlatform" and not settings.bypass_platform_safety_checks
