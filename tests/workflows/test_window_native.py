"""Windows beside Azure's own schedules: never two that patch one machine."""

import pytest

from shared.domain.messages import OpenRun
from tests.domain.maintenance import body
from tests.workflows.house import House
from tests.workflows.test_native import Native
from tests.workflows.windows import code, healthy, part, save, soon


@pytest.mark.parametrize(("scope", "expected"), [("InGuestPatch", "NativeSchedule"), ("Host", "")])
def test_a_machine_that_a_schedule_of_azures_patches_is_left_to_it(house: House, scope: str, expected: str) -> None:
    """Never two schedulers; a schedule for hosts patches no guest."""
    native = Native(house)
    native.put("weekend", body(properties__maintenanceScope=scope))
    machine = house.know(native.machine)
    start = save(house, soon(house), machine)
    house.live(200)
    done = part(house, start, machine)
    assert code(done) == expected
    assert len(house.posts(machine["id"])) == (0 if expected else 1)


def test_while_azure_does_not_say_what_it_patches_the_window_waits(house: House) -> None:
    """Until then no machine is selected, and nothing is forgotten: ten seconds later it is asked again."""
    (machine,) = healthy(house, 1)
    save(house, soon(house), machine)
    house.fault(403, "/providers/Microsoft.ResourceGraph/resources")
    house.live(90)
    assert len(house.posts(machine["id"])) == 1
    asked = [each for each in house.handled if isinstance(each.message, OpenRun)]
    assert len(asked) > 1
