"""The main job, once, through the app's own routes: inventory, assess all, a window and install-now, assess again."""

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from infra.local.child import ChildFailed
from infra.local.client import Refused, is_busy
from infra.local.fleet import Row, short_name
from infra.local.progress import Progress, standing
from infra.local.stack import Stack
from infra.local.waves import RING, Part
from infra.local.window import LINUX, WINDOWS, MaintenanceWindow

LOOK_SECONDS = 0.5
"""Between two looks at the fleet."""

RUN_SECONDS = 1.0
"""Between two looks at a run's machines."""

NUDGE_SECONDS = 4.0
"""Between two runs of a timer that Azure's host would run every few minutes."""

CURRENT = timedelta(hours=24)
"""How old an assessment may be and still count here; the app's own setting is the same."""

LATE_SECONDS = 4.0
"""After this an assessment is asked for where it is still awaited: who asks has the end of a planned one looked for.

At real speed such ends are looked for once in minutes; here that would be most of the demo's time.
"""

INVENTORY_SECONDS = 60.0
ASSESS_SECONDS = 120.0
INSTALL_SECONDS = 300.0
WINDOW_SECONDS = 300.0
"""Deadlines: several times what a step takes on two cores. What is not done by then is named, and judged."""

VM_API, ARC_API = "2024-07-01", "2024-07-10"
"""Api-versions of Microsoft.Compute and Microsoft.HybridCompute."""

ATTENDED = "attended"
"""The ring of machines that no window patches: somebody asks for each, because it may not reboot."""


class Step(NamedTuple):
    """What is waited for: when a machine is done, what is said of it until then, and what is done now and then."""

    name: str
    done: Callable[[Row], bool]
    state: Callable[[Row], str]
    nudge: Callable[[], None]
    every: float
    limit: float


