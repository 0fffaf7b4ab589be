"""Faults by seed: off by default, the same for the same seed, of every kind, and bounded by their rate."""

import json
from collections import Counter
from typing import Any

import pytest

from infra.local.sandbox.fault import Kind
from infra.local.sandbox.http import Request
from infra.local.sandbox.weather import DRAWABLE, Day, Weather
from tests.sandbox.world import ORIGIN, World, version_of

GRAPH = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"


def day_of(world: World, machines: list[dict[str, Any]]) -> None:
    """Assesses, looks, lists and queries; whatever is answered."""
    for machine in machines:
        accepted = world.post(machine, "assessPatches")
        world.send("GET", f"{machine['id']}?api-version={version_of(machine)}")
        if accepted.status == 202:
            world.send("GET", accepted.headers["Location"])
        world.clock.advance(1)
        world.send("POST", GRAPH, {"query": "patchassessmentresources | project id | order by id asc"})


def told(world: World, machine: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What one machine's requests met."""
    own = [entry for entry in world.journal("request") if entry["machine"] == machine["id"]]
    return [(entry["method"], entry["status"], entry["faults"]) for entry in own]


def test_without_a_rate_nothing_is_drawn() -> None:
    world = World()
    day_of(world, world.fleet)
    assert world.journal("fault") == []
    assert {entry["fault"] for entry in world.journal("request")} == {False}


def test_the_same_seed_meets_the_same_faults() -> None:
    worlds = [World(day=Day(rate=0.3, seed=seed)) for seed in (5, 5, 6)]
    for world in worlds:
        day_of(world, world.fleet)
    first, second, other = (world.journal("fault") for world in worlds)
    assert first == second
    assert first != other


def test_what_a_request_meets_does_not_depend_on_others() -> None:
    kinds = ("status", "drop", "hang", "latency", "truncate")
    forward, backward = (World(day=Day(rate=0.4, seed=3, kinds=kinds)) for _ in range(2))
    day_of(forward, forward.fleet)
    day_of(backward, backward.fleet[::-1])
    for machine in forward.fleet:
        assert told(forward, machine) == told(backward, machine)
    assert forward.journal("fault")


def test_every_kind_is_drawn_and_is_in_the_journal() -> None:
    seen: Counter[str] = Counter()
    for seed in range(3):
        world = World(day=Day(rate=0.5, seed=seed))
        day_of(world, world.fleet)
        for subscription in {machine["subscription"] for machine in world.fleet}:
            for turn in range(20):
                path = f"/subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachines"
                world.send("GET", f"{path}?api-version=2025-04-01&turn={turn}")
        seen.update(world.struck())
        assert all(entry["drawn"] for entry in world.journal("fault"))
    assert set(seen) == DRAWABLE


def test_the_rate_is_the_share_of_requests_that_meet_one() -> None:
    weather = Weather(Day(rate=0.2, seed=1), 120, ["/subscriptions/s/m"])
    requests = [Request(method="GET", url=f"{ORIGIN}/subscriptions/{number}") for number in range(2000)]
    assert 340 <= sum(weather.draw(request) is not None for request in requests) <= 460


def test_a_request_that_is_sent_again_has_another_chance() -> None:
    weather = Weather(Day(rate=0.5, seed=1), 120, ["/subscriptions/s/m"])
    request = Request(method="GET", url=f"{ORIGIN}/subscriptions/1")
    assert 30 <= sum(weather.draw(request) is not None for _ in range(100)) <= 70


def test_only_the_kinds_named_are_drawn() -> None:
    world = World(day=Day(rate=0.5, kinds=("drop", "expire")))
    day_of(world, world.fleet)
    assert set(world.struck()) == {"drop", "expire"}


def test_some_throttled_answers_say_when_to_come_back_and_some_do_not() -> None:
    weather = Weather(Day(rate=0.9, kinds=("status",)), 120, [])
    drawn = [weather.draw(Request(method="GET", url=f"{ORIGIN}/subscriptions/{number}")) for number in range(300)]
    throttled = [fault for fault in drawn if fault is not None and fault.status == 429]
    assert {fault.retry_after > 0 for fault in throttled} == {True, False}
    assert not any(fault.effect for fault in throttled)
    lost = [fault for fault in drawn if fault is not None and fault.status >= 500]
    assert {fault.effect for fault in lost} == {True, False}


def test_by_seed_a_busy_machine_refuses_or_supersedes() -> None:
    world = World(machines=60, day=Day(rate=0.000001, seed=2))
    answers: Counter[int] = Counter()
    for machine in world.fleet:
        if world.post(machine, "assessPatches").status == 202:
            answers[world.post(machine, "assessPatches").status] += 1
    assert min(answers[202], answers[409]) >= 10
    superseded = [entry for entry in world.journal("operationEnded") if entry["status"] == "Failed"]
    assert len(superseded) >= answers[202]


def test_by_seed_results_may_show_hours_later() -> None:
    world = World(speed=1, day=Day(rate=0.5, kinds=("graphLag",)))
    late = [entry for entry in _lags(world) if entry["seconds"] >= 1800]
    assert late
    assert max(entry["seconds"] for entry in late) <= 30 * 3600


def _lags(world: World) -> list[dict[str, Any]]:
    for machine in world.fleet:
        world.post(machine, "assessPatches")
    world.clock.advance(3600)
    world.get("/sandbox/journal")
    return world.journal("fault")


def test_by_seed_subscriptions_refuse_and_the_clock_is_off() -> None:
    world = World(day=Day(seed=4, forbidden=1, throttled=1, clock=300))
    standing = world.get("/sandbox/faults")
    assert sorted(fault["kind"] for fault in standing) == ["clock", "forbidden", "throttled"]
    assert all(fault["drawn"] for fault in standing)
    (clock,) = [fault for fault in standing if fault["kind"] == "clock"]
    assert 0 < abs(clock["seconds"]) <= 300
    statuses = {
        world.send("GET", f"/subscriptions/{id_}?api-version=2022-12-01").status
        for id_ in {machine["subscription"] for machine in world.fleet}
    }
    assert statuses == {200, 403, 429}
    assert len(world.journal("faultBegan")) == 3


def test_by_seed_operations_of_others_begin_on_machines_that_can_take_one() -> None:
    world = World(day=Day(rate=0.5, kinds=("foreign",)))
    for _ in range(60):
        world.send("GET", "/subscriptions?api-version=2022-12-01")
    begun = [entry["machine"] for entry in world.journal("operationAccepted")]
    assert begun
    assert begun == [entry["machine"] for entry in world.journal("fault")]
    scripts = {machine["id"]: machine["script"] for machine in world.fleet}
    assert {scripts[id_] for id_ in begun}.isdisjoint({"poweredOff", "deallocated", "disconnected"})


@pytest.mark.parametrize("wrong", [{"rate": 1.0}, {"rate": -0.1}, {"kinds": ("clock",)}, {"forbidden": -1}])
def test_a_day_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a day"):
        Day(**wrong)


def test_what_is_drawn_is_made_of_what_may_be_asked_for() -> None:
    """Every drawn fault can be repeated by hand: its facts, without `drawn`, are a body that is taken."""
    weather = Weather(Day(rate=0.9, seed=9), 120, [World(machines=3).fleet[0]["id"]])
    paths = ("/a/assessPatches", "/providers/Microsoft.ResourceGraph/resources", "/a/virtualMachines")
    drawn = [weather.draw(Request(method="POST", url=f"{ORIGIN}{paths[turn % 3]}")) for turn in range(200)]
    world = World(machines=3)
    for fault in drawn:
        if fault is None or fault.kind is Kind.FOREIGN:
            continue
        body = {name: value for name, value in fault.facts().items() if name != "drawn"}
        if fault.kind is Kind.PAGE:
            body.setdefault("rows", 0)
        answer = world.send("POST", "/sandbox/faults", body)
        assert answer.status == 204, (body, json.loads(answer.body))
