"""`prove kills`: a fleet is assessed while something dies in named steps; nothing is sent twice, nothing is lost."""

import queue
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from infra.local.client import Refused, is_busy
from infra.local.demo import made
from infra.local.launch import Options
from shared.domain.agenda import HEAL_PLANNED, UNBORN_LIFE
from shared.domain.assessment import PLAN_LIFE
from shared.domain.bucket import GUEST_PATCH_BURST
from tests.local.waiting import until
from tests.scenarios import judging
from tests.scenarios.city import HOST, City
from tests.scenarios.steps import ASSESSING, INVENTORY, PLANNING, Caught, Step, is_start
from tests.scenarios.timers import forward, nudged, timer

pytestmark = [
    pytest.mark.proof,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the process of a socket in /proc"),
]

OPTIONS = Options(
    machines=200,
    seed=7,
    speed=60,
    crowded=True,
    driven=True,
    settings={"AzureWebJobs.results_timer.Disabled": "true"},
)
"""All assessed by the app: none is left to Azure, and what Azure has found of one that is off now is not swept."""
STEP_SECONDS = 150.0
"""A step comes within seconds; what a death interrupted comes back after thirty, or when the SDK tries again."""

REGION = "westeurope"
"""Where a crowded fleet lives."""

ENDED_SECONDS = 900.0
"""By then what Azure has accepted has been looked at, what was busy is free, and traces of what a dead sender left were
looked for to the end, which are ten minutes."""

SETTLE_SECONDS = 400.0
"""What was planned and never sent is planned again after forty minutes, by Azure's clock, which is put forward."""

SHOWN_SECONDS = 60.0
"""The longest assessment takes less at this speed, and its list of updates shows."""

EMPTY_SECONDS = 900.0
"""By then every message has come and every line of the agenda is struck out: where nobody has heard Azure's
Retry-After, both looks come after 300 and 360 seconds, and a line that was tended just before after two minutes."""

Kill = Callable[[City, Caught], str]
"""Lets something die while the request is held; what died, in words."""


def a_worker(city: City, caught: Caught) -> str:
    pid = city.worker_of(caught.seen.ports)
    if pid is None:
        return ""
    city.kill_worker(pid)
    return f"SIGKILL of worker {pid}"


def the_host(city: City, caught: Caught) -> str:
    if city.worker_of(caught.seen.ports) is None:
        return ""
    pid = city.children[HOST].pid
    city.kill_host()
    return f"SIGKILL of the host {pid}"


def the_storage(city: City, caught: Caught) -> str:
    pid = city.azurite.process.pid
    city.restart_storage()
    return f"SIGTERM of Azurite {pid}, started again"


@contextmanager
def fleet(what: str) -> Iterator[City]:
    with City.start(OPTIONS) as city:
        print(f"\n{OPTIONS.machines} machines, while this dies: {what}")
        yield city


def strike(city: City, steps: Sequence[Step], kill: Kill) -> None:
    """One death in each step. A held request whose sender died of another step's kill waits for the next one."""
    left = list(steps)
    city.steps.arm(*left)
    while left:
        caught = _next(city, left)
        died = kill(city, caught)
        caught.release(kill is the_storage and not caught.step.after)
        if died:
            left.remove(caught.step)
            print(f"  {died:<34} in step: {caught.step.name}")
        else:
            city.steps.arm(caught.step)


def _next(city: City, left: Sequence[Step]) -> Caught:
    """What is held, the earliest step first: its occasions are over first."""
    try:
        held = [city.steps.caught.get(timeout=STEP_SECONDS)]
    except queue.Empty:
        pytest.fail(f"never reached: {', '.join(step.name for step in left)}")
    while not city.steps.caught.empty():
        held.append(city.steps.caught.get())
    held.sort(key=lambda each: ASSESSING.index(each.step) if each.step in ASSESSING else -1)
    for later in held[1:]:
        city.steps.caught.put(later)
    return held[0]


def known(city: City) -> bool:
    return len(judging.rows(city)) == OPTIONS.machines


def unconfirmed(city: City) -> list[str]:
    """Machines whose start was never answered and left no trace: closed with that reason."""
    return judging.refused(city, "StartUnconfirmed")


