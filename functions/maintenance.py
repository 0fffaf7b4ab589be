"""Maintenance runs in the words of Azure's applyUpdates, and in ours under /fleet."""

from typing import Any

import msgspec

from functions.web import Call
from shared.domain.maintenance_id import (
    PROVIDER,
    ConfigurationId,
    configuration_id,
    parse_configuration_id,
)
from shared.domain.opening import run_address, stamp
from shared.domain.run import RunMachine
from shared.domain.summary import Summary

TYPE = f"{PROVIDER}/applyUpdates"


def configuration_of(call: Call) -> ConfigurationId:
    """Whose run the route names. Raises RequestError 400."""
    route = call.request.route_params
    return configuration_id(route["subscription"], route["group"], route["name"])


def configuration_named(text: str) -> ConfigurationId:
    """Raises RequestError 400."""
    return parse_configuration_id(text, "configuration")


def apply_update(run: Summary, status: str = "") -> dict[str, Any]:
    """Azure's resource of a run. Source: Microsoft.Maintenance ApplyUpdate."""
    configuration = parse_configuration_id(run.configuration, "configuration")
    properties = {"status": status or run.status, "resourceId": run.configuration, "lastUpdateTime": run.start}
    return {
        "id": run_address(configuration, run.start),
        "name": stamp(run.start),
        "type": TYPE,
        "properties": msgspec.to_builtins(properties),
    }


def run_summary(run: Summary) -> dict[str, Any]:
    configuration = parse_configuration_id(run.configuration, "configuration") if run.configuration else None
    body: dict[str, Any] = {
        "id": run.id,
        "run": run_address(configuration, run.start) if configuration else None,
        "configuration": run.configuration or None,
        "start": run.start,
        "end": run.end,
        "phase": run.phase,
        "status": run.status,
        "outcome": run.outcome,
        "reason": run.reason,
        "requestedBy": run.requested_by,
        "machines": run.machines,
    }
    return {name: value for name, value in msgspec.to_builtins(body).items() if value is not None}


def run_machine(part: RunMachine) -> dict[str, Any]:
    body = {
        "machine": part.machine,
        "step": part.step,
        "outcome": part.outcome,
        "reason": part.reason,
        "wave": part.wave,
        "ended": part.ended,
    }
    return {name: value for name, value in msgspec.to_builtins(body).items() if value is not None}
