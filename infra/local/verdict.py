"""Did every machine end as its script makes right? What the app says, against what the sandbox made and saw. Pure.

The app is never believed about itself: the truth is the sandbox's fleet and the journal of what reached it.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

NOT_CHOSEN = "its installation was not asked for"


class Ended(msgspec.Struct, frozen=True):
    """An outcome (Succeeded, CompletedWithWarnings, Failed, Skipped) and its reason code; "" where there is none."""

    outcome: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.outcome} ({self.reason})" if self.reason else self.outcome


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the app says became of a machine; None where it says nothing."""

    chosen: bool
    assessment: Ended | None
    installation: Ended | None = None
    pending: int | None


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What the sandbox knows: how things must end, and the ids of updates pending before and after."""

    assessment: Ended
    installation: Ended
    before: frozenset[str]
    after: frozenset[str]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of ours that the sandbox accepted, as its journal has it; sequence numbers order it among all.

    `changed` are the ids of the updates it really installed; `ended` is None while it runs. `at`: when it was accepted.
    """

    installs: bool
    accepted: int
    ended: int | None
    changed: frozenset[str] = frozenset()
    at: datetime | None = None


def complaints(told: Told, truth: Truth, seen: Sequence[Operation]) -> list[str]:
    """Everything that is not as it must be with one machine, a sentence each; empty when all is well."""
    return [*_outcomes(told, truth), *_pending(told, truth), *_sent(told, truth, seen), *_changes(truth, seen)]


def _outcomes(told: Told, truth: Truth) -> list[str]:
    found = []
    if told.assessment != truth.assessment:
        found.append(f"its assessment must end as {truth.assessment} and the app says {told.assessment or 'nothing'}")
    if told.chosen and told.installation != truth.installation:
        found.append(
            f"its installation must end as {truth.installation} and the app says {told.installation or 'nothing'}"
        )
    if not told.chosen and told.installation is not None:
        found.append(f"{NOT_CHOSEN} and the app says it ended as {told.installation}")
    return found


def _pending(told: Told, truth: Truth) -> list[str]:
    known = truth.assessment.outcome == "Succeeded"
    if known and told.pending != len(truth.after):
        return [f"{len(truth.after)} updates are pending in it and the app says {_count(told.pending)}"]
    if not known and told.pending:
        return [f"it was never looked at and the app says {_count(told.pending)} updates are pending"]
    return []


def _count(pending: int | None) -> str:
    return "nothing" if pending is None else str(pending)


def _sent(told: Told, truth: Truth, seen: Sequence[Operation]) -> list[str]:
    installs = sum(operation.installs for operation in seen)
    due = 1 if told.chosen and truth.installation.outcome != "Skipped" else 0
    found = []
    if installs != due:
        found.append(f"{installs} installations of ours were accepted instead of {due}")
    if seen and truth.assessment.outcome == "Skipped":
        found.append(f"it cannot be reached and {len(seen)} operations of ours were accepted")
    if any(_overlap(one, other) for index, one in enumerate(seen) for other in seen[:index]):
        found.append("two operations of ours were under way in it at the same time")
    return found


def _overlap(one: Operation, other: Operation) -> bool:
    first, second = sorted((one, other), key=lambda operation: operation.accepted)
    return first.ended is None or first.ended > second.accepted


def _changes(truth: Truth, seen: Sequence[Operation]) -> list[str]:
    """What vanished from the pending list must be what our installations installed: no more, no less."""
    installed = frozenset[str]().union(*(operation.changed for operation in seen))
    found = []
    if truth.before - truth.after != installed:
        found.append(f"{len(truth.before - truth.after)} updates vanished from it and the journal has {len(installed)}")
    if any(operation.changed and not operation.installs for operation in seen):
        found.append("an assessment changed it")
    return found