def settle(city: City) -> None:
    """Until all is closed. Azure's clock goes forward by what a lost plan is waited for.

    First all that is under way ends, and what was closed without an answer is assessed: to a clock that is ahead, lists
    of updates that are about to be published would be late, and there would be no time left for what waits until a
    machine is no longer busy. What is planned anew after it has results that are older than its start; those are
    Azure's to tell one by one, as the agenda has it asked.
    """
    assert nudged(city, lambda: not flying(city), ENDED_SECONDS), flying(city)
    asked: set[str] = set()
    assert nudged(city, lambda: _confirmed(city, asked), SETTLE_SECONDS), unconfirmed(city)
    print(f"  closed as StartUnconfirmed and asked for once more: {len(asked)}")
    forward(city, PLAN_LIFE)
    assert nudged(city, lambda: _sent_again(city), SETTLE_SECONDS), judging.outcomes(city)
    nudged(city, lambda: not flying(city), SHOWN_SECONDS)  # to a clock that is ahead, lists that lag would be late
    forward(city, HEAL_PLANNED)
    assert nudged(city, lambda: not judging.outcomes(city), SETTLE_SECONDS), judging.outcomes(city)
    forward(city, UNBORN_LIFE)  # so long a line stands whose claim was never made
    assert nudged(city, lambda: not judging.left_over(city), EMPTY_SECONDS), judging.left_over(city)


def _sent_again(city: City) -> bool:
    """Whether all that is not assessed yet has been sent."""
    open_ones = flying(city)
    return all("accepted" in each for each in open_ones) and len(judging.outcomes(city)) <= len(open_ones)


def flying(city: City) -> list[str]:
    return [each for each in judging.left_over(city) if each.startswith("in flight")]


def _confirmed(city: City, asked: set[str]) -> bool:
    """Whether none is left that closed as StartUnconfirmed. It is asked for once more, as an operator would."""
    for machine in set(unconfirmed(city)) - asked:
        try:
            city.app.post(f"{machine}/assessPatches?api-version=2025-04-01")
        except Refused as refusal:
            if not is_busy(refusal):
                raise
        else:
            asked.add(machine)
    return not (flying(city) or unconfirmed(city))


def judge(city: City) -> None:
    """Prints the evidence; fails on the first law that does not hold."""
    every = judging.starts(city)
    wrong = [complaint for each in every for complaint in each.complaints()]
    left, arrived = sum(len(each.left) for each in every), sum(len(each.arrived) for each in every)
    accepted = sum(len(each.accepted) for each in every)
    print(f"  {len(every)} machines: {left} starts left the app, {arrived} arrived at Azure, {accepted} accepted")
    for each in every:
        if len(each.left) > 1 or not each.accepted:
            print(f"    {each.story()}")
    assert wrong == []
    assessable = [g for g in made(city.sandbox).values() if g.expected.assessment.outcome != "Skipped"]
    assert {each.machine for each in every} == {guest.id.lower() for guest in assessable}
    assert judging.outcomes(city) == []
    assert judging.left_over(city) == []
    print("  every machine ended as its script makes right; no operation in flight, agenda and queues empty")


def assess(city: City, kill: Kill, steps: Sequence[Step]) -> None:
    """The whole job, a death in each step of it."""
    timer(city, "inventory")
    strike(city, [INVENTORY], kill)
    assert until(lambda: known(city), STEP_SECONDS), "machines are missing"
    use_up(city)
    timer(city, "assessment")
    strike(city, [PLANNING], kill)
    timer(city, "assessment")
    assert until(lambda: "assessment_timer" in city.store.fleet.timers(), STEP_SECONDS), "no plan"
    strike(city, steps, kill)
    settle(city)
    judge(city)


def use_up(city: City) -> None:
    """The burst of Azure's throttle, as other work would: starts then come one after the other for a minute."""
    machine = next(iter(judging.rows(city).values()))
    city.store.buckets.lease(machine.subscription, REGION, GUEST_PATCH_BURST, datetime.now(UTC))


def test_workers_die() -> None:
    with fleet("a worker") as city:
        assess(city, a_worker, ASSESSING)


def test_hosts_die() -> None:
    with fleet("the host with all its workers") as city:
        assess(city, the_host, ASSESSING)


def test_storage_restarts() -> None:
    """An answer that is lost makes the SDK send again what has happened already."""
    with fleet("the storage") as city:
        assess(city, the_storage, [step for step in ASSESSING if step.fits is not is_start])
