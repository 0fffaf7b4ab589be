"""Azure's own schedules: taken over, disabled; and never run beside ours.

What is imported starts disabled, and is enabled only when Azure has no assignment of it any more: two schedulers would
patch a machine twice; also when it was deleted here in between. What is here already is never overwritten, so an import
may be repeated. Of a new configuration that no import has found in Azure nothing is asked: Resource Graph takes three
questions a second, and a copy of many would have to wait for it. Each window asks anyway (parts.py).
"""

import logging
from collections.abc import Callable, Sequence

import msgspec

from shared.cloud import machines as cloud
from shared.cloud import native
from shared.cloud.azure import Azure
from shared.cloud.errors import CloudError
from shared.domain.assignment import Assignment, parse_assignment_id, read_assignment
from shared.domain.configuration import Configuration
from shared.domain.configuration_body import import_configuration
from shared.domain.errors import RequestError
from shared.domain.logline import logline
from shared.domain.maintenance_id import parse_configuration_id
from shared.store.store import Store
from shared.store.table import Conflict

log = logging.getLogger(__name__)
ASK_AGAIN = 30  # seconds after which a caller may ask again where Azure named none (ours)
SHOWN = 5  # assignments named in a refusal (ours); the rest is counted
IMPORTED, KEPT, REFUSED = "imported", "kept", "refused"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one of Azure's: imported, kept as it is here already, or refused and why."""

    id: str
    outcome: str
    code: str = ""
    message: str = ""


class Import(msgspec.Struct, frozen=True, kw_only=True):
    configurations: tuple[Item, ...]
    assignments: tuple[Item, ...]


def import_native(azure: Azure, store: Store, chosen: Sequence[str]) -> Import:
    """Reads all of these subscriptions, or of every one that the identity sees, and stores what is new, disabled.

    Raises RequestError 503, or 429, with Azure's words when Azure does not answer; what was stored until then stays.
    """
    try:
        subscriptions = list(chosen) or cloud.subscriptions(azure)
        found = [each for name in subscriptions for each in native.configurations(azure, name)]
        configurations = [_item(id_, body, lambda i, b: _configuration(store, i, b)) for id_, body in found]
        bound = native.assignments(azure, subscriptions)
        assignments = [_item(id_, body, lambda i, b: _assignment(store, i, b)) for id_, body in bound]
    except CloudError as error:
        raise _unread(error) from error
    log.info(logline("schedules imported", configurations=len(configurations), assignments=len(assignments)))
    return Import(configurations=tuple(configurations), assignments=tuple(assignments))


def patching(azure: Azure, subscriptions: Sequence[str]) -> list[Assignment]:
    """Assignments by which Azure itself patches machines of these subscriptions. Raises CloudError.

    One whose configuration cannot be read counts as such.
    """
    bound = [_native(id_, body) for id_, body in native.assignments(azure, subscriptions)]
    found = [each for each in bound if each]
    homes = sorted({each.configuration.subscription for each in found})
    others = {
        parse_configuration_id(id_, "id").key
        for home in homes
        for id_, body in native.configurations(azure, home)
        if not _patches(body)
    }
    return [each for each in found if each.configuration.key not in others]


def _native(id_: str, body: bytes) -> Assignment | None:
    """None for one on something else than machines, or that cannot be read."""
    try:
        return read_assignment(body, parse_assignment_id(id_, "id"))
    except RequestError as error:
        log.warning(logline("schedule of Azure's not understood", assignment=id_, reason=error.code))
        return None


def _patches(body: bytes) -> bool:
    scope = str((msgspec.json.decode(body).get("properties") or {}).get("maintenanceScope") or "")
    return scope.lower() in ("", "inguestpatch")


def check_alone(azure: Azure, store: Store, before: Configuration | None, after: Configuration) -> None:
    """Before a configuration is enabled: Azure must have no assignment of the one with the same id.

    Raises RequestError: 409 naming them and the way out, 503 or 429 when Azure does not answer.
    """
    if not after.enabled or (before.enabled if before else not store.configurations.is_native(after.id)):
        return
    try:
        left = native.attached(azure, cloud.subscriptions(azure), str(after.id))
    except CloudError as error:
        raise _unread(error) from error
    if left:
        more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
        message = (
            f"Azure still runs this configuration itself, through {', '.join(left[:SHOWN])}{more}. Delete these "
            "assignments in Azure, then enable it here; Resource Graph may show them for some minutes longer."
        )
        raise RequestError(409, "NativeScheduleAttached", message, "properties.fleet.enabled")


def _item(id_: str, body: bytes, take: Callable[[str, bytes], bool]) -> Item:
    try:
        return Item(id=id_, outcome=IMPORTED if take(id_, body) else KEPT)
    except RequestError as error:
        return Item(id=id_, outcome=REFUSED, code=error.code, message=error.message)


def _configuration(store: Store, id_: str, body: bytes) -> bool:
    address = parse_configuration_id(id_, "id")
    store.configurations.note_native(address)
    if store.configurations.get(address) is not None:
        return False
    try:
        store.configurations.save(import_configuration(body, address))
    except Conflict:
        return False
    return True


def _assignment(store: Store, id_: str, body: bytes) -> bool:
    """Only of a configuration that is disabled here: an enabled one would patch more machines than it did."""
    address = parse_assignment_id(id_, "id")
    made = read_assignment(body, address)
    if store.assignments.get(address) is not None:
        return False
    found = store.configurations.get(made.configuration)
    if found is None:
        message = f"Its configuration '{made.configuration}' was not imported."
        raise RequestError(404, "ResourceNotFound", message, "properties.maintenanceConfigurationId")
    if found.configuration.enabled:
        message = f"The configuration '{made.configuration}' is enabled here; disable it, or assign it by hand."
        raise RequestError(409, "ConfigurationEnabled", message, "properties.maintenanceConfigurationId")
    try:
        store.assignments.save(made)
    except Conflict:
        return False
    return True


def _unread(error: CloudError) -> RequestError:
    status = 429 if error.status == 429 else 503
    return RequestError(status, error.code, error.message, "subscriptions", error.retry_after or ASK_AGAIN)
