"""Addresses and the storage keys made of them: legal for Table Storage, and never two addresses in one key."""

import random

import pytest

from shared.domain.errors import RequestError
from shared.domain.resource_id import (
    ARC_TYPE,
    LONGEST_KEPT,
    VM_TYPE,
    _encoded,
    _parsed,
    encode_key,
    machine_id,
    parse_machine_id,
)
from tests.domain.samples import ARC, SUBSCRIPTION, VM

# "Understanding the Table service data model": forbidden in keys.
FORBIDDEN = {"/", "\\", "#", "?", "\t", "\n", "\r", *map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0))}
# What names are made of, what separates and escapes keys, what Azure forbids, and letters of several bytes.
ALPHABET = [*"ab01-_.()", *"~|/\\#? %+&=':;,@$!*[]{}^`\"<>", "\t", "\x00", "\x7f", "\x85", "é", "ß", "日", "😀", "}"]

LONGEST_KEY = 512
"""Characters; 1 KiB of UTF-16, by the same page."""


def names(count: int) -> list[str]:
    """Lower-case random names from the alphabet, each once."""
    chance = random.Random(7)
    drawn = {"".join(chance.choices(ALPHABET, k=chance.randint(1, 8))) for _ in range(count)}
    return sorted({each.lower() for each in drawn})


def test_the_parts_of_an_id() -> None:
    vm, arc = parse_machine_id(VM), parse_machine_id(ARC)
    assert (vm.subscription, vm.group, vm.type, vm.name) == (SUBSCRIPTION, "web", VM_TYPE, "vm1")
    assert vm.is_vm
    assert vm.provider == "Microsoft.Compute"
    assert (arc.type, arc.is_vm, arc.provider) == (ARC_TYPE, False, "Microsoft.HybridCompute")
    assert str(vm) == VM
    assert str(arc) == ARC


def test_keys_of_the_design() -> None:
    assert parse_machine_id(VM).scope == f"{SUBSCRIPTION}|web"
    assert parse_machine_id(VM).row == "vm|vm1"
    assert parse_machine_id(ARC).row == "arc|arc1"
    assert parse_machine_id(VM).key == f"{SUBSCRIPTION}|web|vm|vm1"


@pytest.mark.parametrize("spelled", [VM.upper(), VM.lower(), VM.replace("resourceGroups", "RESOURCEgroups")])
def test_every_casing_is_one_machine(spelled: str) -> None:
    assert parse_machine_id(spelled).key == parse_machine_id(VM).key
    assert parse_machine_id(spelled).type == VM_TYPE


def test_names_keep_the_spelling_they_came_with() -> None:
    assert parse_machine_id(VM.replace("vm1", "Web-01")).name == "Web-01"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "vm1",
        VM[1:],
        f"{VM}/",
        f"{VM}/extensions/x",
        f"https://management.azure.com{VM}",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/web",
        VM.replace("/subscriptions/", "/subscription/"),
        VM.replace("/providers/", "/provider/"),
    ],
)
def test_what_is_no_machine_id_is_refused(text: str) -> None:
    with pytest.raises(RequestError) as refused:
        parse_machine_id(text)
    assert refused.value.status == 400
    assert refused.value.target == "id"
    assert f"'{text}'" in refused.value.message


@pytest.mark.parametrize(
    ("provider", "kind"),
    [
        ("Microsoft.Compute", "disks"),
        ("Microsoft.Compute", "virtualMachineScaleSets"),
        ("Microsoft.HybridCompute", "virtualMachines"),
        ("Microsoft.Compute", "machines"),
        ("", ""),
    ],
)
def test_other_types_are_refused_by_name(provider: str, kind: str) -> None:
    with pytest.raises(RequestError, match=VM_TYPE) as refused:
        machine_id(SUBSCRIPTION, "web", provider, kind, "x")
    assert (refused.value.status, refused.value.target) == (404, f"{provider}/{kind}")


@pytest.mark.parametrize(("subscription", "group", "name"), [("", "g", "n"), ("s", "", "n"), ("s", "g", "")])
def test_an_empty_part_is_refused(subscription: str, group: str, name: str) -> None:
    with pytest.raises(RequestError):
        machine_id(subscription, group, "Microsoft.Compute", "virtualMachines", name)


def test_encoding_leaves_ordinary_names_alone() -> None:
    assert encode_key("Web-01_a.b(c)") == "web-01_a.b(c)"
    assert encode_key("a/b~c|d") == "a~2Fb~7Ec~7Cd"
    assert encode_key("É日%") == "é日~25"


def test_encoded_names_are_legal_and_injective() -> None:
    plain = names(20_000)
    assert len(plain) > 5_000
    keys = [encode_key(each) for each in plain]
    assert len(set(keys)) == len(plain)
    assert not {character for key in keys for character in key} & (FORBIDDEN | {"|", "%", "'"})


def test_the_longest_names_of_azure_fit_into_a_key() -> None:
    """A group has up to 90 characters, also letters of any script, a VM 64 ("Naming rules and restrictions")."""
    longest = machine_id(SUBSCRIPTION, "日" * 90, "Microsoft.Compute", "virtualMachines", "v" * 64)
    assert len(longest.key) <= LONGEST_KEY


def test_keys_of_different_machines_differ() -> None:
    """The parts are drawn apart from each other, so that a separator inside a name would show as a collision."""
    chance = random.Random(11)
    parts = names(400)
    addresses = {
        (*(chance.choice(parts) for _ in range(3)), chance.choice(["Compute", "Hybrid"])) for _ in range(20_000)
    }
    kinds = {
        "Compute": ("Microsoft.Compute", "virtualMachines"),
        "Hybrid": ("Microsoft.HybridCompute", "machines"),
    }
    made = [machine_id(s, g, *kinds[kind], n) for s, g, n, kind in addresses]
    assert len({each.key for each in made}) == len(addresses)
    assert all(each.key == f"{each.scope}|{each.row}" for each in made)
    assert all(each.key.count("|") == 3 for each in made)


def test_what_is_longer_than_any_id_is_not_remembered() -> None:
    """Callers send what they like: a worker would fill up with it."""
    text = f"/subscriptions/s/resourceGroups/g/providers/{VM_TYPE}/{'x' * LONGEST_KEPT}"
    kept = [_parsed.cache_info().misses, _encoded.cache_info().misses]
    assert parse_machine_id(text).name == "x" * LONGEST_KEPT
    assert encode_key(text) != encode_key(f"{text} ")
    assert [_parsed.cache_info().misses, _encoded.cache_info().misses] == kept
