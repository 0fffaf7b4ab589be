"""One long-running ARM call on one machine: its states, and what each answer of Azure means for them.

The rule behind all of it (design, "one send"): a request that may have reached Azure is never sent again in the same
attempt. Only an answer that says "nothing was started" leads back to `claimed`.
"""

import math
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from shared.domain.bucket import SLOT_LIFE
from shared.domain.machine import Assessment, Installation, Outcome
from shared.domain.reason import Reason, reason
from shared.domain.retries import wait_before


class OperationKind(StrEnum):
    ASSESSMENT = "assessment"
    INSTALLATION = "installation"


class State(StrEnum):
    """Where an operation stands."""

    CLAIMED = "claimed"  # the machine is ours; nothing has been sent
    SENDING = "sending"  # the request may be on its way; never send it again
    ACCEPTED = "accepted"  # Azure said yes; follow it to its end
    UNCONFIRMED = "unconfirmed"  # sent, no answer; look for traces, send nothing
    ENDED = "ended"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.CLAIMED: frozenset({State.SENDING, State.ENDED}),
    State.SENDING: frozenset({State.CLAIMED, State.ACCEPTED, State.UNCONFIRMED, State.ENDED}),
    State.ACCEPTED: frozenset({State.ENDED}),
    State.UNCONFIRMED: frozenset({State.ACCEPTED, State.ENDED}),
    State.ENDED: frozenset(),
}

# How long an assessment waits for a busy or throttled machine before it gives up (ours; the next plan tries again).
ASSESSMENT_PATIENCE = timedelta(minutes=30)
# How long an accepted assessment is followed (ours). Azure's Linux extension stops an assessment after one hour.
ASSESSMENT_DEADLINE = timedelta(hours=2)
# How long an installation is followed after its window (ours): its last update is not cut short, then the reboot.
INSTALLATION_GRACE = timedelta(hours=3)
# How long traces of an unanswered start, or of one whose sender is found dead, are looked for from then on (ours).
UNCONFIRMED_PATIENCE = timedelta(minutes=10)
# A request leaves within this after `sending` was recorded, or not at all (ours): a worker that stood still meanwhile
# may no longer hold the machine.
LEAVE_WITHIN = timedelta(seconds=20)
# A `sending` this old has lost its worker: it could leave for 20 s and be answered for 35 s (domain/run.py).
SENDING_PATIENCE = timedelta(minutes=1)
# How late a message may come before it counts as lost (ours): a busy app takes one up after seconds.
MESSAGE_PATIENCE = timedelta(seconds=30)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt on a machine. `attempt` is a GUID, for an installation the run's id. All times are UTC."""

    machine: str
    attempt: str
    kind: OperationKind
    state: State
    claimed: datetime
    not_after: datetime  # the last instant at which it may be sent
    deadline: datetime  # following ends here, with a reason
    requested_by: str
    planned: bool = False  # nobody waits for its end
    retry_after: int = 0  # how often Azure wants to be asked, seconds, as it said when it accepted
    tries: int = 0  # starts that Azure refused, or that never left
    not_before: datetime | None = None  # while claimed: the earliest next start, by Azure's word or by its slot
    paced: bool = False  # while claimed: a slot of Azure's throttle is leased for the next start
    sent: datetime | None = None
    lost: datetime | None = None  # when its sender was found to have died
    looks: int = 0  # looks made since it was sent; only the message for the next one counts
    look_at: datetime | None = None  # when the next look is due
    url: str = ""  # Azure-AsyncOperation
    result_url: str = ""  # Location
    ended: datetime | None = None
    outcome: Outcome | None = None
    reason: Reason | None = None
    assessment: Assessment | None = None  # the result, once ended
    installation: Installation | None = None
    late_answer: str = ""  # what Azure answered to its start after it had ended


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """Azure took the request; `url` and `result_url` say where to look, after `retry_after` seconds."""

    url: str
    result_url: str
    retry_after: int


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Azure answered that it did not take the request (a 4xx); `retry_after` seconds, 0 when not given."""

    status: int
    code: str
    message: str
    retry_after: int = 0

    @property
    def detail(self) -> str:
        return f"{self.status} {self.code}: {self.message}"


class Unanswered(msgspec.Struct, frozen=True, kw_only=True):
    """The request left, and no answer says whether it was taken (time-out, broken connection, 5xx)."""

    detail: str


class NotSent(msgspec.Struct, frozen=True, kw_only=True):
    """The request provably never left (no token, no connection, or the clock guard stopped it)."""

    detail: str


Answer = Accepted | Refused | Unanswered | NotSent


def claim_assessment(machine: str, attempt: str, requested_by: str, now: datetime, slot: datetime) -> Operation:
    """A claim to assess, with the slot leased for it; from then on patient with a busy machine for half an hour."""
    start = max(now, slot)
    return Operation(
        machine=machine,
        attempt=attempt,
        kind=OperationKind.ASSESSMENT,
        state=State.CLAIMED,
        claimed=now,
        not_after=start + ASSESSMENT_PATIENCE,
        deadline=start + ASSESSMENT_DEADLINE,
        requested_by=requested_by,
        not_before=slot,
        paced=True,
    )


def claim_installation(
    machine: str, run: str, requested_by: str, now: datetime, last_send: datetime, window_end: datetime
) -> Operation:
    """A claim to install in a run: sent by `last_send`, followed beyond the window's end."""
    return Operation(
        machine=machine,
        attempt=run,
        kind=OperationKind.INSTALLATION,
        state=State.CLAIMED,
        claimed=now,
        not_after=last_send,
        deadline=window_end + INSTALLATION_GRACE,
        requested_by=requested_by,
    )


