"""Inventory: every hour, or asked for now; one message a batch of subscriptions, or one that is listed directly."""

import azure.functions as func

from functions.queue import CONNECTION, handle
from functions.web import Call, answer, reply
from shared.domain.messages import ListSubscription, SweepMachines
from shared.wiring import Services, services
from shared.workflows.inventory import plan_inventory, request_inventory, sweep_inventory
from shared.workflows.listing import take_inventory

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="50 7 * * * *")
def inventory_timer(timer: func.TimerRequest) -> None:
    """Hourly, at a minute that others seldom choose, and not at its beginning, when windows open."""
    built = services()
    plan_inventory(built.azure, built.store, built.settings.subscriptions)
    built.store.fleet.timer_ran("inventory_timer", built.azure.clock.now())


@blueprint.route(route="fleet/inventory", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def inventory_request(req: func.HttpRequest) -> func.HttpResponse:
    """Take the inventory now: 202 with the subscriptions that are being read; 503 when Azure does not list them."""
    return answer(req, _plan)


@blueprint.queue_trigger(arg_name="msg", queue_name="inventory", connection=CONNECTION)
def inventory_subscription(msg: func.QueueMessage) -> None:
    handle(msg, "inventory", ListSubscription, _take)


@blueprint.queue_trigger(arg_name="msg", queue_name="inventory-sweeps", connection=CONNECTION)
def inventory_sweep(msg: func.QueueMessage) -> None:
    handle(msg, "inventory-sweeps", SweepMachines, _sweep)


def _plan(call: Call) -> func.HttpResponse:
    built = call.services
    return reply({"subscriptions": request_inventory(built.azure, built.store, built.settings.subscriptions)}, 202)


def _take(built: Services, message: ListSubscription) -> None:
    take_inventory(built.azure, built.store, message)


def _sweep(built: Services, message: SweepMachines) -> None:
    sweep_inventory(built.azure, built.store, message)
