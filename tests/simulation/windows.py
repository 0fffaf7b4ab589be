"""A day with maintenance windows: one configuration over the whole fleet, opened twice while everything goes wrong.

`python -m tests.simulation.windows [--seeds N] [--seconds S] [--from SEED]`: many seeds and their laws.
"""

import argparse
import json
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import count

from shared.domain.assignment import Assignment, on_scope
from shared.domain.configuration import Configuration
from shared.domain.dynamic_scope import Filter
from shared.domain.maintenance_id import ConfigurationId
from shared.domain.opening import run_id
from shared.workflows.openings import announce, write_down
from tests.domain.maintenance import ADDRESS, fleet, put
from tests.simulation.clock import START
from tests.simulation.evidence import Broken, Evidence
from tests.simulation.laws_ending import ending_laws
from tests.simulation.laws_windows import window_laws
from tests.simulation.outcome import Outcome
from tests.simulation.runner import Runner
from tests.simulation.seed import settle_hashes
from tests.simulation.template import Template
from tests.simulation.world import Parts, World

FIRST = START + timedelta(minutes=10)
STARTS = (FIRST, FIRST + timedelta(hours=1))
LENGTH = timedelta(minutes=50)
CONFIGURATION: ConfigurationId = ADDRESS


class WindowWorld(World):
    """Nobody else installs: what is sent belongs to a window."""

    def __init__(self, seed: int, template: Template, parts: Parts = Parts()) -> None:  # noqa: B008 - immutable
        super().__init__(seed, template, parts)
        self.plan.wishes[:] = [wish for wish in self.plan.wishes if wish.verb == "assessPatches"]
        own = random.Random(f"windows {seed}")
        self.limit, self.budget = own.choice((None, 1, 2, 4)), own.choice((None, 1, 2))
        self.waves = own.random() < 0.5
        self.cancel_at = own.uniform(60, 40 * 60) if own.random() < 0.4 else None

    def run(self) -> None:
        self._save(self.configuration())
        self._every(45.0, 600.0)
        if self.cancel_at is not None:
            self.scheduler.at(self.cancel_at, self._cancel)
        super().run()

    def configuration(self) -> Configuration:
        block: dict[str, object] = {}
        if self.limit is not None:
            block["maxConcurrency"] = self.limit
        if self.budget is not None:
            block["maxFailures"] = self.budget
        if self.waves:
            first = [each.id for each in self.fleet[: len(self.fleet) // 3]]
            block["waves"] = [{"name": "first", "machines": first, "soak": "PT2M", "successThreshold": 10}]
        window = {
            "startDateTime": f"{FIRST:%Y-%m-%d %H:%M}",
            "expirationDateTime": f"{STARTS[-1] + timedelta(minutes=1):%Y-%m-%d %H:%M}",
            "timeZone": "UTC",
            "recurEvery": "1Hour",
            "duration": "00:50",
        }
        return put(fleet(block, **window), now=START)

    def _save(self, configuration: Configuration) -> None:
        window = write_down(self.store, configuration, START, START)
        self.store.configurations.save(configuration)
        for subscription in sorted({each.subscription for each in self.fleet}):
            scope = on_scope(subscription, "", "all")
            self.store.assignments.save(Assignment(id=scope, configuration=configuration.id, filter=Filter()))
        announce(self.store, configuration, window, START)

    def _every(self, at: float, period: float) -> None:
        def fire() -> None:
            self.scheduler.at(self.clock.seconds + period, fire)
            self.host._fire("opening_timer")

        self.scheduler.at(at, fire)

    def _cancel(self) -> None:
        instance = self.host._any()
        self.host._start("run_cancel", instance, lambda: instance.run_cancel(CONFIGURATION, FIRST))

    def open_ends(self) -> Iterator[str]:
        yield from super().open_ends()
        for run in self.window_runs():
            loaded = self.store.runs.run(run)
            if loaded is None or loaded.closed is None:
                yield f"open run: {run}"

    def window_runs(self) -> list[str]:
        return [run_id(CONFIGURATION, start) for start in STARTS]


def live_windows(seed: int, template: Template, parts: Parts = Parts()) -> Outcome:  # noqa: B008 - immutable
    """The seed's whole day, judged."""
    logging.disable(logging.CRITICAL)
    began = time.process_time()
    world = WindowWorld(seed, template, parts)
    world.run()
    evidence = Evidence(world)
    broken: list[Broken] = [*window_laws(evidence, world), *ending_laws(evidence)]
    seen: Counter[str] = Counter()
    for run in world.window_runs():
        loaded = world.store.runs.load(run)
        for machine in loaded.machines if loaded else ():
            seen[machine.reason.code if machine.reason else str(machine.outcome)] += 1
        seen[f"run {loaded.run.outcome if loaded else None}"] += 1
    story = world.scheduler.story
    return Outcome(seed=seed, broken=broken, steps=len(story.lines), faults=story.faults.total(),
                   cpu=time.process_time() - began, sdk=world.plan.sdk, transitions=dict(seen),
                   story="\n".join(str(line) for line in story.lines) if broken else "")  # fmt: skip


def campaign(seconds: float, seeds: int | None, first: int) -> tuple[list[Outcome], Counter[str]]:
    end, seen, outcomes = time.monotonic() + seconds, Counter[str](), []
    numbers: Iterator[int] = iter(range(first, first + seeds)) if seeds else count(first)
    for outcome in Runner(living=live_windows).run(numbers, lambda: time.monotonic() < end):
        outcomes.append(outcome)
        seen.update(outcome.transitions)
    return outcomes, seen


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.windows", description=__doc__)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--from", dest="first", type=int, default=time.time_ns() // 1000)
    parser.add_argument("--story", action="store_true")
    asked = parser.parse_args(words)
    outcomes, seen = campaign(asked.seconds, asked.seeds, asked.first)
    broken = [(outcome, each) for outcome in outcomes for each in outcome.broken]
    for outcome, each in broken[:20]:
        sys.stdout.write(f"{outcome.seed} BROKEN {each.law}: {each.what} [{each.about}]\n")
        if asked.story:
            sys.stdout.write(f"{outcome.story}\n")
    sys.stdout.write(f"{json.dumps(dict(sorted(seen.items())), indent=1)}\n")
    sys.stdout.write(f"{len(outcomes)} seeds, {sum(o.faults for o in outcomes)} faults, {len(broken)} broken\n")
    return 1 if broken else 0


if __name__ == "__main__":
    settle_hashes("tests.simulation.windows", sys.argv[1:])
    sys.exit(main(sys.argv[1:]))
