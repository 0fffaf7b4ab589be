"""The sandbox's answers, judged by Azure's published schemas, for every published example of what it serves."""

import json
from collections import Counter
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.sandbox.contracts import FOLDER, Example, complaints, examples, undeclared
from tests.sandbox.report import Report, contract_report
from tests.sandbox.world import World, group_and_name

pytestmark = [
    pytest.mark.skipif(not FOLDER.is_dir(), reason="Azure's published contracts are not beside the project"),
    pytest.mark.alone,  # the examples used are told at the end of the run, by the process that used them
]

SERVED = {
    "VirtualMachines_ListAll",
    "VirtualMachines_List",
    "VirtualMachines_Get",
    "VirtualMachines_InstanceView",
    "VirtualMachines_AssessPatches",
    "VirtualMachines_InstallPatches",
    "Machines_ListBySubscription",
    "Machines_Get",
    "Machines_AssessPatches",
    "Machines_InstallPatches",
    "Resources",
}

REFUSED = {
    "VirtualMachine_ListAll_MaximumSet_Gen": "does not filter lists of VMs",
    "ResourcesComplexQuery": "'summarize'",
    "ResourcesFacetQuery": "'facets'",
    "ResourcesMgBasicQuery": "'managementGroups'",
    "ResourcesNextPageQuery": "the $skipToken is not one of ours",
    "ResourcesPropertiesQuery": "'summarize'",
    "ResourcesSummarizeQuery": "'summarize'",
}
"""Examples of features that the app does not use: the sandbox must refuse them, and say what it refuses."""

ALL = list(examples()) if FOLDER.is_dir() else []
USED = [example for example in ALL if example.operation in SERVED]


@pytest.fixture(scope="module")
def report(request: pytest.FixtureRequest) -> Report:
    """Collects a line for each example, for the end of the run's output."""
    return contract_report(request.config)


def _name(example: Example) -> str:
    return example.file.rsplit("/", 1)[-1].removesuffix(".json")


def _label(example: Example) -> str:
    return f"{'/'.join(example.file.split('/')[:2])} {_name(example)}"


def _machine(world: World, example: Example) -> dict[str, Any]:
    return world.one(os="Windows", vm="Microsoft.Compute" in example.path)


def _url(world: World, example: Example) -> str:
    """The example's own request, its names mapped to a machine of the fleet."""
    machine = _machine(world, example)
    group, name = group_and_name(machine)
    own = {"subscriptionId": machine["subscription"], "resourceGroupName": group}
    own |= dict.fromkeys(("vmName", "machineName", "name"), name)
    path = example.path
    for word, value in own.items():
        path = path.replace(f"{{{word}}}", quote(value))
    rest = {key: value for key, value in example.parameters.items() if key not in own and isinstance(value, str)}
    return f"{path}?{urlencode(rest)}"


def _body(world: World, example: Example) -> Any:  # noqa: ANN401 - any JSON
    """The example's body; a query asks about the fleet's subscriptions, so that there is something to judge."""
    bodies = [value for value in example.parameters.values() if isinstance(value, dict)]
    if bodies and "subscriptions" in bodies[0]:
        bodies[0] = {**bodies[0], "subscriptions": sorted({machine["subscription"] for machine in world.fleet})}
    return bodies[0] if bodies else None


@pytest.mark.parametrize("example", [item for item in USED if _name(item) not in REFUSED], ids=_label)
def test_the_answer_to_a_published_request_fits_the_schema_and_its_statuses(example: Example, report: Report) -> None:
    world = World()
    answer = world.send(example.method, _url(world, example), _body(world, example))
    assert answer.status in example.statuses, answer.body
    if answer.status == 202:
        assert complaints(example, 202, json.loads(answer.body) if answer.body else None) == []
        status, body = world.finish(answer)
    else:
        status, body = answer.status, json.loads(answer.body)
    assert status in example.statuses
    assert status == 200
    assert complaints(example, status, body) == []
    assert undeclared(example, body) == []
    report.used.append(f"{_label(example)}: {example.operation}, {'202 then ' if answer.status == 202 else ''}200")


@pytest.mark.parametrize("example", [item for item in USED if _name(item) in REFUSED], ids=_label)
def test_a_published_request_beyond_the_sandbox_is_refused_by_name(example: Example, report: Report) -> None:
    world = World()
    answer = world.send(example.method, _url(world, example), _body(world, example))
    assert answer.status in (400, 501)
    body = json.loads(answer.body)
    assert complaints(example, answer.status, body) == []
    assert REFUSED[_name(example)] in body["error"]["message"]
    report.skipped.append(f"{_label(example)}: {example.operation}, not served: {body['error']['message']}")


def test_every_served_operation_has_examples_and_the_rest_is_counted(report: Report) -> None:
    assert {example.operation for example in USED} == SERVED
    rest = Counter(example.file.split("/")[0] for example in ALL if example.operation not in SERVED)
    counted = ", ".join(f"{area} {count}" for area, count in sorted(rest.items()))
    report.skipped.append(f"examples of operations that are not served: {counted}")


@pytest.mark.parametrize("example", [item for item in USED if item.operation.endswith("Patches")], ids=_label)
def test_refusals_of_patch_operations_fit_the_error_schema(example: Example) -> None:
    world = World()
    missing = world.send("POST", _url(world, example).replace("/assess", "X/assess").replace("/install", "X/install"))
    assert missing.status == 404
    assert complaints(example, 404, json.loads(missing.body)) == []
    anonymous = world.send("POST", _url(world, example), _body(world, example), token="")
    assert anonymous.status == 401
    assert complaints(example, 401, json.loads(anonymous.body)) == []
    assert world.send("POST", _url(world, example), _body(world, example)).status == 202
    busy = world.send("POST", _url(world, example), _body(world, example))
    assert busy.status == 409
    assert complaints(example, 409, json.loads(busy.body)) == []


FAILING = ("assessmentFails", "installationFails", "windowExceeded", "rebootLeft")


@pytest.mark.parametrize("script", FAILING)
@pytest.mark.parametrize("example", [item for item in USED if item.operation.endswith("_InstallPatches")], ids=_label)
def test_results_of_operations_that_do_not_go_well_fit_the_schema(example: Example, script: str) -> None:
    world = World(machines=240)
    machine = world.one(script=script, os="Windows", vm="Microsoft.Compute" in example.path)
    classes = {"classificationsToInclude": ["Critical", "Security", "Updates", "Definition"]}
    body = {"maximumDuration": "PT2H", "rebootSetting": "Never", "windowsParameters": classes}
    for verb, sent in (("assessPatches", None), ("installPatches", body)):
        status, result = world.finish(world.post(machine, verb, sent))
        if verb == "installPatches":
            assert result["status"] in ("Failed", "CompletedWithWarnings")
            assert complaints(example, status, result) == []
            assert undeclared(example, result) == []


def test_the_schemas_do_find_fault() -> None:
    """The judge itself is judged: a wrong type, a word outside an enum, an unknown member."""
    example = next(item for item in USED if item.operation == "VirtualMachines_AssessPatches")
    assert complaints(example, 200, {"status": "Succeeded", "rebootPending": "yes"})
    assert complaints(example, 200, {"status": "Fine"})
    assert undeclared(example, {"status": "Succeeded", "availablePatches": [{"patchID": "1"}]}) == [
        "$.availablePatches[].patchID"
    ]
