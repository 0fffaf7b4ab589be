"""What is known about one assessment or installation, from its start to its end. Bodies are made from it elsewhere."""

from datetime import datetime

import msgspec

from infra.local.sandbox.guests import Assessment, PendingUpdate


class Trouble(msgspec.Struct, frozen=True):
    """A code and message out of a machine, for Azure's `error` and `errorDetails`."""

    code: str
    message: str


class AssessmentReport(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is Azure's PatchOperationStatus; `found` is None until it succeeded."""

    activity: str
    status: str = "InProgress"
    started: datetime
    modified: datetime
    started_by: str = "User"
    found: Assessment | None = None
    trouble: Trouble | None = None


class PatchState(msgspec.Struct, frozen=True):
    """One update in an installation: Installed, Failed, Pending, Excluded or NotSelected."""

    update: PendingUpdate
    state: str


class InstallationReport(msgspec.Struct, frozen=True, kw_only=True):
    """`patches` holds every update that was pending when it began."""

    activity: str
    status: str = "InProgress"
    started: datetime
    modified: datetime
    started_by: str = "User"
    run_id: str = ""
    source: str = ""
    patches: tuple[PatchState, ...] = ()
    reboot_status: str = "NotNeeded"
    window_exceeded: bool = False
    trouble: Trouble | None = None

    def count(self, state: str) -> int:
        return sum(patch.state == state for patch in self.patches)
