"""Azure's published examples of Microsoft.Maintenance, sent to the app; its answers are held to the schemas."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.stack import Stack
from tests.domain.maintenance import fleet
from tests.sandbox.contracts import FOLDER, Example, complaints, examples
from tests.scenarios.api import Answer, ask

OURS = ("MaintenanceConfigurations", "ConfigurationAssignments")
ALL = [each for each in (examples() if FOLDER.is_dir() else []) if each.operation.startswith(OURS)]
NOT_MACHINES = ("virtualmachinescalesets", "hostgroups")
"""What the examples assign to on resources is no machine that is patched in the guest."""


@pytest.fixture(scope="module", autouse=True)
def there() -> None:
    if not ALL:
        pytest.skip("no Azure contracts beside the project")


def address(example: Example, **changes: str) -> str:
    path = example.path
    for name, value in {**example.parameters, **changes}.items():
        path = path.replace(f"{{{name}}}", str(value))
    return f"{path}?api-version={example.parameters['api-version']}"


def sent(example: Example) -> dict[str, Any]:
    return next((copy.deepcopy(value) for value in example.parameters.values() if isinstance(value, dict)), {})


def named(examples_: Iterator[Example]) -> list[Any]:
    return [pytest.param(each, id=f"{each.file.split('/')[1]}-{each.operation}") for each in examples_]


def judge(example: Example, answer: Answer) -> None:
    assert answer.status in (200, 201, 204), answer
    assert complaints(example, answer.status, answer.body) == []


@pytest.fixture
def configuration(stack: Stack, request: pytest.FixtureRequest) -> Iterator[str]:
    """The configuration that the examples name, in their subscription."""
    example: Example = request.node.callspec.params["example"]
    subscription = example.parameters["subscriptionId"]
    folder = "resourceGroups/examplerg/providers/Microsoft.Maintenance/maintenanceConfigurations"
    path = f"/subscriptions/{subscription}/{folder}/configuration1"
    assert ask(stack, "PUT", path, fleet()).status in (200, 201)
    yield path
    assert ask(stack, "DELETE", path).status == 200


def scopes() -> Iterator[Example]:
    kinds = ("ConfigurationAssignmentsFor", "ConfigurationAssignmentsWithin")
    return (each for each in ALL if each.operation.startswith(kinds))


@pytest.mark.parametrize("example", named(scopes()))
def test_every_call_on_scopes_is_answered_as_azure_does(stack: Stack, example: Example, configuration: str) -> None:
    wanted = sent(example) or {"properties": {"maintenanceConfigurationId": configuration}}
    at = address(example)
    if not example.operation.endswith(("CreateOrUpdate", "List")):
        assert ask(stack, "PUT", at, wanted).status in (200, 201)
    answer = ask(stack, example.method, at, sent(example) or None)
    judge(example, answer)
    if "filter" in wanted["properties"] and example.method != "DELETE":
        shown = answer.body["properties"]["filter"]
        assert shown == wanted["properties"]["filter"]


@pytest.mark.parametrize("example", named(each for each in ALL if each.operation.startswith("MaintenanceConf")))
def test_every_call_on_configurations_is_answered_as_azure_does(
    stack: Stack, example: Example, configuration: str
) -> None:
    """A body for another scope is refused, by name: the platform's own maintenance is not this product's."""
    given = sent(example)
    if given.get("properties", {}).get("maintenanceScope") in ("OSImage", "Host"):
        given["location"] = "westeurope"
        refused = ask(stack, example.method, address(example, resourceName="configuration1"), given)
        assert refused.error == ("InvalidParameter", "properties.maintenanceScope")
        given["properties"] |= {**json.loads(json.dumps(fleet()["properties"])), "fleet": {}}
    answer = ask(stack, example.method, address(example, resourceName="configuration1"), given or None)
    judge(example, answer)
    assert example.method != "DELETE" or ask(stack, "PUT", configuration, fleet()).status == 201


@pytest.mark.parametrize("example", named(each for each in ALL if each.operation.startswith(f"{OURS[1]}_")))
def test_an_assignment_to_what_is_no_machine_is_refused(stack: Stack, example: Example, configuration: str) -> None:
    at = address(example)
    assert any(kind in at.lower() for kind in NOT_MACHINES)
    assert ask(stack, example.method, at, sent(example) or None).error[0] == "InvalidResourceType"
