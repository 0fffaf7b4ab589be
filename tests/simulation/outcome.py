"""One seed lived through: what it broke, what it covered, and its story when somebody must read it."""

import logging
import time
from collections import Counter

import msgspec

from tests.simulation.evidence import Broken, Evidence
from tests.simulation.laws_ending import ending_laws
from tests.simulation.laws_sending import sending_laws
from tests.simulation.plan import INSTANCES, TEMPLATES
from tests.simulation.template import SMALLEST_FLEET, Template, make_template
from tests.simulation.world import LEAST_FAULTS, Parts, World


class Outcome(msgspec.Struct, kw_only=True):
    """What the process of one seed tells its parent. Crash points are `function place.verb side`."""

    seed: int
    broken: list[Broken]
    steps: int = 0
    faults: int = 0
    minutes: float = 0.0
    cpu: float = 0.0
    sdk: bool = False
    transitions: dict[str, int] = {}
    crashes: dict[str, int] = {}
    story: str = ""


def live(seed: int, template: Template, parts: Parts = Parts(), *, tell: bool = False) -> Outcome:  # noqa: B008
    """The seed's whole day, judged. `tell`: with its story even if nothing broke."""
    logging.disable(logging.CRITICAL)  # thousands of faults, each logged as it should be
    began = time.process_time()
    world = World(seed, template, parts)
    world.run()
    evidence = Evidence(world)
    broken = [*sending_laws(evidence), *ending_laws(evidence), *too_easy(world)]
    story = world.scheduler.story
    return Outcome(
        seed=seed,
        broken=broken,
        steps=len(story.lines),
        faults=story.faults.total(),
        minutes=world.clock.seconds / 60,
        cpu=time.process_time() - began,
        sdk=world.plan.sdk,
        transitions=dict(world.watch.transitions),
        crashes=dict(world.crashes),
        story=story_of(world, broken) if broken or tell else "",
    )


def template_of(seed: int) -> Template:
    return make_template(seed % TEMPLATES)


def too_easy(world: World) -> list[Broken]:
    """Each seed has at least 12 machines of both kinds, two instances and ten faults."""
    kinds = Counter(machine.is_vm for machine in world.fleet)
    enough = len(world.fleet) >= SMALLEST_FLEET and len(kinds) == 2 and len(INSTANCES) == 2
    if enough and world.scheduler.story.faults.total() >= LEAST_FAULTS:
        return []
    return [Broken("the world", "too few machines, instances or faults")]


def story_of(world: World, broken: list[Broken]) -> str:
    """Of what broke; of everything when nothing is named."""
    abouts = {each.about for each in broken}
    about = abouts.pop() if len(abouts) == 1 else ""
    wishes = [
        f"  {wish.at:7.1f} s {wish.verb} {wish.machine.id} ({wish.machine.script}) {wish.request_id} "
        f"{wish.body.decode()} -> {wish.accepted}"
        for wish in sorted(world.plan.wishes, key=lambda wish: wish.at)
    ]
    said = f"nothing goes wrong after second {world.quiet_at}; clocks wrong by {world.plan.skew}"
    return "\n".join(
        [said, "asked for:", *wishes, f"steps of {about or 'everything'}:", world.scheduler.story.text(about)]
    )
