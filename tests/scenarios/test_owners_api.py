"""Who drives a subscription, over HTTP, in the real app in the local Functions host."""

from infra.local.stack import Stack
from tests.scenarios.api import ask

NOBODYS = "99999999-2222-3333-4444-555555555555"


def test_a_subscription_is_taken_by_one_call_and_listed(stack: Stack) -> None:
    subscription = str(stack.sandbox.get("/sandbox/fleet", list)[0]["subscription"])
    taken = ask(stack, "POST", f"/fleet/owners/{subscription.upper()}/take", {"reason": "it is ours"})
    assert (taken.status, taken.body["subscription"]) == (200, subscription)
    listed = ask(stack, "GET", "/fleet/owners").body
    assert listed["deployment"] == taken.body["owner"] != ""
    assert {each["subscription"]: each["owner"] for each in listed["value"]}[subscription] == listed["deployment"]


def test_what_cannot_be_taken_is_refused_with_azures_error_body(stack: Stack) -> None:
    unknown = ask(stack, "POST", f"/fleet/owners/{NOBODYS}/take", {"reason": "why not"})
    assert (unknown.status, unknown.error) == (404, ("SubscriptionNotFound", NOBODYS))
    wrong = ask(stack, "POST", "/fleet/owners/all/take", {"reason": "why not"})
    assert (wrong.status, wrong.error) == (400, ("InvalidParameter", "subscription"))
    silent = ask(stack, "POST", f"/fleet/owners/{NOBODYS}/take", {"reason": " "})
    assert (silent.status, silent.error) == (400, ("InvalidParameter", "reason"))
