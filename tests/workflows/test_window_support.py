"""Windows and machines that Azure patches in no way: left out with the reason, and never asked anything of."""

from msgspec.structs import replace

from shared.domain.machine import Machine
from tests.cloud.world import Json, address_of
from tests.workflows.house import House
from tests.workflows.windows import code, healthy, loaded, part, save, soon


def seen_as(house: House, machine: Json, **other: str) -> Machine:
    """The inventory says something else of it."""
    told = replace(house.record(machine).machine, **other)
    house.store.machines.save(told.address.scope, [told])
    return told


def test_the_publisher_of_an_image_is_read(house: House) -> None:
    machine = house.know(house.one(os="Windows", vm=True))
    assert house.record(machine).machine.publisher in ("MicrosoftWindowsServer", "MicrosoftSQLServer")


def test_a_client_is_left_out_and_the_others_are_patched(house: House) -> None:
    first, second = healthy(house, 2)
    client, server = (first, second) if address_of(first).is_vm else (second, first)
    seen_as(house, client, publisher="MicrosoftWindowsDesktop", os_name="Windows-11 win11-23h2-ent")
    start = save(house, soon(house), client, server)
    house.live(200)
    assert code(part(house, start, client)) == "UnsupportedSystem"
    assert house.posts(client["id"]) == []
    assert len(house.posts(server["id"])) == 1
    assert loaded(house, start).run.closed


def test_a_client_is_not_assessed_by_the_plan(house: House) -> None:
    machine = next(each for each in healthy(house, 1) if address_of(each).is_vm)
    house.lose()
    seen_as(house, machine, publisher="MicrosoftWindowsDesktop", os_name="Windows-11 win11-23h2-ent")
    house.plan()
    house.run(30)
    assert house.posts(machine["id"]) == []
