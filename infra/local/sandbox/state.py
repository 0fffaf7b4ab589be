"""All that one sandbox knows; nothing of it lives in a module."""

from collections.abc import Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from infra.local.sandbox.catalogue import CatalogueEntry
from infra.local.sandbox.config import SandboxConfig
from infra.local.sandbox.faults import Faults
from infra.local.sandbox.fleet import make_fleet
from infra.local.sandbox.guests import Guest
from infra.local.sandbox.history import remember
from infra.local.sandbox.http import Json, Refusal
from infra.local.sandbox.identity import Identity
from infra.local.sandbox.journal import Journal
from infra.local.sandbox.machine import ARC_TYPE, Machine
from infra.local.sandbox.operations import Operations
from infra.local.sandbox.places import Subscription, estate
from infra.local.sandbox.platform import Platform
from infra.local.sandbox.published import Published
from infra.local.sandbox.throttles import Buckets
from infra.local.sandbox.topics import Topics
from infra.local.sandbox.weather import Weather

# The tag by which deployments of the app tell each other that a subscription is theirs.
OWNER_TAG = "open-update-manager-owner"


class State:
    """The fleet and its places, operations, tokens, throttles, faults and the journal of one sandbox."""

    def __init__(
        self,
        config: SandboxConfig,
        catalogue: Sequence[CatalogueEntry],
        guest: Guest | None,
        now: datetime,
        key: RSAPrivateKey | None,
    ) -> None:
        self.config = config
        self.estate = estate(config.seed, crowded=config.crowded)
        self.machines = make_fleet(config, self.estate, catalogue, guest)
        self.identity = Identity(config, key)
        self.journal = Journal()
        self.published = Published()
        self.topics = Topics(self.journal)
        weather = Weather(config.day, config.speed, sorted(machine.spec.id for machine in self.machines))
        self.faults = Faults(self.journal, weather)
        self.operations = Operations(config, self.journal, self.published, self.faults)
        self.buckets = Buckets()
        for fault in weather.standing([subscription.id for subscription in self.estate.subscriptions]):
            self.faults.add(fault, now)
        remember(self.machines, self.published, config.seed, now)
        self.platform = Platform(config, self.machines, self.operations, self.published, now)
        self.maintenance: dict[str, Json] = {}  # Azure's own configurations and assignments, by id in lower case
        self.tags = {each.id: {OWNER_TAG: config.owner} if config.owner else {} for each in self.estate.subscriptions}
        self._by_id = {machine.spec.id.lower(): machine for machine in self.machines}

    def addressed(self, id_: str) -> Machine:
        """The machine of a resource id in any case. Raises Refusal 404 ResourceNotFound."""
        found = self._by_id.get(id_.lower())
        if found is None:
            raise Refusal(404, "ResourceNotFound", f"The Resource '{id_}' was not found.", id_)
        return found

    def find(self, id_: str) -> Machine | None:
        """By its whole id, in any case."""
        return self._by_id.get(id_.lower())

    def add(self, machine: Machine) -> None:
        self.machines.append(machine)
        self._by_id[machine.spec.id.lower()] = machine

    def remove(self, machine: Machine) -> None:
        self.machines.remove(machine)
        del self._by_id[machine.spec.id.lower()]

    def subscription(self, id_: str) -> Subscription:
        """Raises Refusal 404 SubscriptionNotFound."""
        for subscription in self.estate.subscriptions:
            if subscription.id == id_.lower():
                return subscription
        raise Refusal(404, "SubscriptionNotFound", f"The subscription '{id_}' could not be found.")

    def group_exists(self, subscription: str, group: str) -> None:
        """Raises Refusal 404 for an unknown subscription or ResourceGroupNotFound."""
        known = self.subscription(subscription).id
        if not any(place.subscription == known and _same(place.group, group) for place in self.estate.places):
            raise Refusal(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")

    def machine(self, subscription: str, group: str, type_: str, name: str) -> Machine:
        """Raises Refusal 404, naming the first part of the id that is not there."""
        self.group_exists(subscription, group)
        found = self._by_id.get(
            f"/subscriptions/{subscription}/resourcegroups/{group}/providers/{type_}/{name}".lower()
        )
        if found is None:
            message = f"The Resource '{type_}/{name}' under resource group '{group}' was not found."
            raise Refusal(404, "ResourceNotFound", message)
        return found

    def machines_in(self, subscription: str, group: str, type_: str) -> list[Machine]:
        """Machines of one type in id order; "" as group means all. Raises Refusal 404 for a place that is not there."""
        self.subscription(subscription)
        if group:
            self.group_exists(subscription, group)
        found = [machine for machine in self.machines if machine.spec.is_arc == (type_ == ARC_TYPE)]
        found = [machine for machine in found if _same(machine.spec.place.subscription, subscription)]
        found = [machine for machine in found if not group or _same(machine.spec.place.group, group)]
        return sorted(found, key=lambda machine: machine.spec.id.lower())


def _same(left: str, right: str) -> bool:
    return left.lower() == right.lower()
