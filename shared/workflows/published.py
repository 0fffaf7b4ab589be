"""Results as Resource Graph shows them: which of them are news, and how they are written down."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from shared.cloud import graph
from shared.cloud.azure import Azure
from shared.domain.machine import Assessment, Outcome
from shared.domain.reason import reason
from shared.domain.resource_id import MachineId
from shared.domain.results import LIST_PATIENCE, Found, is_news, is_recorded, portions
from shared.domain.update import Update
from shared.store.store import Store


def news(store: Store, found: Sequence[Found]) -> list[Found]:
    """Those that are newer than what the machines' rows say."""
    return news_and_known(store, found)[0]


def news_and_known(store: Store, found: Sequence[Found]) -> tuple[list[Found], list[Found]]:
    """The same, and those that the machines' rows have already, as they have them."""
    records = store.machines.these(each.machine for each in found)
    new, known = list[Found](), list[Found]()
    for each in found:
        record = records.get(each.machine.key)
        if record and is_news(record, each.assessment):
            new.append(each)
        elif record and record.assessment and is_recorded(record, each.assessment):
            known.append(Found(machine=each.machine, assessment=record.assessment))
    return new, known


def record_published(azure: Azure, store: Store, found: Sequence[Found]) -> Iterator[Found]:
    """Write them down with their lists of updates; those that are written, as they are written.

    Each portion is written before the next is read, so that a retry has less to do. What is left out has a list that
    may still come. Raises CloudError.
    """
    for portion in portions(found):
        yield from _record(store, portion, graph.pending(azure, portion), azure.clock.now())


def _record(store: Store, portion: list[Found], lists: dict[str, tuple[Update, ...]], now: datetime) -> list[Found]:
    """Updates first, the machines' rows last: until they are written, the results stay news."""
    done: list[Found] = []
    for each in portion:
        result, listed = each.assessment, lists.get(str(each.machine).lower())
        if result.pending and listed is None and result.outcome is not Outcome.FAILED:
            if now < result.ended + LIST_PATIENCE:
                continue  # its rows lag behind; a later sweep sees it again
            result = msgspec.structs.replace(result, reason=reason("ResultsLate"))
        elif result.outcome is not Outcome.FAILED:
            store.updates.replace(each.machine, listed or ())
        done.append(Found(machine=each.machine, assessment=result))
    for scope, results in _by_scope(done).items():
        store.history.add_assessments(results)
        store.machines.set_published(scope, results)
    return done


def _by_scope(found: Iterable[Found]) -> dict[str, list[tuple[MachineId, Assessment]]]:
    groups: dict[str, list[tuple[MachineId, Assessment]]] = defaultdict(list)
    for each in found:
        groups[each.machine.scope].append((each.machine, each.assessment))
    return groups