def is_turned_away(operation: Operation) -> bool:
    """Whether its request was answered that the machine is busy: asked again, it is answered the same."""
    return operation.reason is not None and operation.reason.code == "OperationInFlight"


def with_slot(operation: Operation, slot: datetime) -> Operation:
    """A claim whose next start has a slot of Azure's throttle."""
    return msgspec.structs.replace(operation, not_before=slot, paced=True)


def has_slot(operation: Operation, now: datetime) -> bool:
    """Whether a claim holds a slot of Azure's throttle for its next start, and one that may still be used."""
    slot = operation.not_before
    return operation.paced and slot is not None and now <= slot + SLOT_LIFE


def seconds_to_wait(operation: Operation, now: datetime) -> int:
    """Whole seconds until a claim may be sent, rounded up; 0 when it may be sent now."""
    wait = (operation.not_before or now) - now
    return max(0, math.ceil(wait.total_seconds()))


def sending(operation: Operation, now: datetime) -> Operation:
    """The last thing recorded before the wire."""
    return _move(operation, State.SENDING, sent=now, not_before=None, paced=False)


def leave_by(operation: Operation) -> datetime:
    """The last instant at which the request of a `sending` may leave."""
    return min(operation.not_after, (operation.sent or operation.claimed) + LEAVE_WITHIN)


def answered(
    operation: Operation, answer: Answer, now: datetime, unreachable: Reason | None = None
) -> tuple[Operation, int]:
    """The operation after Azure's answer, and in how many seconds to go on with it.

    `unreachable`: why the machine cannot be reached, when a 409 made the caller look.
    """
    match answer:
        case Accepted():
            return _accepted(operation, answer, now), answer.retry_after
        case Unanswered():
            return _unconfirmed(operation, answer.detail, now), 0
        case NotSent() if now > operation.not_after:
            return _not_started(operation, reason("NoTimeLeft", answer.detail), now), 0
        case NotSent():
            return _wait_or_end(operation, "Unsent", answer.detail, 0, now)
        case Refused():
            return _refused(operation, answer, now, unreachable)


def _refused(operation: Operation, answer: Refused, now: datetime, unreachable: Reason | None) -> tuple[Operation, int]:
    if answer.status == 429:
        return _wait_or_end(operation, "Throttled", answer.detail, answer.retry_after, now)
    if answer.status == 409 and unreachable is None:
        return _wait_or_end(operation, "MachineBusy", answer.detail, answer.retry_after, now)
    why = unreachable or reason("StartRefused")
    return _not_started(operation, msgspec.structs.replace(why, detail=answer.detail), now), 0


