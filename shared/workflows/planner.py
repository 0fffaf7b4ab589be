"""The plan of assessments, every ten minutes: which machines are due, and when Azure's throttle has room for each."""

import logging
import math
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import takewhile

from shared.cloud.clock import Clock
from shared.domain.assessment import PLAN_AHEAD, PLAN_TIME, plan_assessment
from shared.domain.index import Cursor, Head, row_digest
from shared.domain.logline import logline
from shared.domain.machine import Machine, Record, Refusal
from shared.domain.messages import CountFleet, Planned, StartPlanned
from shared.domain.planned import Paced, first_tended, last_slot, starts
from shared.domain.reason import Reason
from shared.domain.resource_id import encode_key
from shared.store.store import Store

log = logging.getLogger(__name__)
PLANNER = "periodic assessment"  # who asked, in the records


def plan_assessments(store: Store, oldest: timedelta, clock: Clock, new_id: Callable[[], str]) -> int:
    """Ask for an assessment of every machine that is due, paced by Azure's throttle; returns how many.

    Those for whom there is no slot within PLAN_AHEAD wait for a later plan. A plan that takes too long for one function
    stops, and the next one begins with the resource group where it stopped: none waits for ever. A resource group that
    fails keeps no other waiting; its failure is raised at the end.
    """
    planned, plan = 0, _Plan(store, oldest, clock, new_id)
    for machines in starts(plan.due()):
        message = StartPlanned(requested_by=PLANNER, due=first_tended(machines), machines=machines)
        store.queues.send(message, max(0, math.ceil((last_slot(machines) - clock.now()).total_seconds())))
        planned += len(machines)
    plan.show()
    log.info("assessments planned machines=%d failed=%d", planned, len(plan.failed))
    if plan.failed:
        raise plan.failed[0]
    return planned


class _Plan:
    """One look at every machine's row, and what it finds to do.

    `failed`: of single resource groups, for the caller to raise.
    """

    def __init__(self, store: Store, oldest: timedelta, clock: Clock, new_id: Callable[[], str]) -> None:
        self.failed: list[Exception] = []
        self._store = store
        self._oldest = oldest
        self._clock = clock
        self._new_id = new_id
        self._began = clock.now()
        self._digest = 0  # of the rows that were seen (domain/index.py)
        self._is_whole = False  # whether that is all of them
        self._changes = False  # whether this plan wrote rows that it had seen

    def due(self) -> Iterator[Paced]:
        """What is due, as it is read."""
        marks = self._store.fleet.marks()
        elsewhere = {encode_key(each.subscription): each.reason for each in marks.values() if each.is_elsewhere}
        first = self._store.fleet.planner()
        for scope in _scopes(self._store, first):
            if self._clock.now() - self._began > PLAN_TIME:
                self._store.fleet.save_planner(scope)
                log.warning("assessments planned in part next=%s", scope)
                return
            yield from self._in_scope(scope, elsewhere.get(scope.partition("|")[0]))
        self._is_whole = not self.failed
        if first:
            self._store.fleet.save_planner("")

    def show(self) -> None:
        """Have the index rebuilt, unless all rows were seen and it was made of them: then it is as new as this look."""
        same = self._same() if self._is_whole and not self._changes else None
        if same:
            self._store.index.confirm(same, self._began)
        else:
            self._store.queues.send(CountFleet())

    def _same(self) -> Head | None:
        """The index, if it was made of the rows that were seen. One that cannot be read is made again."""
        try:
            head = self._store.index.shown().head
        except Exception as error:  # noqa: BLE001 - the reason is logged, and a rebuild is what mends it
            log.warning(logline("index not read", reason=error))
            return None
        return head if head and head.digest == self._digest else None

    def _in_scope(self, scope: str, elsewhere: Reason | None) -> list[Paced]:
        """What is due in one resource group; nothing where it fails, or another deployment drives its subscription."""
        now = self._clock.now()
        try:
            seen = list(self._store.machines.from_row(scope, ""))
            for each in seen:
                self._digest ^= row_digest(Cursor(scope=scope, row=each.row), each.etag)
            records = [each.record for each in seen]
            if elsewhere is None:
                return self._paced(scope, records, now)
            self._leave_out(scope, records, Refusal(at=now, reason=elsewhere))
        except Exception as failure:  # noqa: BLE001 - raised by plan_assessments, when the others are on their way
            log.warning(logline("assessments not planned", scope=scope, reason=failure))
            self.failed.append(failure)
        return []

    def _leave_out(self, scope: str, records: list[Record], refusal: Refusal) -> None:
        """Each machine is told, once; nobody else tells it."""
        told = [each.machine for each in records if not each.deleted and not _is_told(each, refusal.reason)]
        self._changes |= bool(told)
        self._store.machines.set_refusals(scope, told, refusal)

    def _paced(self, scope: str, records: list[Record], now: datetime) -> list[Paced]:
        """The machines that are due and for which there is a slot."""
        plans = [(record.machine, plan_assessment(record, self._oldest, now)) for record in records]
        watches = [(machine, plan.watch) for machine, plan in plans if plan.watch]
        self._changes |= bool(watches)
        self._store.machines.set_watches(scope, watches)
        paced = list(_slots(self._store, [machine for machine, plan in plans if plan.due], now))
        self._changes |= bool(paced)
        self._store.machines.mark_planned(scope, paced)
        return [
            Paced(
                subscription=machine.address.subscription,
                region=machine.location,
                planned=Planned(machine=machine.id, attempt=self._new_id(), slot=slot),
            )
            for machine, slot in paced
        ]


def _scopes(store: Store, first: str) -> Iterator[str]:
    """All of them, from where the last plan stopped."""
    yield from store.fleet.scopes_from(first)
    if first:
        yield from takewhile(lambda scope: scope < first, store.fleet.scopes_from(""))


def _is_told(record: Record, why: Reason) -> bool:
    return record.refusal is not None and record.refusal.reason.code == why.code


def _slots(store: Store, due: list[Machine], now: datetime) -> Iterator[tuple[Machine, datetime]]:
    """Machines of one subscription with the instant at which Azure's throttle has room for each, within PLAN_AHEAD."""
    by_region = {region: [m for m in due if m.location == region] for region in sorted({m.location for m in due})}
    for region, machines in by_region.items():
        subscription = machines[0].address.subscription
        slots = store.buckets.lease(subscription, region, len(machines), now, now + PLAN_AHEAD)
        yield from zip(machines, slots, strict=False)
