"""Following what Azure accepted: its addresses, what an ended or vanished one means, and traces of a lost answer."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.cloud.errors import CloudError
from shared.cloud.operations import Finished, Gone, Running, is_running, look, power_state, trace
from shared.domain.operation import Accepted, Unanswered
from tests.cloud.world import Json, World, accepted, address_of

STARTS = [("assess", True), ("assess", False), ("install", True), ("install", False)]
KINDS = {"assess": "assessment", "install": "installation"}


@pytest.fixture
def world() -> World:
    return World(machines=30)


def through(world: World, answer: Accepted) -> Finished:
    """Looks until the end, moving the clock as Azure asks."""
    operation = accepted(world.one(), world.clock.now, answer.url, answer.result_url)
    for _ in range(500):
        seen = look(world.azure, operation)
        if not isinstance(seen, Running):
            assert isinstance(seen, Finished), seen
            return seen
        world.clock.advance(seen.retry_after)
    raise AssertionError("the operation did not end")


def activity(verb: str) -> str:
    return f"{KINDS[verb]}ActivityId"


@pytest.mark.parametrize(("verb", "vm"), STARTS)
def test_an_operation_is_followed_to_its_result(world: World, verb: str, vm: bool) -> None:
    """A VM's status carries the result as its output; an Arc machine's does not, Location has it."""
    machine = world.one(vm=vm)
    body = through(world, world.started(machine, verb)).body
    assert body["status"] == "Succeeded"
    assert body[activity(verb)]
    asked = [request.url for request in world.sandbox.seen if "Results/" in request.url]
    assert len(asked) == (0 if vm else 1)


@pytest.mark.parametrize(("verb", "vm"), STARTS)
def test_location_alone_is_enough(world: World, verb: str, vm: bool) -> None:
    """Azure's pages promise Location only."""
    answer = world.started(world.one(vm=vm), verb)
    body = through(world, Accepted(url="", result_url=answer.result_url, retry_after=1)).body
    assert body["status"] == "Succeeded"
    assert body[activity(verb)]


def test_the_status_alone_is_enough_where_it_carries_the_result(world: World) -> None:
    answer = world.started(world.one(vm=True), "assess")
    assert through(world, Accepted(url=answer.url, result_url="", retry_after=1)).body["availablePatches"]


def test_a_running_operation_says_when_to_look_again() -> None:
    world = World(speed=5)
    machine = world.one(vm=True)
    answer = world.started(machine, "assess")
    seen = look(world.azure, accepted(machine, world.clock.now, answer.url))
    assert seen == Running(retry_after=3, says_so=True), "15 s, five times faster"


@pytest.mark.parametrize("vm", [True, False])
def test_an_operation_that_azure_calls_failed_is_finished_with_its_error(vm: bool) -> None:
    """Linux machines of the sandbox fail the operation itself, Windows machines say Failed in the result."""
    world = World(machines=120)
    failing = [each for each in world.fleet if each["script"] == "assessmentFails"]
    assert {machine["os"] for machine in failing} == {"Windows", "Linux"}
    for machine in failing:
        answer = world.started(machine, "assess")
        body = through(world, answer if vm else Accepted(url=answer.url, result_url="", retry_after=1)).body
        assert body["status"] == "Failed"
        assert body["error"] or body["errorDetails"], body


@pytest.mark.parametrize("place", ["url", "result_url"])
def test_an_unknown_address_is_gone_and_no_outcome(world: World, place: str) -> None:
    machine = world.one(vm=True)
    answer = world.started(machine, "assess")
    lost = answer.url.replace("/operations/", "/operations/0000")
    assert look(world.azure, accepted(machine, world.clock.now, **{place: lost})) == Gone()


@pytest.mark.parametrize("status", [404, 410])
def test_an_expired_address_is_gone(world: World, status: int) -> None:
    machine = world.one(vm=True)
    answer = world.started(machine, "assess")
    world.fault(status, "/operations/", "GET")
    assert look(world.azure, accepted(machine, world.clock.now, answer.url)) == Gone()


@pytest.mark.parametrize("status", [400, 401, 403, 409, 429, 500, 502, 503, 504])
def test_no_clear_answer_means_look_again(world: World, status: int) -> None:
    machine = world.one(vm=True)
    answer = world.started(machine, "assess")
    world.fault(status, "/operations/", "GET", headers={"Retry-After": "9"})
    operation = accepted(machine, world.clock.now, answer.url, answer.result_url)
    assert look(world.azure, operation) == Running(retry_after=9)
    assert len([each for each in world.journal("request") if each["method"] == "GET"]) == 1, "one look, one request"


def lose(world: World, machine: Json, verb: str, *, effect: bool = True) -> None:
    """Starts, and loses Azure's answer."""
    world.fault(503, f"/{verb}Patches", effect=effect)
    assert isinstance(world.start(machine, verb), Unanswered)


