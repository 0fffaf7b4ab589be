"""Openings: the windows of configurations, each opened once and to the second."""

import azure.functions as func

from functions.queue import CONNECTION, handle
from shared.domain.messages import OpenRun
from shared.wiring import Services, services

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="45 */10 * * * *")
def opening_timer(timer: func.TimerRequest) -> None:
    """Every ten minutes: every configuration's next window and pre-event stand in the agenda, however lost."""
    from shared.workflows.events import plan_events
    from shared.workflows.openings import plan_openings

    built = services()
    plan_openings(built.store, built.azure.clock.now())
    plan_events(built.azure, built.store, built.azure.clock.now())
    built.store.fleet.timer_ran("opening_timer", built.azure.clock.now())


@blueprint.queue_trigger(arg_name="msg", queue_name="openings", connection=CONNECTION)
def opening_start(msg: func.QueueMessage) -> None:
    handle(msg, "openings", OpenRun, _open)


def _open(built: Services, message: OpenRun) -> None:
    from shared.workflows.openings import open_run

    open_run(built.azure, built.store, message)
