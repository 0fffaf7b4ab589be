"""What an operator does by hand: when it may be done, and what is kept of it."""

import math
from datetime import datetime

import msgspec

from shared.domain.errors import invalid
from shared.domain.machine import Outcome
from shared.domain.operation import (
    UNCONFIRMED_PATIENCE,
    Accepted,
    Answer,
    NotSent,
    Operation,
    Refused,
    State,
    Unanswered,
    end,
)
from shared.domain.reason import Reason, reason

LONGEST_WHY = 500  # characters (ours)


def operators_reason(code: str, who: str, why: str) -> Reason:
    """The reason with this code, who did it and why in its detail. Raises RequestError 400 for no readable why."""
    text = why.strip()
    if not text or len(text) > LONGEST_WHY or not text.isprintable():
        raise invalid("reason", f"Say why in 'reason': 1 to {LONGEST_WHY} characters in one line.")
    return reason(code, f"{who}: {text}")


def seconds_to_release(operation: Operation, now: datetime) -> int:
    """How long an operator has to wait: an unanswered start may be on its way, or run without a trace yet."""
    if operation.state not in (State.SENDING, State.UNCONFIRMED):
        return 0
    return max(0, math.ceil(((operation.sent or operation.claimed) + UNCONFIRMED_PATIENCE - now).total_seconds()))


def released(operation: Operation, why: Reason, now: datetime) -> Operation:
    """Ended by an operator. What may have reached Azure ends as unknown; its attempt stays used up either way."""
    outcome = Outcome.NOT_STARTED if operation.state is State.CLAIMED else Outcome.UNKNOWN
    return end(operation, outcome, why, now)


def answered_late(operation: Operation, answer: Answer) -> Operation:
    """Azure's answer to a start whose operation ended meanwhile: kept, with the addresses to ask; the end stands."""
    match answer:
        case Accepted():
            changes = {"url": answer.url, "result_url": answer.result_url, "late_answer": "Accepted"}
        case Refused() | Unanswered() | NotSent():
            changes = {"late_answer": f"{type(answer).__name__}: {answer.detail}"}
    return msgspec.structs.replace(operation, **changes)