@pytest.mark.parametrize(("verb", "vm"), STARTS)
def test_a_start_without_an_answer_leaves_a_trace(world: World, verb: str, vm: bool) -> None:
    """VM: in its instance view at once. Arc: in Resource Graph, an assessment when it has ended and then some."""
    machine = world.one(vm=vm)
    operation = accepted(machine, world.clock.now, kind=KINDS[verb])
    lose(world, machine, verb)
    world.sandbox.seen.clear()
    found = None
    for _ in range(600):
        found = trace(world.azure, operation)
        if found and not is_running(found):
            break
        world.clock.advance(1)
    assert found is not None
    assert found["status"] == "Succeeded"
    assert found[activity(verb)]
    asked_graph = any("resourcegraph" in request.url.lower() for request in world.sandbox.seen)
    assert asked_graph is not vm


def test_a_vms_instance_view_shows_the_start_at_once(world: World) -> None:
    machine = world.one(vm=True)
    operation = accepted(machine, world.clock.now)
    lose(world, machine, "assess")
    found = trace(world.azure, operation)
    assert found is not None
    assert is_running(found)


def test_resource_graph_is_asked_where_the_instance_view_shows_something_older(world: World) -> None:
    """Two sources, in this order: what was before the claim is no trace, in neither of them."""
    machine = world.one(vm=True)
    through(world, world.started(machine, "assess"))
    world.clock.advance(60)
    operation = accepted(machine, world.clock.now)
    world.sandbox.seen.clear()
    assert trace(world.azure, operation) is None
    paths = [request.path.lower() for request in world.sandbox.seen]
    assert [path.rsplit("/", 1)[1] for path in paths] == ["instanceview", "resources"]


@pytest.mark.parametrize(("verb", "vm"), STARTS)
def test_what_another_began_between_claim_and_request_is_no_trace(world: World, verb: str, vm: bool) -> None:
    """Found by the simulation: a lost 409 of a machine that another's installation kept busy."""
    machine = world.one(vm=vm)
    claimed = world.clock.now
    world.clock.advance(10)
    through(world, world.started(machine, verb))
    world.clock.advance(60)
    operation = accepted(machine, claimed, kind=KINDS[verb])
    assert trace(world.azure, replace(operation, sent=None)) is not None
    assert trace(world.azure, replace(operation, sent=world.clock.now)) is None


@pytest.mark.parametrize(("verb", "vm"), STARTS)
def test_without_an_effect_there_is_no_trace(world: World, verb: str, vm: bool) -> None:
    """Also where the machine carries an assessment of days ago."""
    for machine in [each for each in world.fleet if each["script"] == "healthy" and (each["kind"] == "AzureVM") == vm]:
        operation = accepted(machine, world.clock.now, kind=KINDS[verb])
        lose(world, machine, verb, effect=False)
        world.clock.advance(30)
        assert trace(world.azure, operation) is None


@pytest.mark.parametrize("vm", [True, False])
def test_a_trace_is_found_though_azures_clock_is_a_little_behind(vm: bool) -> None:
    """A difference that the clock calls noise must not hide the evidence."""
    world = World(machines=30, skew=-1.5)
    machine = world.one(vm=vm)
    operation = accepted(machine, world.azure.clock.now(), kind="installation")
    lose(world, machine, "install")
    world.clock.advance(60)
    assert trace(world.azure, operation) is not None


@pytest.mark.parametrize("status", [403, 429])
def test_a_trace_that_cannot_be_looked_for_says_so(world: World, status: int) -> None:
    machine = world.one(vm=False)
    world.fault(status, "/Microsoft.ResourceGraph/", headers={"Retry-After": "8"})
    with pytest.raises(CloudError) as raised:
        trace(world.azure, accepted(machine, world.clock.now))
    assert (raised.value.status, raised.value.retry_after) == (status, 8)


def test_a_machine_says_whether_it_can_be_reached_now(world: World) -> None:
    words = {"healthy": ("running", "Connected"), "poweredOff": ("stopped", ""), "deallocated": ("deallocated", "")}
    for script, (power, connection) in {**words, "disconnected": ("", "Disconnected")}.items():
        for vm, expected in ((True, power), (False, connection)):
            if expected:
                assert power_state(world.azure, address_of(world.one(script, vm=vm, pending=0))) == expected


def test_an_old_claim_finds_the_newest_result(world: World) -> None:
    """Resource Graph keeps every installation: the newest that is not older than the claim is the one."""
    machine = world.one(vm=False, pending=2)
    operation = accepted(machine, world.clock.now, kind="installation")
    ids = []
    for _ in range(2):
        ids.append(through(world, world.started(machine, "install")).body["installationActivityId"])
        world.clock.advance(60)
    found = trace(world.azure, operation)
    assert found is not None
    assert found["installationActivityId"] == ids[1]
    assert operation.claimed < world.clock.now - timedelta(minutes=1)
