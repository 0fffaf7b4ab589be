"""Requests that come twice: an equal client request id on one machine is one attempt, for a day."""

import uuid
from datetime import timedelta

from shared.domain.resource_id import MachineId

# How long an equal x-ms-client-request-id gets the same answer (design, "the API is Azure's").
SAME_REQUEST = timedelta(hours=24)
_NAMESPACE = uuid.UUID("6d1c2a54-6f0e-5d0a-9d5f-0d6a3a1f9b57")  # ours, drawn once


def attempt_id(machine: MachineId, verb: str, request_id: str) -> str:
    """The attempt that this request makes: a GUID, the same for the same request."""
    return str(uuid.uuid5(_NAMESPACE, f"{machine.key}|{verb}|{request_id}"))
