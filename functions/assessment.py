"""Assessments: planned for every machine that is due, or asked for now with Azure's assessPatches."""

import azure.functions as func

from functions.operations import accepted
from functions.queue import CONNECTION, handle
from functions.web import MACHINE, Call, answer, require_version
from shared.domain.messages import FollowPlanned, StartAssessment, StartPlanned
from shared.wiring import Services, new_id, services
from shared.workflows.assessment import request_assessment, start_assessment
from shared.workflows.planned import follow_planned, start_planned
from shared.workflows.planner import plan_assessments

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="30 */10 * * * *")
def assessment_timer(timer: func.TimerRequest) -> None:
    """Every ten minutes: machines whose last assessment is too old."""
    built = services()
    plan_assessments(built.store, built.settings.assessment_age, built.azure.clock, new_id)
    built.store.fleet.timer_ran("assessment_timer", built.azure.clock.now())


@blueprint.route(route=f"{MACHINE}/assessPatches", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def assessment_request(req: func.HttpRequest) -> func.HttpResponse:
    """Azure's assessPatches: 202 with the addresses to follow."""
    return answer(req, _request)


@blueprint.queue_trigger(arg_name="msg", queue_name="assessments", connection=CONNECTION)
def assessment_start(msg: func.QueueMessage) -> None:
    handle(msg, "assessments", StartAssessment, _start)


@blueprint.queue_trigger(arg_name="msg", queue_name="planned-assessments", connection=CONNECTION)
def assessments_start(msg: func.QueueMessage) -> None:
    handle(msg, "planned-assessments", StartPlanned, _start_planned)


@blueprint.queue_trigger(arg_name="msg", queue_name="planned-results", connection=CONNECTION)
def assessments_follow(msg: func.QueueMessage) -> None:
    handle(msg, "planned-results", FollowPlanned, _follow_planned)


def _request(call: Call) -> func.HttpResponse:
    require_version(call)
    now = call.services.azure.clock.now()
    operation = request_assessment(call.services.store, call.machine, call.who, call.request_id, now)
    return accepted(call, operation)


def _start(built: Services, message: StartAssessment) -> None:
    start_assessment(built.azure, built.store, message)


def _start_planned(built: Services, message: StartPlanned) -> None:
    start_planned(built.azure, built.store, message, built.settings.assessment_age)


def _follow_planned(built: Services, message: FollowPlanned) -> None:
    follow_planned(built.azure, built.store, message)
