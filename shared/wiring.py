"""Builds everything once, when the first function runs; nothing is built by being imported.

The identity SDK and the tables of maintenance configurations are imported inside: no cold start pays for them.
"""

import threading
import uuid
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING

import msgspec

from shared.cloud.azure import Azure
from shared.cloud.clock import Clock
from shared.domain.messages import QUEUES
from shared.settings import Settings, read_settings
from shared.store.agenda import Agenda
from shared.store.buckets import Buckets
from shared.store.fleet import Fleet
from shared.store.history import History
from shared.store.identities import Identities
from shared.store.index import Index
from shared.store.machines import Machines
from shared.store.operations import Operations
from shared.store.poison import Poisons
from shared.store.queue import Queues, open_queues
from shared.store.results import Results
from shared.store.run_list import RunList
from shared.store.runs import Runs
from shared.store.store import Store
from shared.store.table import Table, open_tables
from shared.store.updates import Updates

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """What a trigger hands on to a workflow, two or three members at a time."""

    settings: Settings
    azure: Azure
    store: Store


_first = threading.Lock()
# So long a function waits for another that builds, seconds (ours): an unreachable storage must not line them all up.
LONGEST_WAIT = 60


def services() -> Services:
    """Raises SettingError. A failure is not remembered: the next call tries again.

    A worker's first functions come together; one of them builds, the others wait for it, or raise TimeoutError.
    """
    if not _first.acquire(timeout=LONGEST_WAIT):
        raise TimeoutError("Storage does not answer: another function is still opening it.")
    try:
        return _built()
    finally:
        _first.release()


@cache
def _built() -> Services:
    settings = read_settings()
    login = partial(_identity, settings.identity)
    azure = Azure(settings.arm_endpoint, settings.arm_audience, login, Clock(), settings.deployment)
    azure.topic = settings.events_endpoint
    return Services(settings=settings, azure=azure, store=open_store(settings.storage))


def open_store(connection: str) -> Store:
    """All tables and queues of one storage account, made when they are not there."""
    tables, queues = open_tables(connection), open_queues(connection)

    def table(name: str) -> Table:
        opened = Table(tables, name)
        opened.ensure()
        return opened

    for queue in QUEUES.values():
        queues.ensure(queue)
    return build_store(table, queues)


def build_store(table: Callable[[str], Table], queues: Queues) -> Store:
    """The store over these tables and queues."""
    from shared.store.assignments import Assignments
    from shared.store.configurations import Configurations
    from shared.store.native_events import NativeEvents

    return Store(
        machines=Machines(table("machines")),
        identities=Identities(table("identities")),
        updates=Updates(table("updates")),
        operations=Operations(table("operations")),
        runs=Runs(table("run")),
        run_list=RunList(table("runs")),
        configurations=Configurations(table("configurations")),
        assignments=Assignments(table("assignments")),
        native_events=NativeEvents(table("nativeevents")),
        agenda=Agenda(table("agenda")),
        buckets=Buckets(table("buckets")),
        history=History(table("history")),
        fleet=Fleet(table("fleet")),
        index=Index(table("index")),
        poison=Poisons(table("poison")),
        results=Results(table("results")),
        queues=queues,
    )


def new_id() -> str:
    """A fresh GUID."""
    return str(uuid.uuid4())


def _identity(client_id: str) -> "TokenCredential":
    from azure.identity import ManagedIdentityCredential

    return ManagedIdentityCredential(client_id=client_id) if client_id else ManagedIdentityCredential()
