"""Law 1 before a run begins, and what a topic is told: pre and post events, handlers, and runs asked for now."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.domain.machine import Outcome
from shared.domain.opening import run_id
from shared.domain.phase import RunOutcome
from shared.domain.run import Run
from shared.store.runs import Loaded
from tests.simulation.clients import Call
from tests.simulation.evidence import Broken, Evidence
from tests.simulation.handlers import PRE, report_about
from tests.simulation.laws_sending import CLOCK_ERROR
from tests.simulation.window_events import CANCEL_LEAD, LEADS, heard_until
from tests.simulation.window_world import CONFIGURATION
from tests.simulation.wire import Sent

if TYPE_CHECKING:
    from tests.simulation.window_world import WindowWorld

POST = "Microsoft.Maintenance.PostMaintenanceEvent"
SECOND = timedelta(seconds=1)
HELD_UP = frozenset({"HandlerFailed", "HandlerSilent", "PreEventUnsent", "WindowMissed", "Cancelled",
                     "ClosedByOperator", "WaveBelowThreshold"})  # fmt: skip
"""Why nothing starts in a run that its handlers do not let begin; the last three by others, or who is left out."""
BEFORE = frozenset({"Deleted", "SystemNotPatched", "PoweredOff", "Disconnected", "UpdatedThroughCluster",
                    "PatchedByPlatform", "NativeSchedule", "OwnedElsewhere", "NotInInventory",
                    "UnknownSystem", "UnsupportedSystem"})  # fmt: skip
"""Why a machine is left out before that."""
TOO_LATE = frozenset({"NoTimeLeft", "MachineBusy"})
"""What a machine's own cut-off says first when the run was not looked at in time."""


class Told(NamedTuple):
    """One event, and when a topic took it."""

    at: datetime
    event: dict[str, Any]


class Day(NamedTuple):
    """What is judged: `told` by run and type, in order; run "" where there is none."""

    world: "WindowWorld"
    sends: Mapping[str, list[Sent]]
    runs: Mapping[str, Run]  # as they were begun
    ended: Mapping[str, Loaded]
    told: Mapping[tuple[str, str], list[Told]]

    def told_of(self, run: str, kind: str) -> list[Told]:
        return self.told.get((run, kind), [])


def event_laws(evidence: Evidence, world: "WindowWorld", sends: Mapping[str, list[Sent]]) -> Iterator[Broken]:
    runs = {id_: run for id_, (_, run) in world.watch.runs.items() if run.configuration}
    ended = {id_: loaded for id_ in runs if (loaded := world.store.runs.load(id_))}
    day = Day(world, sends, runs, ended, _told(evidence, runs))
    for law in (_told_before, _heard_before, _alike, _as_it_is, _all_told, _in_time):
        yield from law(day)
    for law in (_held_up, _truthful, _cancelled, _of_then, _asked_now):
        yield from law(day)


def address(start: datetime) -> str:
    """The id of a run's events, by hand: Azure's example."""
    return f"{CONFIGURATION}/providers/microsoft.maintenance/applyupdates/{start:%Y%m%d%H%M%S}"


def _told(evidence: Evidence, runs: Mapping[str, Run]) -> dict[tuple[str, str], list[Told]]:
    known, found = {address(run.start): id_ for id_, run in runs.items()}, defaultdict(list)
    for entry in evidence.journal:
        if entry["event"] == "eventPublished":
            event = entry["published"]
            told = Told(datetime.fromisoformat(entry["time"]), event)
            found[known.get(event["id"], ""), event["type"]].append(told)
    return found


def _told_before(day: Day) -> Iterator[Broken]:
    """Law 1: where there is a topic nothing leaves before it has taken the run's pre-event."""
    for run, requests in day.sends.items() if day.world.window.events.topic else ():
        first, told = min(requests, key=lambda sent: sent.left), day.told_of(run, PRE)
        if not told or told[0].at > first.left:
            what = f"{first.machine} left at {first.left}, pre-events at {[each.at for each in told]}"
            yield Broken("1 pre-event", what, run)


