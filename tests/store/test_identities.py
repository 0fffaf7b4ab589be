"""Identities: every address a vmId was seen at, and no other vmId's."""

import pytest

from shared.domain.resource_id import parse_machine_id
from shared.store.identities import Identities
from shared.store.table import Table
from tests.domain.samples import ARC, VM

ADDRESS, OTHER = parse_machine_id(VM), parse_machine_id(ARC)


@pytest.fixture
def identities(table: Table) -> Identities:
    return Identities(table)


def test_a_vm_id_nobody_has(identities: Identities) -> None:
    assert identities.of("nobody") == []


def test_every_address_is_kept_once(identities: Identities) -> None:
    for address in (ADDRESS, OTHER, ADDRESS):
        identities.add("4C4C-0051", address)
    identities.add("4c4c-0051", parse_machine_id(VM.upper()))
    identities.add("4C4C-005", OTHER)
    assert sorted(address.key for address in identities.of("4c4C-0051")) == sorted([ADDRESS.key, OTHER.key])
    assert identities.of("4C4C-005") == [OTHER]


def test_a_vm_id_that_is_no_legal_key(identities: Identities) -> None:
    identities.add("a/b#c?", ADDRESS)
    assert identities.of("A/B#C?") == [ADDRESS]
