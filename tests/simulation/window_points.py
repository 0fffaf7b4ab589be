"""Crash points of windows: every function of a run's life with every kind of I/O step it takes, as in points.py.

A step that is named here and no longer taken, or taken and not named, fails the simulation of windows.
"""

from tests.simulation.plan import ASLEEP, FROZEN, LATE, MET
from tests.simulation.points import named

COMMON = named(
    agenda_timer="agenda.scan agenda.write fleet.get fleet.write run.get",
    installation_start="""
        arm.machine buckets.get fleet.get machines.get operations.get operations.write run.get
    """,
    opening_start="""
        agenda.write arm.graph assignments.scan configurations.get fleet.get fleet.scan machines.scan queue.send
        run.get run.scan run.transact runs.get runs.write
    """,
    operation_follow="arm.operation machines.get operations.get operations.write queue.send run.write",
    run_advance="operations.get queue.send run.get run.scan run.transact runs.get runs.write",
)
"""On every function's usual way; seeds aim at few of them."""

RARE = named(
    agenda_timer="agenda.transact configurations.get queue.send run.scan runs.write",
    configuration_delete="assignments.scan assignments.write configurations.get configurations.write",
    configuration_put="agenda.write assignments.scan configurations.get configurations.write queue.send",
    event_send="""
        agenda.write arm.publish assignments.scan configurations.get fleet.scan machines.scan poison.write queue.send
        run.get run.scan run.transact runs.get runs.write
    """,
    handler_report="queue.send run.get run.scan run.transact",
    installation_start="arm.installPatches buckets.write operations.transact poison.write queue.send",
    opening_start="arm.machine poison.write",
    opening_timer="agenda.write configurations.scan fleet.get fleet.write",
    operation_follow="""
        arm.activity arm.graph arm.machine history.transact history.write machines.write operations.transact
        poison.write updates.transact
    """,
    run_advance="history.write machines.get machines.write operations.write poison.write",
    run_cancel="agenda.write configurations.get queue.send run.get run.scan run.transact runs.get runs.write",
    run_close="queue.send run.get run.scan run.transact",
    run_now="""
        agenda.write configurations.get queue.send run.get run.transact runs.get runs.page runs.transact runs.write
    """,
)
"""Seldom come to; seeds aim at many of them."""

RACES = named(
    agenda_timer="operations.get",
    configuration_put="arm.graph arm.list assignments.write",
    installation_start="arm.owner fleet.write machines.write run.write",
    opening_start="arm.owner fleet.write",
    operation_follow="updates.scan",
    run_advance="operations.transact",
)
"""Of markers that are due for a look, of assessments beside the windows, or where two meet within a step: known, not
asked to be met."""

FUNCTIONS = frozenset(point.partition(" ")[0] for point in (*COMMON, *RARE))

PATHS = (
    f"installation_start arm.installPatches {LATE}",  # to `running -> permitted`
    f"installation_start run.get {ASLEEP}",  # past a permit
    f"installation_start operations.write {FROZEN}",  # past a permit, ready to send
    f"installation_start operations.write {MET}",  # where only the row's ETag keeps a second request from leaving
    f"run_advance run.transact {MET}",  # the same of permits beside a cancel
)
"""What must go wrong for a run to come to ways of its own that it seldom takes."""
EVENT_PATHS = (
    f"event_send arm.publish {FROZEN}",  # the topic has it, the row says so late
    f"event_send run.transact {ASLEEP}",  # machines listed, or an event written down, past the opening
    f"event_send run.scan {ASLEEP}",  # published by what the run was
    f"handler_report run.transact {ASLEEP}",  # a report that crosses the end of the run
    f"run_now run.transact {ASLEEP}",  # a run that comes into being past its own window's lateness
)
"""The same of what is told and heard before a run; each holds a run up."""
_SHARES = {
    "configuration_delete": 0.7,
    "configuration_put": 0.1,
    "installation_start arm.machine": 0.15,
    "installation_start operations.write": 0.15,
    "opening_start agenda.write": 0.12,
    "opening_start arm.graph": 0.12,
    "opening_timer": 0.2,
    "agenda_timer runs.write": 0.9,
    "event_send": 0.08,
    "event_send arm.publish": 0.3,
    "event_send poison.write": 0.9,
    "event_send runs.write": 0.2,
    "handler_report": 0.3,
    "run_now": 0.5,
    "installation_start fleet.get": 0.2,
    "opening_start fleet.get": 0.15,
    "operation_follow arm.machine": 0.8,
    "operation_follow poison.write": 0.8,
    "operation_follow arm.operation": 0.15,
    "operation_follow operations.write": 0.3,
    "operation_follow queue.send": 0.15,
    "operation_follow run.write": 0.9,
    "run_cancel": 0.8,
    "run_close": 0.9,
}
AIMED = {
    f"{point} {side}": share
    for name, share in _SHARES.items()
    for point in (*COMMON, *RARE)
    for side in ("before", "after")
    if point.startswith(name)
}
"""How often a seed aims there, where neither the share of what is common nor that of what is rare fits."""
