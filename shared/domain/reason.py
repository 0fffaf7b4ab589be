"""Why: a code and one plain sentence. Every machine that was left out, not started or failed carries one."""

import msgspec


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """`code` is stable and made for programs; `message` is one sentence for a person; `detail` is Azure's raw error."""

    code: str
    message: str
    detail: str = ""


_SENTENCES = {
    "PoweredOff": "The VM is not running, so nothing can look inside it.",
    "Disconnected": "The Arc agent is not connected, so nothing reaches the machine.",
    "UpdatedThroughCluster": "This is a node of an Azure Local cluster, which is updated only as a whole cluster.",
    "Deleted": "The machine no longer exists in Azure.",
    "Moved": "The machine is no longer at this address: it was moved or renamed, and goes on at the one named.",
    "MovedHere": "The machine was moved or renamed; what happened to it before is kept at the address named.",
    "Cloned": "Another machine that exists has the same vmId; each is treated as a machine of its own.",
    "Recreated": "Another machine stands at this address now; what the one before did is only in its history.",
    "TagsLeftOut": "The machine has more tags than can be kept; so many of them are not known to any rule or filter.",
    "UnknownSystem": "The operating system is not known yet, so no update can be chosen for it.",
    "AssessmentFailed": "The machine could not be assessed.",
    "InstallationFailed": "At least one update could not be installed, or the machine did not come back.",
    "WindowExceeded": "Time ran out before every selected update was installed.",
    "RebootRequired": "Everything is installed, but a reboot is still needed and was not allowed.",
    "MachineBusy": "Another operation kept the machine busy for as long as there was time to wait.",
    "OperationInFlight": "An operation of ours is already running on the machine.",
    "StartRefused": "Azure refused to start the operation.",
    "Unsent": "The request could not be sent: it never left the app.",
    "StartUnconfirmed": "The start was sent but never answered, and no trace of it was found; it is not sent again.",
    "NoAnswer": "The operation was accepted, but its end could not be learned in time.",
    "ResultsLate": "The operation ended, but Azure had not published its list of updates in time.",
    "NoTimeLeft": "The last moment at which it may start had passed.",
    "AgentNotReady": "The agent inside the VM does not answer, so nothing can be installed through it.",
    "UnsupportedSystem": "Azure does not patch machines that run this.",
    "ExtensionsOff": "The machine does not allow extensions, by which updates are installed.",
    "PatchedByPlatform": "Azure patches this VM by itself; let only schedules patch it (bypass the platform's checks).",
    "NativeSchedule": "A maintenance configuration of Azure's own is attached to it; two would patch it.",
    "OwnedElsewhere": "Another deployment of the app drives this subscription, so this one starts nothing in it.",
    "OwnerUnreadable": "Azure does not let the app see which deployment of it drives the subscription.",
    "OwnerUnwritable": "Azure does not let the app mark the subscription as its own, so another one may drive it too.",
    "TakenOver": "An operator made this deployment the one that drives the subscription.",
    "SystemNotPatched": "The configuration says nothing for the machine's operating system.",
    "WindowMissed": "The app did not come to open the window in time, so nothing was started in it.",
    "HandlerFailed": "A handler that the run waits for reported that it failed, so nothing was started.",
    "HandlerSilent": "A handler that the run waits for did not report in time, so nothing was started.",
    "PreEventUnsent": "The pre-event could not be published in time, so nothing was started.",
    "FailureBudgetUsed": "As many machines of the run as its failure budget allows had failed.",
    "WaveBelowThreshold": "Fewer machines of an earlier wave succeeded than the next wave needs.",
    "Cancelled": "The run was cancelled before this machine was started.",
    "OutsideScope": "The machine is not in the subscription or resource group of the assignment.",
    "Unassigned": "The configuration has no assignment, so it takes no machine.",
    "NotAssigned": "The assignment is for another machine.",
    "TypeNotSelected": "The scope does not select this kind of machine.",
    "GroupNotSelected": "The scope does not select the machine's resource group.",
    "SystemNotSelected": "The scope does not select the machine's operating system.",
    "LocationNotSelected": "The scope does not select the machine's region.",
    "TagsNotSelected": "The machine's tags are not those that the scope selects.",
    "NotInInventory": "The machine is assigned, but no inventory has seen it.",
    "ReleasedByOperator": "An operator ended the operation; nothing more is sent for it.",
    "ClosedByOperator": "An operator closed the run before this machine was started.",
    "DiscardedByOperator": "An operator decided that the message will not be handled.",
    "InventoryFailed": "The subscription could not be read; its machines are shown as they were last seen.",
    "LeftToPlatform": "Azure assesses this machine by itself; its first result is waited for.",
    "PlatformSilent": "Azure assesses this machine by itself, but its results stopped; we assess it until they return.",
    "InventoryThrottled": "Azure throttles the reading of the subscription; it is read again as soon as Azure allows.",
    "SubscriptionUnseen": "The app no longer reads the subscription; its machines are shown as they were last seen.",
    "Throttled": "Azure kept throttling for as long as there was time to wait.",
}


def reason(code: str, detail: str = "") -> Reason:
    """The reason with this code. Raises KeyError for a code that has no sentence: add it to the table."""
    return Reason(code=code, message=_SENTENCES[code], detail=detail)