class Job:
    """One main job on a running local cloud; `seconds` is how long each machine was waited for, all steps together."""

    def __init__(self, stack: Stack, progress: Progress) -> None:
        self._stack = stack
        self._progress = progress
        self._app, self._platform = stack.app, stack.platform
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def rows(self) -> dict[str, Row]:
        """The fleet as the app shows it now, by id in lower case."""
        oldest = datetime.now(UTC) - CURRENT
        return {row.key: row.since(oldest) for row in self._app.pages("/fleet/machines", Row)}

    def inventory(self, machines: Collection[str]) -> dict[str, Row]:
        """Waits until the app knows all of them."""
        step = Step("inventory", _known, _found, self._timer("inventory"), math.inf, INVENTORY_SECONDS)
        return self._follow(step, machines)

    def assess(self, machines: Collection[str]) -> dict[str, Row]:
        """Waits until each of them is assessed, by Azure itself or by the app, or left alone with a reason."""
        nudge = self._hurried(machines, _settled, "results", "assessment")
        return self._follow(Step("assess", _settled, _assessed, nudge, NUDGE_SECONDS, ASSESS_SECONDS), machines)

    def install(self, chosen: Mapping[str, Row]) -> dict[str, Row]:
        """Asks for an installation on each and waits for their ends."""
        unasked = dict(chosen)

        def ask() -> None:
            for key, row in list(unasked.items()):
                if self._asked(row, "installPatches", request(row)):
                    del unasked[key]

        return self._follow(Step("install now", _patched, _installed, ask, NUDGE_SECONDS, INSTALL_SECONDS), chosen)

    def window(self, window: MaintenanceWindow, machines: Collection[str]) -> dict[str, Part]:
        """Waits until each of them has ended in the window's run; the run's machines."""
        parts: dict[str, Part] = {}

        def done(row: Row) -> bool:
            return row.key in parts and parts[row.key].ended is not None

        def state(row: Row) -> str:
            return parts[row.key].standing if row.key in parts else "before the window"

        def look() -> None:
            parts.update(window.parts())

        self._follow(Step("window", done, state, look, RUN_SECONDS, WINDOW_SECONDS), machines)
        return parts

    def assess_again(self, machines: Collection[str]) -> dict[str, Row]:
        """Waits until each of them has been assessed after its installation."""
        nudge = self._hurried(machines, _fresh, "assessment")
        return self._follow(Step("assess again", _fresh, _again, nudge, NUDGE_SECONDS, ASSESS_SECONDS), machines)

    def _timer(self, *capabilities: str) -> Callable[[], None]:
        """Runs timers' functions now, as Azure's portal does."""

        def run() -> None:
            for capability in capabilities:
                self._platform.post(f"/admin/functions/{capability}_timer")

        return run

    def _hurried(self, machines: Collection[str], done: Callable[[Row], bool], *timers: str) -> Callable[[], None]:
        """Runs these timers; after a while also asks for an assessment of what is still under way."""
        began, run = time.monotonic(), self._timer(*timers)

        def nudge() -> None:
            run()
            if time.monotonic() - began < LATE_SECONDS:
                return
            for key, row in self.rows().items():
                if key in machines and not done(row) and row.may_be_asked:
                    self._asked(row, "assessPatches", {})

        return nudge

    def _asked(self, row: Row, verb: str, body: Mapping[str, object]) -> bool:
        """Whether the app took the request; False when it said: busy, later."""
        try:
            self._app.post(f"{row.id}/{verb}?api-version={VM_API if row.is_vm else ARC_API}", body)
        except Refused as refusal:
            if is_busy(refusal):
                return False
            raise
        return True

    def _follow(self, step: Step, machines: Collection[str]) -> dict[str, Row]:
        """Looks again and again until all are done or the step's time is over; the last look."""
        began = time.monotonic()
        nudge_at, waiting, rows = began, set(machines), dict[str, Row]()
        while waiting and time.monotonic() - began < step.limit:
            self._check()
            if time.monotonic() >= nudge_at:
                step.nudge()
                nudge_at = time.monotonic() + step.every
            rows = self.rows()
            for key in [key for key in waiting if key in rows and step.done(rows[key])]:
                waiting.discard(key)
                self.seconds[key] += time.monotonic() - began
            if waiting:
                self._progress.show(_line(step, machines, waiting, rows))
                time.sleep(LOOK_SECONDS)
        self._progress.say(f"{_line(step, machines, waiting, rows)}  {time.monotonic() - began:.1f} s")
        return rows

    def _check(self) -> None:
        """Raises ChildFailed as soon as one of the processes is gone: nothing would come any more."""
        if broken := self._stack.broken():
            raise ChildFailed(broken)


def request(row: Row) -> dict[str, object]:
    """The install request in Azure's form: everything pending, two hours, a reboot unless the owner objects."""
    windows = row.os == "Windows"
    return {
        "maximumDuration": "PT2H",
        "rebootSetting": "Never" if row.tags.get("reboot") == "never" else "IfRequired",
        "windowsParameters" if windows else "linuxParameters": {
            "classificationsToInclude": WINDOWS if windows else LINUX
        },
    }


def is_attended(row: Row) -> bool:
    """Whether it is asked for by itself: the attended ring, where updates are known to be pending."""
    return row.tags.get(RING) == ATTENDED and bool(row.count)


def _line(step: Step, machines: Collection[str], waiting: Collection[str], rows: Mapping[str, Row]) -> str:
    states = Counter(step.state(rows[key]) if key in rows else "not known" for key in machines)
    return standing(
        step.name, len(machines), states, [short_name(rows[key].id if key in rows else key) for key in waiting]
    )


def _known(row: Row) -> bool:
    return bool(row.id)


def _found(row: Row) -> str:
    return row.os


def _settled(row: Row) -> bool:
    return row.settled


def _assessed(row: Row) -> str:
    return row.last_assessment.status if row.last_assessment else (row.reason.code if row.reason else "under way")


def _patched(row: Row) -> bool:
    return row.last_installation is not None


def _installed(row: Row) -> str:
    return row.last_installation.status if row.last_installation else "under way"


def _fresh(row: Row) -> bool:
    look, installation = row.last_assessment, row.last_installation
    return look is not None and installation is not None and look.time >= installation.time


def _again(row: Row) -> str:
    return _assessed(row) if _fresh(row) else "under way"
