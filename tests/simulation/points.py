"""Crash points: every function with every kind of I/O step it takes, as `function place.verb`.

A step that is named here and no longer taken, or taken and not named, fails the simulation.
"""


def named(**steps: str) -> tuple[str, ...]:
    return tuple(f"{function} {step}" for function, named in steps.items() for step in named.split())


COMMON = named(
    agenda_timer="""
        agenda.scan agenda.transact agenda.write fleet.get fleet.write operations.get queue.send run.get run.scan
    """,
    assessment_request="agenda.write buckets.get fleet.get machines.get operations.get queue.send",
    assessment_start="""
        arm.assessPatches fleet.get machines.get operations.get operations.write queue.send
    """,
    assessment_timer="buckets.get buckets.write fleet.get fleet.scan index.get machines.scan machines.transact",
    assessments_follow="arm.graph machines.scan updates.scan",
    assessments_start="agenda.transact arm.assessPatches fleet.get machines.scan operations.transact operations.write",
    fleet_count="fleet.scan index.get index.page index.transact index.write machines.scan queue.send",
    installation_request="""
        agenda.write fleet.get machines.get operations.get operations.transact queue.send run.transact
    """,
    installation_start="""
        arm.installPatches buckets.get buckets.write fleet.get machines.get operations.get operations.write queue.send
        run.get
    """,
    inventory_subscription="""
        arm.list fleet.get fleet.scan fleet.transact fleet.write identities.scan identities.write machines.scan
        machines.transact queue.send
    """,
    inventory_sweep="arm.graph fleet.scan fleet.transact machines.scan",
    inventory_timer="arm.list fleet.get fleet.scan fleet.write queue.send",
    operation_follow="""
        arm.graph arm.operation history.write machines.get machines.write operations.get operations.transact
        operations.write queue.send updates.scan
    """,
    run_advance="operations.get queue.send run.get run.scan run.transact",
)
"""On every function's usual way. Seeds aim at few of them at a time: who dies early never gets to the end."""

RARE = named(
    assessment_request="buckets.write operations.transact",
    assessment_start="arm.machine buckets.get buckets.write machines.write operations.transact poison.write",
    assessment_timer="fleet.write queue.send",
    assessments_follow="""
        agenda.transact history.transact history.write machines.transact operations.get operations.transact poison.write
        queue.send updates.transact
    """,
    assessments_start="arm.machine arm.owner buckets.get buckets.write poison.write queue.send",
    fleet_count="poison.write",
    installation_request="run.get run.scan",
    installation_start="arm.machine operations.transact poison.write",
    inventory_subscription="arm.owner poison.write",
    inventory_sweep="poison.write queue.send",
    operation_follow="arm.activity arm.machine history.transact poison.write run.write updates.transact",
    poison="poison.get poison.write",
    run_advance="history.write machines.get machines.write operations.transact operations.write poison.write",
)
"""Seldom come to, or at the very end of a way: seeds aim at many of them."""

RACES = named(
    assessment_request="machines.write operations.write",
    assessment_start="arm.owner fleet.write",
    assessment_timer="index.write",
    assessments_start="fleet.write machines.get machines.write operations.get",
    installation_request="machines.write operations.write",
    installation_start="arm.owner fleet.write machines.write run.write",
)
"""Only where two requests meet within a step, an answer comes after its operation moved on, the first start of a
subscription finds no marker, or nothing at all changed between two plans: known, and not asked to be met."""
