"""The app with one guard of the design taken out: what the simulation must not let pass."""

from collections.abc import Callable
from typing import Any

import msgspec

from shared.cloud.azure import Azure
from shared.domain.operation import Operation, State
from shared.domain.resource_id import MachineId, parse_machine_id
from shared.store.buckets import Buckets
from shared.store.operations import Held, Operations
from shared.store.store import Store
from shared.store.table import Delete, Merge, Row, Table
from tests.simulation.sdk import real_azure
from tests.simulation.tables import TwinTable
from tests.simulation.world import Parts


class NoClaimTransaction(Operations):
    """Looks first, then writes both rows whatever is there by then."""

    def claim(self, operation: Operation) -> Held | None:
        address = parse_machine_id(operation.machine)
        if self.in_flight(address) or self.attempt(address, operation.attempt):
            return None
        etag = self._table.write(Merge(_row(operation, "inflight")))
        self._table.write(Merge(_row(operation, f"attempt|{operation.attempt}")))
        return Held(operation=operation, etag=etag)


class NoETag(Operations):
    """The last writer wins."""

    def save(self, held: Held, operation: Operation) -> Held:
        if operation.state is not State.ENDED:
            return Held(operation=operation, etag=self._table.write(Merge(_row(operation, "inflight"))))
        self._table.write(Delete(_row(operation, "inflight")))
        self._table.write(Merge(_row(operation, f"attempt|{operation.attempt}")))
        return Held(operation=operation, etag="")


class SendingIsNotSent(Operations):
    """A `sending` that a dead worker left is taken for a claim."""

    def in_flight(self, address: MachineId) -> Held | None:
        held = super().in_flight(address)
        if held is None or held.operation.state is not State.SENDING:
            return held
        return Held(operation=msgspec.structs.replace(held.operation, state=State.CLAIMED), etag=held.etag)


class NoLease(Buckets):
    """Everybody starts at once."""

    def lease(self, subscription: str, region: str, count: int, now: Any, until: Any = None) -> Any:  # noqa: ANN401
        return [now] * count


class Retrying(Azure):
    """The pipeline as azure-core makes it: four tries."""

    def _pipeline(self) -> Any:  # noqa: ANN401 - the SDK's own type
        from azure.core.pipeline.policies import RetryPolicy

        client = super()._pipeline()
        policies = client._pipeline._impl_policies
        retry = RetryPolicy()
        retry.next = policies[0]
        policies.insert(0, retry)
        return client


def _row(operation: Operation, key: str) -> Row:
    partition = parse_machine_id(operation.machine).key
    text = msgspec.json.encode(operation).decode()
    return Row(partition=partition, key=key, values={"operation": text, "state": operation.state.value})


_TABLES = {"runs": "run", "run_list": "runs"}
"""Modules whose table has another name."""


def with_stores(**replaced: Callable[[Table], Any]) -> Parts:
    """A store in which these modules are others, each over the table of its name."""

    def store(built: Store, table: Callable[[str], TwinTable]) -> Store:
        return msgspec.structs.replace(
            built, **{name: make(table(_TABLES.get(name, name))) for name, make in replaced.items()}
        )

    return Parts(store=store)


MUTANTS: dict[str, Parts] = {
    "no claim transaction": with_stores(operations=NoClaimTransaction),
    "no ETag on the operation row": with_stores(operations=NoETag),
    "sending treated as not sent": with_stores(operations=SendingIsNotSent),
    "no bucket lease": with_stores(buckets=NoLease),
    "SDK retries on": Parts(
        real=lambda wire, token, clock, hub: real_azure(wire, token, clock, hub, Retrying), always_sdk=True
    ),
}