def _wait_or_end(
    operation: Operation, code: str, detail: str, retry_after: int, now: datetime
) -> tuple[Operation, int]:
    delay = retry_after or wait_before(operation.tries, planned=operation.planned)
    next_start = now + timedelta(seconds=delay)
    if next_start >= operation.not_after:
        return _not_started(operation, reason(code, detail), now), 0
    changes = {"not_before": next_start, "reason": reason(code, detail), "tries": operation.tries + 1}
    return _move(operation, State.CLAIMED, sent=None, **changes), delay


def _not_started(operation: Operation, why: Reason, now: datetime) -> Operation:
    return end(operation, Outcome.NOT_STARTED, why, now)


def lost_answer(operation: Operation, now: datetime) -> Operation | None:
    """A `sending` whose worker died becomes `unconfirmed`; None while its worker may still wait for the answer."""
    if operation.state is not State.SENDING or operation.sent is None or now < operation.sent + SENDING_PATIENCE:
        return None
    return _unconfirmed(operation, "The sender stopped before an answer.", now, lost=now)


def _unconfirmed(operation: Operation, detail: str, now: datetime, lost: datetime | None = None) -> Operation:
    return _move(operation, State.UNCONFIRMED, look_at=now, lost=lost, reason=reason("StartUnconfirmed", detail))


def confirmed(operation: Operation, now: datetime, late: Accepted | None = None) -> Operation:
    """A trace of an unanswered start was found (it runs, though there is no address to ask), or a late answer came."""
    return _accepted(operation, late or Accepted(url="", result_url="", retry_after=0), now)


def _accepted(operation: Operation, answer: Accepted, now: datetime) -> Operation:
    look_at = now + timedelta(seconds=answer.retry_after)
    return _move(operation, State.ACCEPTED, look_at=look_at, url=answer.url, result_url=answer.result_url, reason=None)


def looked(operation: Operation, now: datetime, wait: int) -> Operation:
    """A look found nothing new; the next is due in `wait` seconds."""
    return msgspec.structs.replace(operation, looks=operation.looks + 1, look_at=now + timedelta(seconds=wait))


def is_overdue(operation: Operation, now: datetime) -> bool:
    """Whether the message that should have moved it on seems lost."""
    due = {
        State.CLAIMED: operation.not_before or operation.claimed,
        State.SENDING: (operation.sent or operation.claimed) + SENDING_PATIENCE,
        State.ACCEPTED: operation.look_at or operation.claimed,
        State.UNCONFIRMED: operation.look_at or operation.claimed,
    }.get(operation.state)
    return due is not None and now >= due + MESSAGE_PATIENCE


def gave_up(operation: Operation, now: datetime) -> Reason | None:
    """Why following stops now without having learned the end; None to go on looking."""
    since = operation.lost or operation.sent or operation.claimed
    if operation.state is State.UNCONFIRMED and now >= since + UNCONFIRMED_PATIENCE:
        return operation.reason or reason("StartUnconfirmed")
    return reason("NoAnswer") if operation.state is State.ACCEPTED and now >= operation.deadline else None


def end(operation: Operation, outcome: Outcome, why: Reason | None, now: datetime) -> Operation:
    """Ended without a result of Azure's."""
    return _move(operation, State.ENDED, outcome=outcome, reason=why, ended=now)


def assessed(operation: Operation, result: Assessment, now: datetime) -> Operation:
    changes = {"outcome": result.outcome, "reason": result.reason, "ended": now, "assessment": result}
    return _move(operation, State.ENDED, **changes)


def installed(operation: Operation, result: Installation, now: datetime) -> Operation:
    changes = {"outcome": result.outcome, "reason": result.reason, "ended": now, "installation": result}
    return _move(operation, State.ENDED, **changes)


def _move(operation: Operation, state: State, **changes: object) -> Operation:
    if state not in TRANSITIONS[operation.state]:
        raise ValueError(f"An operation cannot go from {operation.state} to {state}.")
    return msgspec.structs.replace(operation, state=state, **changes)
