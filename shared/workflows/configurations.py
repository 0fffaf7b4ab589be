"""Maintenance configurations: written, read, listed and deleted as Azure does, and the windows they will open.

A configuration that is deleted takes its assignments with it: one that is made later under the same name begins without
any machine. Were a worker to die in between, the next deletion or creation under this name finishes the work.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from shared.cloud.azure import Azure
from shared.domain.condition import Condition, check
from shared.domain.configuration import Configuration, schedules_of
from shared.domain.configuration_body import patch_configuration as patched
from shared.domain.configuration_body import read_configuration as read_body
from shared.domain.errors import not_found
from shared.domain.logline import logline
from shared.domain.maintenance_id import ConfigurationId
from shared.domain.occurrence import Occurrence, next_occurrences
from shared.store.configurations import Stored
from shared.store.store import Store
from shared.store.table import Conflict
from shared.workflows.changes import decided
from shared.workflows.events import call_up, expect
from shared.workflows.native import check_alone
from shared.workflows.openings import announce, write_down

log = logging.getLogger(__name__)


def read_configuration(store: Store, address: ConfigurationId) -> Stored:
    """Raises RequestError 404."""
    found = store.configurations.get(address)
    if found is None:
        raise not_found(str(address))
    return found


def put_configuration(
    azure: Azure, store: Store, address: ConfigurationId, body: bytes, condition: Condition
) -> tuple[Stored, bool]:
    """What a PUT makes of it, and whether it is new. Raises RequestError: 400, 409, 412 or 503."""
    now = azure.clock.now()

    def make(before: Configuration | None) -> Configuration:
        made = read_body(body, address, now, before)
        check_alone(azure, store, before, made)
        return made

    return _change(azure, store, address, condition, make)


def patch_configuration(
    azure: Azure, store: Store, address: ConfigurationId, body: bytes, condition: Condition
) -> Stored:
    """What a PATCH makes of it. Raises RequestError: 400, 404, 409, 412 or 503."""
    now = azure.clock.now()

    def make(before: Configuration | None) -> Configuration:
        if before is None:
            raise not_found(str(address))
        made = patched(body, before, now)
        check_alone(azure, store, before, made)
        return made

    return _change(azure, store, address, condition, make)[0]


def delete_configuration(store: Store, address: ConfigurationId, condition: Condition) -> Configuration | None:
    """Deletes it, then its assignments; what it was, or None when there was none. Raises RequestError 409 or 412."""

    def delete() -> Configuration | None:
        found = store.configurations.get(address)
        check(condition, found.etag if found else "")
        if found is None:
            return None
        store.configurations.delete(found)
        return found.configuration

    was = decided("configuration", address, delete)
    _clear(store, address)
    return was


def list_configurations(
    store: Store, subscription: str, group: str, first: str, size: int
) -> tuple[list[Configuration], str]:
    """A page by resource group and name from a row key on, and the row key of the next; no `group`: all groups."""
    found, following = store.configurations.page(subscription, group, first, size)
    return [each.configuration for each in found], following


def list_occurrences(
    store: Store, address: ConfigurationId, after: datetime, count: int
) -> tuple[Configuration, list[Occurrence]]:
    """The next windows of its rules; of a disabled one those that it would open. Raises RequestError 404."""
    configuration = read_configuration(store, address).configuration
    return configuration, next_occurrences(schedules_of(configuration), after, count)


def _change(
    azure: Azure,
    store: Store,
    address: ConfigurationId,
    condition: Condition,
    make: Callable[[Configuration | None], Configuration],
) -> tuple[Stored, bool]:
    """Decides and writes; decides anew when another change came first."""
    now = azure.clock.now()

    def write() -> tuple[Stored, Occurrence | None, bool]:
        found = store.configurations.get(address)
        check(condition, found.etag if found else "")
        made = make(found.configuration if found else None)
        if found is None:
            _clear(store, address)
        window = write_down(store, made, now, now)
        expect(azure, store, made, window, now)
        etag = store.configurations.save(made, found.etag if found else "")
        return Stored(configuration=made, etag=etag), window, found is None

    stored, window, new = decided("configuration", address, write)
    made = stored.configuration
    announce(store, made, window, now)
    call_up(azure, store, made, window, now)
    log.info(logline("configuration written", configuration=str(address), new=new, enabled=made.enabled))
    return stored, new


def _clear(store: Store, address: ConfigurationId) -> None:
    """Takes away the assignments of a configuration that is not there.

    Asked after they were read: what was made for another one meanwhile has another ETag, or was not among them.
    """
    found = list(store.assignments.of_configuration(address))
    if not found or store.configurations.get(address):
        return
    for left in found:
        try:
            store.assignments.delete(left)
        except Conflict:
            log.info(logline("assignment changed while it was deleted", assignment=str(left.assignment.id)))
