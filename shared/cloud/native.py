"""Azure's own maintenance configurations and assignments, to be taken over; and whether a configuration still has any.

Assignments come from Resource Graph: the API declares a list of them and does not serve it. It lags.
"""

import json
from collections.abc import Iterator, Sequence

from shared.cloud import graph
from shared.cloud.azure import Azure
from shared.cloud.errors import reading

SUBSCRIPTIONS_A_QUERY = 100  # Source: Resource Graph, guidance for throttled requests: groups below 300
_ASSIGNMENTS = "maintenanceresources | where type =~ 'microsoft.maintenance/configurationassignments'"


def configurations(azure: Azure, subscription: str) -> Iterator[tuple[str, bytes]]:
    """Id and body of each of a subscription's. Raises CloudError."""
    with reading():
        for each in azure.maintenance(subscription).maintenance_configurations.list():
            yield str(each.id), json.dumps(each.serialize()).encode()


def assignments(azure: Azure, subscriptions: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Id and body of each assignment in these subscriptions. Raises CloudError."""
    for row in _rows(azure, subscriptions, _ASSIGNMENTS):
        yield str(row["id"]), json.dumps({"properties": row["properties"]}).encode()


def attached(azure: Azure, subscriptions: Sequence[str], configuration: str) -> list[str]:
    """Ids of the assignments that Azure itself still has of a configuration. Raises CloudError."""
    wanted = configuration.replace("\\", "\\\\").replace("'", "\\'")
    where = f"{_ASSIGNMENTS} | where properties.maintenanceConfigurationId =~ '{wanted}'"
    return [str(row["id"]) for row in _rows(azure, subscriptions, where)]


def _rows(azure: Azure, subscriptions: Sequence[str], where: str) -> Iterator[graph.Body]:
    for start in range(0, len(subscriptions), SUBSCRIPTIONS_A_QUERY):
        yield from graph.query(azure, subscriptions[start : start + SUBSCRIPTIONS_A_QUERY], where)
