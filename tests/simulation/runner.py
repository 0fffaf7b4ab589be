"""Many seeds: a few live one after the other in a forked process, two at a time, and tell what became of them."""

import gc
import logging
import os
import selectors
import signal
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from functools import cache
from itertools import islice
from typing import NamedTuple

import msgspec

from tests.simulation.evidence import Broken
from tests.simulation.outcome import Outcome, live
from tests.simulation.template import Template, make_template, number_of
from tests.simulation.world import Parts

AT_ONCE = os.cpu_count() or 2
LONGEST_LIFE = 60.0
"""Seconds after which the seeds of one process are taken to hang; one needs a tenth of a second."""
HANGS = 15.0
"""The same for an app without one of its guards, which may never come to an end."""
TOGETHER = 4
"""Seeds that one process lives: a fork, and the copies of all memory that Python touches, cost a tenth of a seed."""
ITSELF = "the simulation itself"
"""Said of a seed that raised or hung, in place of a law."""
WARMING = (7, 8)
"""Seeds lived before the first fork, one of them through the SDK: what Python and libraries make at first use (lazy
imports, caches of types and patterns, specialised bytecode) is then made once, not in every child."""

Seeds = Iterator[int]
Live = Callable[[int, Template, Parts], Outcome]
Make = Callable[[int], Template]


class _Child(NamedTuple):
    seeds: list[int]
    pid: int
    began: float
    said: bytearray


class Runner:
    """Keeps templates, forks from them, collects outcomes."""

    def __init__(
        self,
        parts: Parts = Parts(),  # noqa: B008 - immutable
        at_once: int = AT_ONCE,
        living: Live = live,
        template: Make = make_template,
        patience: float = LONGEST_LIFE,
    ) -> None:
        """`patience`: seconds after which a process is taken to hang."""
        self._parts = parts
        self._live = living
        self._make = template
        self._patience = patience
        self._at_once = at_once
        _warm_up()

    def run(self, seeds: Seeds, go_on: Callable[[], bool]) -> Generator[Outcome]:
        """Outcomes as they come, until the seeds are used up or `go_on` says no; then those still under way.

        Closed before that, it ends those that are.
        """
        children: dict[int, _Child] = {}
        with selectors.DefaultSelector() as ready, _ended(children):
            while True:
                while len(children) < self._at_once and go_on() and (together := list(islice(seeds, TOGETHER))):
                    fd, child = self._fork(together)
                    children[fd] = child
                    ready.register(fd, selectors.EVENT_READ)
                if not children:
                    return
                for key, _ in ready.select(timeout=1.0):
                    if _has_ended(key.fd, children[key.fd]):
                        ready.unregister(key.fd)
                        yield from _outcomes(key.fd, children.pop(key.fd))
                _end_hanging(children, self._patience)

    def _fork(self, seeds: list[int]) -> tuple[int, _Child]:
        numbers = [number_of(seed) for seed in seeds]
        if len(set(numbers)) < len(seeds):
            raise ValueError(f"The seeds {seeds} cannot live in one process: what one lives on, another may not.")
        templates = [_template(self._make, number) for number in numbers]
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(reading)
            self._be(seeds, templates, writing)
        os.close(writing)
        return reading, _Child(seeds, pid, time.monotonic(), bytearray())

    def _be(self, seeds: list[int], templates: list[Template], writing: int) -> None:
        """The child's whole life: nothing of the parent's is cleaned up in it."""
        gc.disable()  # it ends before it could fill the memory
        try:
            with os.fdopen(writing, "wb", buffering=0) as pipe:
                for seed, template in zip(seeds, templates, strict=True):
                    pipe.write(msgspec.json.encode(self._outcome(seed, template)) + b"\n")
        finally:
            os._exit(0)  # also when nobody listens any more: a fork must never go on as its parent

    def _outcome(self, seed: int, template: Template) -> Outcome:
        try:
            return self._live(seed, template, self._parts)
        except BaseException:  # noqa: BLE001 - recorded: the parent shows it as this seed's outcome
            return Outcome(seed=seed, broken=[Broken(ITSELF, traceback.format_exc())])


def first_broken(outcomes: Generator[Outcome]) -> tuple[int, str]:
    """After how many seeds which law broke first, "" when none did; those under way are ended.

    A seed that hangs or raises has noticed nothing: an app without one of its guards may never come to an end.
    """
    lived = 0
    with closing(outcomes):
        for lived, outcome in enumerate(outcomes, 1):
            if laws := [each.law for each in outcome.broken if each.law != ITSELF]:
                return lived, laws[0]
    return lived, ""


def _has_ended(fd: int, child: _Child) -> bool:
    said = os.read(fd, 1 << 16)
    child.said.extend(said)
    return not said


def _outcomes(fd: int, child: _Child) -> Iterator[Outcome]:
    """What it said of its seeds, and for those of which it said nothing, that it ended."""
    os.close(fd)
    os.waitpid(child.pid, 0)
    *said, _ = bytes(child.said).split(b"\n")  # what follows the last line's end was cut short
    yield from (msgspec.json.decode(line, type=Outcome) for line in said)
    for seed in child.seeds[len(said) :]:
        yield Outcome(seed=seed, broken=[Broken(ITSELF, "the process ended without a word")])


@contextmanager
def _ended(children: dict[int, _Child]) -> Iterator[None]:
    """None of them outlives the block."""
    try:
        yield
    finally:
        for fd, child in children.items():
            os.close(fd)
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)


def _end_hanging(children: dict[int, _Child], patience: float) -> None:
    for child in children.values():
        if time.monotonic() - child.began > patience:
            os.kill(child.pid, signal.SIGKILL)


@cache
def _template(make: Make, number: int) -> Template:
    """Kept as it was made: only children live on it."""
    return make(number)


@cache
def _warm_up() -> None:
    for seed in WARMING:
        live(seed, make_template(number_of(seed)))
    logging.disable(logging.NOTSET)
    gc.collect()
    gc.freeze()
