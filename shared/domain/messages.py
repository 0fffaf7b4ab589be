"""What is put on queues. A message is only a hint: whoever takes it reads the rows and decides anew."""

from datetime import datetime

import msgspec


class ListSubscription(msgspec.Struct, frozen=True, kw_only=True):
    """Take the inventory of one subscription by direct listing, wanted since `asked`.

    `doubts`: what a sweep was told that the listing is to bear out (domain/inventory.py).
    """

    subscription: str
    asked: datetime | None = None
    doubts: str = ""


class SweepMachines(msgspec.Struct, frozen=True, kw_only=True):
    """Take the inventory of these subscriptions from Resource Graph, wanted since `asked`."""

    subscriptions: tuple[str, ...]
    asked: datetime


class StartAssessment(msgspec.Struct, frozen=True, kw_only=True):
    """Send the assessment that a machine is claimed for."""

    machine: str
    attempt: str
    requested_by: str


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One machine of a plan: its attempt, and the instant at which Azure's throttle has room for it.

    `sent`, `etag`: once Azure accepted it, when it was claimed, and the ETag of its operation then.
    """

    machine: str
    attempt: str
    slot: datetime
    sent: datetime | None = None
    etag: str = ""


class StartPlanned(msgspec.Struct, frozen=True, kw_only=True):
    """Assess machines of one subscription, each claimed then, and only if it is still due.

    `due` is when the agenda looks after them for the first time.
    """

    requested_by: str
    due: datetime
    machines: tuple[Planned, ...]


class FollowPlanned(msgspec.Struct, frozen=True, kw_only=True):
    """Look in Resource Graph how these machines' planned assessments ended; `unit` is Azure's Retry-After, seconds.

    `first` is the attempt by which their lines on the agenda stand together; `refused` says how many looks Resource
    Graph's quota has refused.
    """

    first: str
    due: datetime
    machines: tuple[Planned, ...]
    unit: int
    requested_by: str = ""
    look: int = 0
    refused: int = 0


class StartInstallation(msgspec.Struct, frozen=True, kw_only=True):
    """Use the permit of one run machine."""

    run: str
    machine: str


class AdvanceRun(msgspec.Struct, frozen=True, kw_only=True):
    """Take the next step of a run. With `alarm`: the run's own, good until a later one is set; without: a hint.

    The alarm looks at those alone for whom time may bring something; `heals`: at all, for messages may be lost.
    """

    run: str
    alarm: int | None = None
    machine: str = ""  # whose attempt moved on; without it, and no alarm's, all are looked at
    heals: bool = False


class OpenRun(msgspec.Struct, frozen=True, kw_only=True):
    """Open the window of a configuration that starts at this instant: freeze it, and write down its machines."""

    configuration: str
    start: datetime


class SendEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Publish what is due of a window's run: its pre-event, or its post event when it has closed."""

    configuration: str
    start: datetime


class FollowOperation(msgspec.Struct, frozen=True, kw_only=True):
    """Look how an operation is doing, for the first time or once more: a message for a look already made is nothing."""

    machine: str
    attempt: str
    look: int = 0


class SweepResults(msgspec.Struct, frozen=True, kw_only=True):
    """Read from Resource Graph what was assessed in these subscriptions; `since` None: all that Azure keeps.

    `asked` is when the sweep was planned, `page` where it goes on.
    """

    subscriptions: tuple[str, ...]
    asked: datetime
    since: datetime | None = None
    page: str = ""


class CountFleet(msgspec.Struct, frozen=True, kw_only=True):
    """Rebuild the fleet's index and its counts.

    With `build` and `step`: that step of a rebuild. With `build` alone: the rebuild after that one, which has ended.
    """

    build: int | None = None
    step: int | None = None


Message = (
    ListSubscription
    | SweepMachines
    | StartAssessment
    | StartPlanned
    | FollowPlanned
    | StartInstallation
    | AdvanceRun
    | OpenRun
    | SendEvents
    | FollowOperation
    | SweepResults
    | CountFleet
)

QUEUES: dict[type[Message], str] = {
    ListSubscription: "inventory",
    SweepMachines: "inventory-sweeps",
    StartAssessment: "assessments",
    StartPlanned: "planned-assessments",
    FollowPlanned: "planned-results",
    StartInstallation: "installations",
    AdvanceRun: "runs",
    OpenRun: "openings",
    SendEvents: "events",
    FollowOperation: "operations",
    SweepResults: "results",
    CountFleet: "fleet",
}
# Azure's Functions host moves a message there after maxDequeueCount failures. Source: Azure Queue storage trigger.
POISON_SUFFIX = "-poison"
