"""Two deployments of the app over one cloud, each with storage of its own, and the marker between them."""

import json
from collections.abc import Callable

from infra.local.sandbox.cloud import Sandbox
from infra.local.sandbox.http import Request
from infra.local.sandbox.transport import SandboxTransport
from shared.cloud.azure import Azure
from shared.cloud.clock import Clock
from shared.domain.health import Check
from shared.workflows.health import read_health
from tests.cloud.world import AUDIENCE
from tests.sandbox.world import ORIGIN
from tests.workflows.house import House

TAGS = "/providers/Microsoft.Resources/tags/default"
Build = Callable[..., House]


def neighbour(build: Build, house: House, name: str = "theirs") -> House:
    """Another deployment in the same Azure, at the same time."""
    other = build(owner="")
    other.sandbox, other.clock, other.credential = house.sandbox, house.clock, house.credential
    transport = SandboxTransport(house.sandbox, sleep=house.clock.advance)
    other.azure = Azure(ORIGIN, AUDIENCE, lambda: house.credential, Clock(house.clock), name, transport)
    other.fleet = house.fleet
    return other


def asked(house: House, method: str) -> int:
    return sum(each.method == method and TAGS in each.url for each in house.sandbox.seen)


def marker(house: House, subscription: str) -> str:
    return tags(house, subscription, "GET").get("open-update-manager-owner", "")


def tags(house: House, subscription: str, method: str, operation: str = "", **given: str) -> dict[str, str]:
    """By ARM, unseen by `seen`."""
    login = {"Authorization": f"Bearer {house.credential.get_token().token}"}
    body = json.dumps({"operation": operation, "properties": {"tags": given}}).encode()
    url = f"{ORIGIN}/subscriptions/{subscription}{TAGS}?api-version=2021-04-01"
    answer = Sandbox.handle(house.sandbox, Request(method=method, url=url, headers=login, body=body))
    found: dict[str, str] = json.loads(answer.body)["properties"]["tags"]
    return found


def codes(house: House) -> dict[str, str]:
    told = read_health(house.store, house.now).problems
    return {problem.target: problem.code for problem in told if problem.check is Check.OWNERS}
