"""Keeping two deployments from sharing machines: before anything is started, the subscription must be ours.

What Azure said is kept in a row a subscription, so that a start costs one read of storage, and a question to Azure
every five minutes (shared/domain/owner.py says how long what counts).
"""

import logging
from collections.abc import Iterable
from datetime import datetime

from shared.cloud import owner as cloud
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.domain.errors import RequestError
from shared.domain.logline import logline
from shared.domain.owner import (
    ASK_AGAIN,
    LEAVE,
    Mark,
    Standing,
    claimed,
    is_due,
    not_shown,
    not_written,
    seconds_to_settle,
    seen,
    standing,
    unreadable,
    unwritable,
)
from shared.domain.reason import Reason, reason
from shared.domain.release import operators_reason
from shared.domain.resource_id import parse_machine_id
from shared.store.operations import Held
from shared.store.store import Store
from shared.workflows.sending import end_unstarted

log = logging.getLogger(__name__)


def ask_owner(azure: Azure, store: Store, subscription: str) -> tuple[Reason | None, int]:
    """Why nothing may be started in a subscription, or in how many seconds to ask again; (None, 0): it may.

    Marks a subscription that nobody has marked.
    """
    mark = store.fleet.mark(subscription)
    if is_due(mark, azure.clock.now()):
        mark = _look(azure, store, subscription)
    now = azure.clock.now()
    match standing(mark, azure.deployment, now):
        case Standing.OURS | Standing.UNMARKED:
            return None, 0
        case Standing.ELSEWHERE:
            return reason("OwnedElsewhere", mark.owner if mark else ""), 0
        case _:
            return None, seconds_to_settle(mark, now)


def until_owned(azure: Azure, store: Store, held: Held) -> int | None:
    """In how many seconds a claim may be sent, 0: now; None when it has ended, as it may not be. Raises Conflict."""
    operation = held.operation
    why, wait = ask_owner(azure, store, parse_machine_id(operation.machine).subscription)
    if wait and azure.clock.now() > operation.not_after:
        why = reason("NoTimeLeft", "Azure did not say in time who drives the subscription.")
    if why is None:
        return wait
    end_unstarted(store, held, why, azure.clock.now())
    return None


def look_again(azure: Azure, store: Store, subscriptions: Iterable[str]) -> None:
    """Of those that are driven from elsewhere, nothing else would ask whether they still are."""
    known = store.fleet.marks()
    for each in subscriptions:
        if each in known and known[each].is_elsewhere:
            ask_owner(azure, store, each)


def refuse_elsewhere(store: Store, subscription: str) -> None:
    """By what is known already. Raises RequestError 409 when another deployment drives the subscription."""
    mark = store.fleet.mark(subscription)
    if mark and mark.is_elsewhere:
        why = reason("OwnedElsewhere")
        message = f"{why.message} ('{mark.owner}'; take it over: POST /fleet/owners/{subscription}/take)"
        raise RequestError(409, why.code, message, subscription)


def list_owners(store: Store) -> list[Mark]:
    """What is known of every marker, by subscription."""
    return [mark for _, mark in sorted(store.fleet.marks().items())]


def take_owner(azure: Azure, store: Store, subscription: str, who: str, why: str) -> Mark:
    """Make a subscription ours, whosever it was. Something starts there only when the other has surely stopped.

    Raises RequestError: 400 without a reason, 403, 404, 429 or 503 with Azure's words when the marker is not written.
    """
    because = operators_reason("TakenOver", who, why)
    try:
        owner = cloud.owner_of(azure, subscription)
        before = store.fleet.mark(subscription)  # after the answer, as in _look
        if owner == azure.deployment:
            return _keep(store, seen(before, subscription, owner, azure.deployment, azure.clock.now()))
        taken = because if owner else None
        _keep(store, claimed(subscription, azure.deployment, azure.clock.now(), before, taken))
        cloud.write_owner(azure, subscription, azure.deployment, azure.clock.now() + LEAVE)
    except CloudError as error:
        raise _unmarked(error, subscription) from error
    log.warning(logline("subscription taken over", subscription=subscription, before=owner, detail=because.detail))
    return _keep(store, claimed(subscription, azure.deployment, azure.clock.now(), before, taken))


def _look(azure: Azure, store: Store, subscription: str) -> Mark | None:
    """What Azure says now; what was known before when it does not answer, or refuses and that is to count on.

    What was known is read after its answer: another instance writes its row before its marker can be seen.
    """
    asked = azure.clock.now()
    try:
        owner = cloud.owner_of(azure, subscription)
    except CloudError as error:
        log.warning(logline("owner not read", subscription=subscription, detail=error))
        refused, before = unreadable(subscription, error.status, str(error), asked), store.fleet.mark(subscription)
        return _keep(store, not_shown(before, refused, azure.deployment)) if refused else before
    before = store.fleet.mark(subscription)
    if owner:
        return _keep(store, seen(before, subscription, owner, azure.deployment, asked))
    return _claim(azure, store, subscription, before, asked)


def _claim(azure: Azure, store: Store, subscription: str, before: Mark | None, asked: datetime) -> Mark:
    """Mark what nobody has marked. Its row first: whoever finds our marker and no row of it has not written it lately.

    Not where Azure refused it last time: all starts there would wait for it again and again.
    """
    if before is None or not before.is_unmarked:
        _keep(store, claimed(subscription, azure.deployment, asked, before))
    refused = None
    try:
        cloud.write_owner(azure, subscription, azure.deployment, asked + LEAVE)
    except CloudError as error:
        log.warning(logline("owner not written", subscription=subscription, detail=error))
        refused = unwritable(subscription, error.status, str(error), asked)
    claim = claimed(subscription, azure.deployment, azure.clock.now(), before)
    return _keep(store, not_written(before, claim, refused, azure.deployment) if refused else claim)


def _keep(store: Store, mark: Mark) -> Mark:
    store.fleet.save_mark(mark)
    return mark


def _unmarked(error: CloudError, subscription: str) -> RequestError:
    status = error.status if error.status in (403, 404, 429) else 503
    return RequestError(status, error.code, error.message, subscription, error.retry_after or ASK_AGAIN)
