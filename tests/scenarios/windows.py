"""Maintenance windows as a team makes them, over the app's API, and what the sandbox's journal has of each."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from infra.local.demo import made
from infra.local.fleet import Row
from infra.local.stack import Stack
from infra.local.window import API, LINUX, WINDOWS
from shared.domain.maintenance_id import parse_configuration_id
from shared.domain.opening import run_id
from tests.local.waiting import until
from tests.scenarios.timers import nudged, timer

GROUP = "rg-patching"
KNOWN_SECONDS, ASSESSED_SECONDS = 60.0, 180.0


Put = Callable[[str, object], None]
"""Client.put of the app, or one that tries again."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One window: its configuration, when that was written, when it opens, and the machines assigned to it.

    `machines`: the system of each, by id in lower case.
    """

    name: str
    configuration: str
    written: datetime
    start: datetime
    duration: timedelta
    machines: dict[str, str]

    @property
    def run(self) -> str:
        """Key of its run, which is also what each of its installations is asked for under."""
        return run_id(parse_configuration_id(self.configuration, "configuration"), self.start)

    @property
    def end(self) -> datetime:
        return self.start + self.duration


class Arrival(msgspec.Struct, frozen=True, rename="camel"):
    """A request in the sandbox's journal; `effect`: Azure accepted it."""

    event: str
    time: datetime
    method: str = ""
    url: str = ""
    machine: str = ""
    client_request_id: str = ""
    status: int | str = 0
    effect: bool = False

    @property
    def installs(self) -> bool:
        return self.event == "request" and self.method == "POST" and "/installpatches" in self.url.lower()


def installations(stack: Stack) -> list[Arrival]:
    """Every call of installPatches that reached Azure, whatever it answered."""
    return [each for each in stack.sandbox.get("/sandbox/journal?after=0", list[Arrival]) if each.installs]


def assessed(stack: Stack) -> dict[str, Row]:
    """The fleet by id in lower case, once the app knows and has assessed all of it."""
    everybody = made(stack.sandbox)
    timer(stack, "inventory")
    assert until(lambda: everybody.keys() <= rows(stack).keys(), KNOWN_SECONDS), "machines are missing"
    assert nudged(stack, lambda: _all_settled(stack), ASSESSED_SECONDS), "not assessed"
    return rows(stack)


def _all_settled(stack: Stack) -> bool:
    """Also those that Azure assesses by itself, whose results are swept."""
    settled = all(row.settled for row in rows(stack).values())
    if not settled:
        timer(stack, "results")
    return settled


def rows(stack: Stack) -> dict[str, Row]:
    return {row.key: row for row in stack.app.pages("/fleet/machines?$top=500", Row)}


def write(
    put: Put, name: str, start: datetime, duration: timedelta, machines: Sequence[Row]
) -> Window:  # fmt: skip
    """Puts a configuration whose window opens at this second, and assigns these machines. Raises Refused."""
    written = datetime.now(start.tzinfo)
    folder = f"/subscriptions/{machines[0].subscription}/resourceGroups/{GROUP}/providers/Microsoft.Maintenance"
    configuration = f"{folder}/maintenanceConfigurations/{name}"
    put(f"{configuration}?{API}", body(start, duration))
    for row in machines:
        assignment = f"{row.id}/providers/Microsoft.Maintenance/configurationAssignments/{name}"
        put(f"{assignment}?{API}", {"properties": {"maintenanceConfigurationId": configuration}})
    return Window(
        name=name,
        configuration=configuration,
        written=written,
        start=start,
        duration=duration,
        machines={row.key: row.os for row in machines},
    )


def body(start: datetime, duration: timedelta) -> dict[str, object]:
    """Azure's body: everything pending, every day from this second on. Our block lets it start so soon."""
    minutes = int(duration.total_seconds()) // 60
    return {
        "location": "westeurope",
        "properties": {
            "maintenanceScope": "InGuestPatch",
            "extensionProperties": {"InGuestPatchMode": "User"},
            "maintenanceWindow": {
                "startDateTime": f"{start:%Y-%m-%d %H:%M:%S}",
                "duration": f"{minutes // 60:02}:{minutes % 60:02}",
                "timeZone": "UTC",
                "recurEvery": "Day",
            },
            "installPatches": {
                "rebootSetting": "IfRequired",
                "windowsParameters": {"classificationsToInclude": WINDOWS},
                "linuxParameters": {"classificationsToInclude": LINUX},
            },
            "fleet": {"enabled": True},
        },
    }


def first_calls(windows: Sequence[Window], arrived: Sequence[Arrival]) -> dict[str, float]:
    """Seconds from each window's start to its first accepted call, by run; one without any is not in it."""
    start = {each.run: each.start for each in windows}
    found: dict[str, float] = {}
    for each in arrived:
        if each.effect and each.client_request_id in start:
            after = (each.time - start[each.client_request_id]).total_seconds()
            found[each.client_request_id] = min(after, found.get(each.client_request_id, after))
    return found


def too_soon(windows: Sequence[Window], arrived: Sequence[Arrival]) -> list[str]:
    """Calls that reached Azure before the start of their window, accepted or not, a sentence each."""
    start = {each.run: each.start for each in windows}
    return [
        f"{each.machine}: asked at {each.time:%H:%M:%S.%f}, and its window opens at {opens:%H:%M:%S}"
        for each in arrived
        if (opens := start.get(each.client_request_id)) and each.time < opens
    ]


def percentile(values: Mapping[str, float], part: float) -> float:
    """The smallest value that this part of all of them, 0 to 1, does not exceed (nearest rank)."""
    ordered = sorted(values.values())
    return ordered[max(0, -int(-part * len(ordered) // 1) - 1)]
