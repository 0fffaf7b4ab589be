"""Resource Graph: the lists of updates that Arc's own results leave out, published late, in pages, asked for safely."""

import pytest

from shared.cloud.errors import CloudError
from shared.cloud.graph import summary_since, updates_of
from shared.cloud.operations import Finished, Running, look
from shared.domain.operation import OperationKind
from shared.domain.resource_id import MachineId
from tests.cloud.world import Json, World, accepted, address_of

ASSESSMENT, INSTALLATION = OperationKind.ASSESSMENT, OperationKind.INSTALLATION


@pytest.fixture
def world() -> World:
    return World(machines=30)


def ended(world: World, machine: Json, verb: str) -> str:
    """Runs an operation to its end; its activity id."""
    answer = world.started(machine, verb)
    operation = accepted(machine, world.clock.now, answer.url, answer.result_url)
    seen = look(world.azure, operation)
    while isinstance(seen, Running):
        world.clock.advance(seen.retry_after)
        seen = look(world.azure, operation)
    assert isinstance(seen, Finished), seen
    assert seen.body["status"] == "Succeeded"
    return str(seen.body["assessmentActivityId" if verb == "assess" else "installationActivityId"])


@pytest.mark.parametrize("os", ["Windows", "Linux"])
@pytest.mark.parametrize("verb", ["assess", "install"])
def test_the_list_comes_when_it_is_published_and_none_before(world: World, os: str, verb: str) -> None:
    machine, kind = world.one(os=os, vm=False, pending=2), ASSESSMENT if verb == "assess" else INSTALLATION
    activity = ended(world, machine, verb)
    assert updates_of(world.azure, address_of(machine), kind, activity) is None
    world.clock.advance(10)
    found = updates_of(world.azure, address_of(machine), kind, activity)
    assert found is not None
    assert {update.id for update in found} == set(machine["pending"])
    assert all(update.name and (update.kb if os == "Windows" else update.version) for update in found)
    assert {update.state for update in found} == ({""} if verb == "assess" else {"Installed"})


def test_the_list_of_an_earlier_assessment_is_not_taken(world: World) -> None:
    machine = world.one(vm=False)
    first = ended(world, machine, "assess")
    world.clock.advance(60)
    second = ended(world, machine, "assess")
    assert updates_of(world.azure, address_of(machine), ASSESSMENT, second) is None
    world.clock.advance(60)
    assert updates_of(world.azure, address_of(machine), ASSESSMENT, second) is not None
    assert updates_of(world.azure, address_of(machine), ASSESSMENT, first) is None


def test_the_list_of_an_installation_comes_with_its_states(world: World) -> None:
    machine = world.one(vm=False, pending=2)
    activity = ended(world, machine, "install")
    world.clock.advance(10)
    found = updates_of(world.azure, address_of(machine), INSTALLATION, activity) or ()
    assert {(update.id, update.state) for update in found} == {(id_, "Installed") for id_ in machine["pending"]}


def test_a_published_list_without_updates_is_empty_and_not_missing(world: World) -> None:
    machine = world.one(vm=False)
    ended(world, machine, "install")
    world.clock.advance(60)
    activity = ended(world, machine, "assess")
    world.clock.advance(60)
    assert updates_of(world.azure, address_of(machine), ASSESSMENT, activity) == ()


def test_pages_are_followed(world: World) -> None:
    """Azure may give fewer rows at once than it was asked for."""
    machine = world.one(vm=False, pending=4)
    activity = ended(world, machine, "assess")
    world.clock.advance(60)
    whole = updates_of(world.azure, address_of(machine), ASSESSMENT, activity)
    world.sandbox.most_rows = 2
    before = len(world.sandbox.seen)
    assert updates_of(world.azure, address_of(machine), ASSESSMENT, activity) == whole
    assert len(world.sandbox.seen) - before > 2


@pytest.mark.parametrize("name", ["o'brien", "back\\slash", "x' or id startswith '/", "a'b\\'c"])
def test_a_name_cannot_break_out_of_the_query(world: World, name: str) -> None:
    address = MachineId(
        subscription=world.fleet[0]["subscription"], group="g", type="Microsoft.HybridCompute/machines", name=name
    )
    assert updates_of(world.azure, address, ASSESSMENT, "activity") is None
    assert summary_since(world.azure, address, ASSESSMENT, world.clock.now.replace(year=2020)) is None


def test_a_machine_whose_name_begins_like_another_has_its_own_results(world: World) -> None:
    machine = world.one(vm=False)
    ended(world, machine, "assess")
    world.clock.advance(60)
    whole = address_of(machine)
    shorter = MachineId(subscription=whole.subscription, group=whole.group, type=whole.type, name=whole.name[:-1])
    long_ago = world.clock.now.replace(year=2020)
    assert summary_since(world.azure, whole, ASSESSMENT, long_ago) is not None
    assert summary_since(world.azure, shorter, ASSESSMENT, long_ago) is None


def test_azures_quota_is_a_cloud_error_and_never_waited_for(world: World) -> None:
    """Fifteen queries in five seconds; the next one is refused, and the function does not sleep on it."""
    machine = world.one(vm=False)
    for _ in range(15):
        updates_of(world.azure, address_of(machine), ASSESSMENT, "activity")
    before = world.clock.now
    with pytest.raises(CloudError) as raised:
        updates_of(world.azure, address_of(machine), ASSESSMENT, "activity")
    assert raised.value.status == 429
    assert 1 <= raised.value.retry_after <= 5
    assert world.clock.now == before
