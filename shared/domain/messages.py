"""What is put on queues. A message is only a hint: whoever takes it reads the rows and decides anew."""

import msgspec


class ListSubscription(msgspec.Struct, frozen=True, kw_only=True):
    """Take the inventory of one subscription."""

    subscription: str


class StartAssessment(msgspec.Struct, frozen=True, kw_only=True):
    """Assess a machine. `planned`: only if it is still due when the message is taken."""

    machine: str
    attempt: str
    requested_by: str
    planned: bool = False


class StartInstallation(msgspec.Struct, frozen=True, kw_only=True):
    """Use the permit of one run machine."""

    run: str
    machine: str


class AdvanceRun(msgspec.Struct, frozen=True, kw_only=True):
    """Take the next step of a run."""

    run: str


class FollowOperation(msgspec.Struct, frozen=True, kw_only=True):
    """Look how an operation is doing."""

    machine: str
    attempt: str


class CountFleet(msgspec.Struct, frozen=True, kw_only=True):
    """Rebuild the fleet's summary."""


Message = ListSubscription | StartAssessment | StartInstallation | AdvanceRun | FollowOperation | CountFleet

QUEUES: dict[type[Message], str] = {
    ListSubscription: "inventory",
    StartAssessment: "assessments",
    StartInstallation: "installations",
    AdvanceRun: "runs",
    FollowOperation: "operations",
    CountFleet: "fleet",
}
# Azure's Functions host moves a message there after maxDequeueCount failures. Source: Azure Queue storage trigger.
POISON_SUFFIX = "-poison"
