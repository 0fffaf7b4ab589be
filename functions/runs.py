"""Runs: one step a message."""

import azure.functions as func

from functions.queue import CONNECTION, handle
from shared.domain.messages import AdvanceRun
from shared.wiring import Services
from shared.workflows.runs import advance_run

blueprint = func.Blueprint()


@blueprint.queue_trigger(arg_name="msg", queue_name="runs", connection=CONNECTION)
def run_advance(msg: func.QueueMessage) -> None:
    handle(msg, "runs", AdvanceRun, _advance)


def _advance(built: Services, message: AdvanceRun) -> None:
    advance_run(built.store, message, built.azure.clock)
