"""Bodies of configuration assignments for the tests that need one."""

import json
from typing import Any

import pytest

from shared.domain.assignment import Assignment, AssignmentId, on_machine, on_scope, read_assignment
from shared.domain.errors import RequestError
from shared.domain.resource_id import parse_machine_id
from tests.domain.maintenance import ADDRESS
from tests.domain.samples import SUBSCRIPTION, VM

OTHER = "99999999-2222-3333-4444-555555555555"
ON_VM = on_machine(parse_machine_id(VM), "a")
ON_SUBSCRIPTION = on_scope(SUBSCRIPTION, "", "all")
ON_GROUP = on_scope(SUBSCRIPTION, "Web", "web")
FILTER = "properties.filter"


def body(filter_: object = ..., **changes: object) -> dict[str, Any]:
    properties: dict[str, Any] = {"maintenanceConfigurationId": str(ADDRESS), **changes}
    return {"properties": properties if filter_ is ... else {**properties, "filter": filter_}}


def read(given: object, address: AssignmentId = ON_SUBSCRIPTION) -> Assignment:
    text = given if isinstance(given, bytes) else json.dumps(given).encode()
    return read_assignment(text, address)


def refusal(given: object, address: AssignmentId = ON_SUBSCRIPTION) -> RequestError:
    with pytest.raises(RequestError) as refused:
        read(given, address)
    return refused.value


def scope(**filters: object) -> Assignment:
    return read(body(filters))


def tags(operator: str | None, **wanted: list[str]) -> Assignment:
    settings: dict[str, object] = {"tags": wanted}
    return scope(tagSettings=settings | ({"filterOperator": operator} if operator else {}))
