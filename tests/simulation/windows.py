"""Days with a maintenance window over the whole fleet, opened while everything goes wrong.

`python -m tests.simulation.windows [--seeds N] [--seconds S] [--from SEED]`: many seeds, their coverage, their laws.
`python -m tests.simulation.windows --story SEED`: one seed again, with its story.
"""

import argparse
import logging
import sys
import time
from collections import Counter

from tests.simulation.__main__ import LONGEST_SECONDS, SELDOM
from tests.simulation.campaign import run_campaign
from tests.simulation.evidence import Broken, Evidence
from tests.simulation.laws_ending import ending_laws
from tests.simulation.laws_windows import window_laws
from tests.simulation.outcome import Outcome, story_of, too_easy
from tests.simulation.runner import LONGEST_LIFE, Runner
from tests.simulation.seed import settle_hashes
from tests.simulation.template import Template, number_of
from tests.simulation.window_coverage import WindowCoverage
from tests.simulation.window_world import WindowWorld, make_window_template
from tests.simulation.world import Parts


def live_windows(seed: int, template: Template, parts: Parts = Parts(), *, tell: bool = False) -> Outcome:  # noqa: B008
    """The seed's whole day, judged. `tell`: with its story even if nothing broke."""
    logging.disable(logging.CRITICAL)
    began = time.process_time()
    world = WindowWorld(seed, template, parts)
    world.run()
    evidence = Evidence(world)
    broken: list[Broken] = [*window_laws(evidence, world), *ending_laws(evidence), *too_easy(world)]
    story = world.scheduler.story
    return Outcome(
        seed=seed,
        broken=broken,
        steps=len(story.lines),
        faults=story.faults.total(),
        minutes=world.clock.seconds / 60,
        cpu=time.process_time() - began,
        sdk=world.plan.sdk,
        transitions=dict(world.watch.transitions + _ends(world)),
        crashes=dict(world.crashes),
        story=f"{_facts(world)}\n{story_of(world, broken)}" if broken or tell else "",
    )


def _facts(world: WindowWorld) -> str:
    """What was planned, and what the world saw of it."""
    window, watch = world.window, world.watch
    edits = [f"  {edit.at:7.1f} s {edit.version or 'deleted'}" for edit in window.edits]
    plan = [f"  {name}: {getattr(window, name)}" for name in window.__struct_fields__ if name != "edits"]
    seen = [f"  {name}: {getattr(watch, name)}" for name in ("written", "frozen", "opened", "stopped")]
    return "\n".join(["edits:", *edits, "plan:", *plan, f"  outages: {world.plan.outages}", "seen:", *seen])


def _ends(world: WindowWorld) -> Counter[str]:
    """Of the runs' machines: every reason, and outcomes without one."""
    seen: Counter[str] = Counter()
    for run in world.watch.frozen:
        loaded = world.store.runs.load(run)
        for machine in loaded.machines if loaded else ():
            seen[f"reason {machine.reason.code}" if machine.reason else f"outcome {machine.outcome}"] += 1
    return seen


def windows_runner(parts: Parts = Parts(), patience: float = LONGEST_LIFE) -> Runner:  # noqa: B008 - immutable
    return Runner(parts, living=live_windows, template=make_window_template, patience=patience)


def main(words: list[str]) -> int:
    """Exit code 1 when a law broke, SELDOM when all held and something was met too seldom."""
    asked = _parser().parse_args(words)
    if asked.story is not None:
        return _tell(asked.story)
    # What is met once in hundreds of days is judged by the long proof: a minute more would not meet it often enough.
    campaign = run_campaign(asked.seconds, asked.seeds, asked.first, WindowCoverage(), windows_runner(), extra=0.0)
    for part in campaign.report():
        sys.stdout.write(f"{part}\n")
    if not campaign.is_lawful:
        return 1
    return 0 if campaign.is_good else SELDOM


def _tell(seed: int) -> int:
    outcome = live_windows(seed, make_window_template(number_of(seed)), tell=True)
    sys.stdout.write(f"{outcome.story}\n")
    for each in outcome.broken:
        sys.stdout.write(f"BROKEN {each.law}: {each.what} [{each.about}]\n")
    return 1 if outcome.broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.windows", description=__doc__)
    parser.add_argument("--seeds", type=int, help="how many; without it as many as the time allows")
    parser.add_argument("--seconds", type=float, default=LONGEST_SECONDS, help="no new seed after so long")
    parser.add_argument("--from", dest="first", type=int, help="the first seed; without it a fresh one")
    parser.add_argument("--story", type=int, metavar="SEED", help="one seed again, with its story")
    return parser


if __name__ == "__main__":
    settle_hashes("tests.simulation.windows", sys.argv[1:])
    sys.exit(main(sys.argv[1:]))
