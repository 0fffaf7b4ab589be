"""The agenda: every minute, what is open is looked at again."""

import azure.functions as func

from shared.wiring import services
from shared.workflows.agenda import tend_agenda

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="20 * * * * *")
def agenda_timer(timer: func.TimerRequest) -> None:
    """Every minute, not at its beginning, when windows open: whatever became of their messages, open things go on."""
    built = services()
    tend_agenda(built.store, built.azure.clock)
    built.store.fleet.timer_ran("agenda_timer", built.azure.clock.now())
