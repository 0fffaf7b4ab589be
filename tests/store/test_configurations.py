"""Configurations: found by address, group and subscription; changed only as they were read."""

import random
from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from shared.domain.configuration import Configuration
from shared.domain.maintenance_id import LONGEST_KEY, configuration_id
from shared.store.configurations import Configurations, Stored
from shared.store.table import Conflict, Table
from tests.domain.maintenance import ADDRESS, body, fleet, put
from tests.domain.samples import SUBSCRIPTION

OTHER = "99999999-2222-3333-4444-555555555555"
EVERYTHING = {
    "rules": [{"recurEvery": "Month day1", "duration": "05:00"}],
    "maxConcurrency": "20%",
    "maxFailures": 3,
    "waves": [{"name": "pilot", "tag": {"name": "ring", "values": ["0"]}, "soak": "PT30M", "successThreshold": 90}],
    "preEventLead": "PT1H",
    "waitFor": ["drain"],
}


@pytest.fixture
def configurations(table: Table) -> Configurations:
    return Configurations(table)


def at(group: str, name: str, subscription: str = SUBSCRIPTION) -> Configuration:
    return replace(put(body()), id=configuration_id(subscription, group, name))


def stored(configurations: Configurations) -> Stored:
    found = configurations.get(ADDRESS)
    assert found is not None
    return found


def test_an_unknown_configuration_is_none(configurations: Configurations) -> None:
    assert configurations.get(ADDRESS) is None


@pytest.mark.parametrize("given", [put(body()), put(fleet(EVERYTHING))])
def test_a_configuration_reads_back_as_itself(configurations: Configurations, given: Configuration) -> None:
    etag = configurations.save(given)
    assert stored(configurations) == Stored(configuration=given, etag=etag)
    found = configurations.get(configuration_id(SUBSCRIPTION.upper(), "OPS", "Nightly"))
    assert found == stored(configurations)


def test_it_is_made_once_and_changed_only_as_it_was_read(configurations: Configurations) -> None:
    etag = configurations.save(put(body()))
    with pytest.raises(Conflict):
        configurations.save(put(body()))
    changed = put(body(tags={"a": "b"}), put(body()))
    newer = configurations.save(changed, etag)
    assert newer != etag
    with pytest.raises(Conflict):
        configurations.save(put(body()), etag)
    assert stored(configurations).configuration == changed


def test_a_deletion_needs_the_last_reading(configurations: Configurations) -> None:
    etag = configurations.save(put(body()))
    old = stored(configurations)
    configurations.save(put(body()), etag)
    with pytest.raises(Conflict):
        configurations.delete(old)
    configurations.delete(stored(configurations))
    assert configurations.get(ADDRESS) is None


def test_lists(configurations: Configurations) -> None:
    """A group whose name begins like another's is not the other."""
    addresses = [("ops", "b"), ("OPS", "a"), ("ops-2", "c"), ("op", "d"), ("ops.x", "e")]
    for group, name in random.Random(1).sample(addresses, len(addresses)):
        configurations.save(at(group, name))
    configurations.save(at("ops", "z", OTHER))

    def names(found: Iterable[Stored]) -> list[str]:
        return [each.configuration.id.name for each in found]

    assert names(configurations.in_group(SUBSCRIPTION, "Ops")) == ["a", "b"]
    assert sorted(names(configurations.in_subscription(SUBSCRIPTION))) == ["a", "b", "c", "d", "e"]
    assert names(configurations.in_subscription(OTHER.upper())) == ["z"]
    assert names(configurations.in_group(OTHER, "none")) == []


def test_the_longest_name_fits_into_a_key(configurations: Configurations) -> None:
    given = at("g" * 25, "x" * 75 + " " * 24 + "y")
    assert len(given.id.name) < LONGEST_KEY
    configurations.save(given)
    assert configurations.get(given.id) is not None