def _heard_before(day: Day) -> Iterator[Broken]:
    """Law 1: nothing leaves before every handler that the run waits for has reported success, in its time; and nothing
    at all where one was heard that failed."""
    for run, requests in day.sends.items():
        first, begun = min(requests, key=lambda sent: sent.left), day.runs.get(run)
        for name in day.world.window.events.waited if begun else ():
            assert begun is not None
            good = _succeeded(day, begun, name)
            if not good or min(call.asked for call in good) > first.left:
                yield Broken("1 handlers", f"{first.machine} left at {first.left}, {name} had not succeeded", run)
            if _failures(day, run, name):
                yield Broken("1 handlers", f"{first.machine} left at {first.left}, {name} failed", run)


def _succeeded(day: Day, run: Run, name: str) -> list[Call]:
    """A handler's reports of success that were in time."""
    until = heard_until(run.start, run.end) + CLOCK_ERROR
    said = day.world.clients.of("handler_report", report_about(run.id, name, True))
    return [call for call in said if call.asked <= until]


def _failures(day: Day, run: str, name: str) -> list[Call]:
    """Its reports of failure that were taken."""
    said = day.world.clients.of("handler_report", report_about(run, name, False))
    return [call for call in said if call.answered]


def _alike(day: Day) -> Iterator[Broken]:
    """Whatever is told twice is told alike: whoever looks at type and id together acts once."""
    for (run, kind), told in day.told.items():
        if not run or not day.world.window.events.topic:
            yield Broken("events", f"{kind} of no run: {told[0].event['id']}")
        said = {_steady(each.event) for each in told}
        if len(said) > 1:
            yield Broken("events", f"{kind} was told as {sorted(said)}", run)


def _steady(event: Mapping[str, Any]) -> str:
    """What does not change from one telling to the next."""
    data = {name: value for name, value in event["data"].items() if name != "cancellationCutOffDateTime"}
    return str(sorted({**event, "data": sorted(data.items()), "time": ""}.items()))


def _as_it_is(day: Day) -> Iterator[Broken]:
    """In Azure's fields, by hand."""
    for (run, kind), told in day.told.items():
        for each in told if run else ():
            event, data = each.event, each.event["data"]
            own = {"source": str(CONFIGURATION), "subject": CONFIGURATION.name, "specversion": "1.0"}
            same = {"correlationId": event["id"], "maintenanceConfigurationId": str(CONFIGURATION),
                    "startDateTime": _azure(day.runs[run].start),
                    "resourceSubscriptionIds": _subscriptions(day, run)} | _more(day, run, kind, each)  # fmt: skip
            ends = {_azure(day.runs[run].start + version.length) for version in day.world.versions.values()}
            rest = {name: value for name, value in data.items() if name != "endDateTime"}
            if rest != same or data["endDateTime"] not in ends or own != {name: event[name] for name in own}:
                yield Broken("events", f"{kind}: {event}, wanted {own} {same} {ends}", run)


def _more(day: Day, run: str, kind: str, told: Told) -> dict[str, Any]:
    """Of that type's own."""
    if kind == POST:
        return {"status": _status(day, run)}
    start, waited = day.runs[run].start, day.world.window.events.waited
    usual = start - CANCEL_LEAD
    both = abs(told.at - usual) <= CLOCK_ERROR + timedelta(minutes=1)  # made then, and taken somewhat later
    said = told.event["data"].get("cancellationCutOffDateTime")
    by = said if both and said in (_azure(usual), _azure(start)) else _azure(usual if told.at <= usual else start)
    more: dict[str, Any] = {"cancellationCutOffDateTime": by}
    if waited:
        until = told.event["data"].get("fleet", {}).get("reportBy")
        more["fleet"] = {"run": run, "waitFor": list(waited), "reportTo": f"/fleet/runs/{run}/handlers",
                         "reportBy": until}  # fmt: skip
    return more


def _status(day: Day, run: str) -> str:
    outcome = day.ended[run].run.outcome
    return RunOutcome.FAILED if outcome is RunOutcome.MISSED else str(outcome)


def _subscriptions(day: Day, run: str) -> list[str]:
    return sorted({each.machine.split("/")[2].lower() for each in day.ended[run].machines})


