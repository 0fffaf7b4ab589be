"""Requests that come twice: an equal client request id on one machine is one attempt, for a day."""

import uuid
from datetime import datetime, timedelta

from shared.domain.resource_id import MachineId

# How long an equal x-ms-client-request-id gets the same answer (design, "the API is Azure's").
SAME_REQUEST = timedelta(hours=24)
_NAMESPACE = uuid.UUID("6d1c2a54-6f0e-5d0a-9d5f-0d6a3a1f9b57")  # ours, drawn once


def attempt_id(machine: MachineId, verb: str, request_id: str, day: int = 0) -> str:
    """The attempt that this request makes on a day since its first use: a GUID, the same for the same request."""
    later = f"|{day}" if day else ""
    return str(uuid.uuid5(_NAMESPACE, f"{machine.key}|{verb}|{request_id}{later}"))


def days(first: datetime, now: datetime) -> tuple[int, ...]:
    """The days, counted from an id's first use, whose attempt may be less than a day old; the newest first."""
    today = max(0, (now - first) // SAME_REQUEST)
    return (today, today - 1) if today else (0,)
