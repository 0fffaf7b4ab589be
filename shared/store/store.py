"""Every table and the queues in one value, built once by wiring.

Configurations and assignments are imported by wiring when it builds them: no cold start pays for their calendar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from shared.store.agenda import Agenda
from shared.store.buckets import Buckets
from shared.store.fleet import Fleet
from shared.store.history import History
from shared.store.identities import Identities
from shared.store.index import Index
from shared.store.machines import Machines
from shared.store.operations import Operations
from shared.store.poison import Poisons
from shared.store.queue import Queues
from shared.store.results import Results
from shared.store.run_list import RunList
from shared.store.runs import Runs
from shared.store.updates import Updates

if TYPE_CHECKING:
    from shared.store.assignments import Assignments
    from shared.store.configurations import Configurations
    from shared.store.native_events import NativeEvents


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """What we remember."""

    machines: Machines
    identities: Identities
    updates: Updates
    operations: Operations
    runs: Runs
    run_list: RunList
    configurations: Configurations
    assignments: Assignments
    native_events: NativeEvents
    agenda: Agenda
    buckets: Buckets
    history: History
    fleet: Fleet
    index: Index
    poison: Poisons
    results: Results
    queues: Queues
