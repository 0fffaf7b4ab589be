"""Results: every five minutes, what Azure assessed by itself is swept from Resource Graph, a batch a message."""

import azure.functions as func

from functions.queue import CONNECTION, handle
from shared.domain.messages import SweepResults
from shared.wiring import Services, services
from shared.workflows.results import plan_results, sweep_results

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="15 */5 * * * *")
def results_timer(timer: func.TimerRequest) -> None:
    """Every five minutes, before the assessments are planned."""
    built = services()
    plan_results(built.store, built.azure.clock.now())
    built.store.fleet.timer_ran("results_timer", built.azure.clock.now())


@blueprint.queue_trigger(arg_name="msg", queue_name="results", connection=CONNECTION)
def results_sweep(msg: func.QueueMessage) -> None:
    handle(msg, "results", SweepResults, _sweep)


def _sweep(built: Services, message: SweepResults) -> None:
    sweep_results(built.azure, built.store, message)
