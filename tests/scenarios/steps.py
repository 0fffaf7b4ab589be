"""Named steps of the app, told by the request it makes in each; and the watch that holds it there."""

import asyncio
import queue
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Callable

import msgspec

from tests.scenarios.relay import Seen
from tests.scenarios.tally import Call, call_of


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Where the app stands while its request is held: before the server has it, or `after` the server has done it."""

    name: str
    after: bool
    fits: Callable[[Seen], bool]


class Caught(msgspec.Struct, frozen=True, kw_only=True):
    """A held request. `release(True)` lets it go on; with False it never arrives, or its answer never does."""

    step: Step
    seen: Seen
    release: Callable[[bool], None]


class Steps:
    """Holds the first request that fits each armed step, and remembers every start that left for ARM.

    `distance`: seconds that each start takes on its way to ARM. `counted`: every answered request, by the `phase` in
    which it was answered.
    """

    def __init__(self) -> None:
        self.distance = 0.0
        self.phase = ""
        self.counted: defaultdict[str, Counter[Call]] = defaultdict(Counter)
        self._lock = threading.Lock()
        self._armed: list[Step] = []
        self.caught: queue.SimpleQueue[Caught] = queue.SimpleQueue()
        self.starts: list[Seen] = []

    def arm(self, *steps: Step) -> None:
        with self._lock:
            self._armed += steps

    def disarm(self) -> None:
        """Holds nothing more; what is held, or has been caught and not taken, goes on."""
        with self._lock:
            self._armed.clear()
        while not self.caught.empty():
            self.caught.get().release(True)

    async def pass_on(self, seen: Seen) -> bool:
        if seen.door == "ARM" and seen.status == 0 and is_start(seen):
            self.starts.append(seen)
            await asyncio.sleep(self.distance)
        if seen.status:
            self.counted[self.phase][call_of(seen)] += 1
        step = self._take(seen)
        if step is None:
            return True
        loop = asyncio.get_running_loop()
        held: asyncio.Future[bool] = loop.create_future()

        def release(goes_on: bool) -> None:
            loop.call_soon_threadsafe(held.set_result, goes_on)

        self.caught.put(Caught(step=step, seen=seen, release=release))
        return await held

    def _take(self, seen: Seen) -> Step | None:
        with self._lock:
            found = next((each for each in self._armed if each.after == (seen.status > 0) and each.fits(seen)), None)
            if found is not None:
                self._armed.remove(found)
            return found


def is_start(seen: Seen) -> bool:
    return seen.method == "POST" and seen.path.partition("?")[0].lower().endswith("/assesspatches")


def _row(method: str, table: str, *words: str) -> Callable[[Seen], bool]:
    """A request about one row, with these in its body."""

    def fits(seen: Seen) -> bool:
        about = re.search(rf"/{table}(\(|$|\?)", seen.path)
        return seen.door == "Table" and seen.method == method and bool(about) and all(_has(seen, w) for w in words)

    return fits


def _batch(table: str, *words: str) -> Callable[[Seen], bool]:
    """A transaction on a table, with these in its body."""

    def fits(seen: Seen) -> bool:
        is_batch = seen.door == "Table" and seen.path.partition("?")[0].endswith("/$batch")
        return is_batch and bool(re.search(rf"/{table}[( ]", seen.body)) and all(_has(seen, word) for word in words)

    return fits


def _message(to: str) -> Callable[[Seen], bool]:
    return lambda seen: seen.door == "Queue" and seen.method == "POST" and f"/{to}/messages" in seen.path


def _has(seen: Seen, pattern: str) -> bool:
    return re.search(pattern, seen.body) is not None


AGENDA, CLAIM = _batch("agenda", "assessment"), _batch("operations", "attempt", "sending")
ACCEPTED, END = _row("PUT", "operations", r'"state": ?"accepted"'), _batch("operations", "DELETE ", "inflight")

INVENTORY = Step(name="inventory: machines read, not saved", after=False, fits=_batch("machines", '"machine"'))
PLANNING = Step(name="planning: slots leased, no machine marked", after=False, fits=_batch("machines", '"planned"'))

ASSESSING = (
    Step(name="before the agenda's lines", after=False, fits=AGENDA),
    Step(name="on the agenda, not claimed", after=True, fits=AGENDA),
    Step(name="about to claim", after=False, fits=CLAIM),
    Step(name="claimed as sending, nothing on the wire", after=True, fits=CLAIM),
    Step(name="on the wire, not yet at Azure", after=False, fits=is_start),
    Step(name="Azure has accepted, its answer is on its way", after=True, fits=is_start),
    Step(name="the answer is here, not recorded", after=False, fits=ACCEPTED),
    Step(name="all accepted, the look at them not asked for", after=False, fits=_message("planned-results")),
    Step(name="concluding: updates written, no history", after=False, fits=_batch("history")),
    Step(name="concluding: all is written but the end", after=False, fits=END),
    Step(name="an end is recorded, the agenda's lines still stand", after=True, fits=END),
)
"""In the order in which an assessment goes through them."""