def _azure(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _all_told(day: Day) -> Iterator[Broken]:
    """Every run that closed has its post event, and none has it earlier."""
    for run in day.runs if day.world.window.events.topic and day.world.healed else ():
        closed, told = day.world.watch.closed.get(run), day.told_of(run, POST)
        if closed is None or not told or told[0].at < closed:
            yield Broken("events", f"closed at {closed}, post events at {[each.at for each in told]}", run)


def _in_time(day: Day) -> Iterator[Broken]:
    """No pre-event is told before its time; after the bad hours each is told before its window."""
    from tests.simulation.laws_windows import is_calm

    world, lead = day.world, LEADS[day.world.window.events.lead]
    if not world.window.events.topic:
        return
    for run, begun in day.runs.items():
        told = day.told_of(run, PRE)
        if told and told[0].at < begun.start - lead - CLOCK_ERROR:
            yield Broken("events", f"a pre-event at {told[0].at} for {begun.start}", run)
    for start in world.certain():
        run = run_id(CONFIGURATION, start)
        told, stopped = day.told_of(run, PRE), world.watch.stopped.get(run)
        if is_calm(world, start) and not (told and told[0].at < start) and not (stopped and stopped < start):
            yield Broken("3 calm", f"no pre-event before {start}: {told}", run)


def _held_up(day: Day) -> Iterator[Broken]:
    """A run whose handlers failed or were silent has started nothing, and every machine says why."""
    waited = day.world.window.events.waited
    for run, begun in day.runs.items() if waited else ():
        if all(_succeeded(day, begun, name) and not _failures(day, run, name) for name in waited):
            continue
        for machine in day.ended[run].machines:
            code = machine.reason.code if machine.reason else ""
            if machine.outcome is not Outcome.NOT_STARTED or code not in HELD_UP | BEFORE | TOO_LATE:
                yield Broken("3 held up", f"{machine.machine} ended {machine.outcome} {code}", run)


def _truthful(day: Day) -> Iterator[Broken]:
    """No machine blames a handler that did not fail, or was heard, or an event where there is no topic."""
    events = day.world.window.events
    for run, loaded in day.ended.items():
        failed = any(day.world.clients.of("handler_report", report_about(run, name, False)) for name in events.waited)
        silent = any(not _heard(day, run, name) for name in events.waited)
        untrue = {"HandlerFailed": not failed, "HandlerSilent": not silent, "PreEventUnsent": not events.topic}
        for machine in loaded.machines:
            if machine.reason and untrue.get(machine.reason.code):
                yield Broken("3 truthful", f"{machine.machine} says {machine.reason}", run)


def _heard(day: Day, run: str, name: str) -> bool:
    """Whether its success was taken."""
    return any(call.answered for call in day.world.clients.of("handler_report", report_about(run, name, True)))


def _cancelled(day: Day) -> Iterator[Broken]:
    """Law 1: a cancel that was answered before the start keeps everything from leaving."""
    for call in day.world.clients.of("run_cancel"):
        start = datetime.fromisoformat(call.about)
        run = run_id(CONFIGURATION, start)
        if call.answered and call.answered < start - CLOCK_ERROR and day.sends.get(run):
            yield Broken("1 cancelled", f"{day.sends[run][0].machine} was sent, cancelled at {call.answered}", run)


def _of_then(day: Day) -> Iterator[Broken]:
    """The machines of a run are those of its pre-event: who joins later is in none of its, who leaves later in each."""
    for run, loaded in day.ended.items():
        told, named = day.told_of(run, PRE), {each.machine.lower() for each in loaded.machines}
        for machine, since in day.world.joined.items():
            if told and told[0].at < since and machine in named:
                yield Broken("5 listed", f"{machine} joined at {since}, pre-event at {told[0].at}", run)
        for machine, since in day.world.left.items():
            if told and told[0].at < since and machine not in named:
                yield Broken("5 listed", f"{machine} left at {since}, pre-event at {told[0].at}", run)
            if since < day.world.watch.read_from[run] and machine in named:
                yield Broken("5 listed", f"{machine} left at {since}, before the run was begun", run)


def _asked_now(day: Day) -> Iterator[Broken]:
    """A run-now has one run, from when it was asked for; whoever was answered has that one."""
    for _, request in day.world.window.events.now:
        calls = day.world.clients.of("run_now", request)
        runs = [run for run in day.runs.values() if run.requested_by == request]
        answers = {call.answer.id for call in calls if isinstance(call.answer, Run)}
        if len(runs) > 1 or answers - day.runs.keys() or len(answers) > 1:
            yield Broken("2 run-now", f"{request}: runs {[run.id for run in runs]}, answered {answers}", request)
        for run in runs:
            if not any(abs(run.start - call.asked) <= CLOCK_ERROR + SECOND for call in calls):
                yield Broken("1 run-now", f"starts at {run.start}, asked at {[c.asked for c in calls]}", run.id)
