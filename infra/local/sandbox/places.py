"""The tenant's subscriptions and resource groups, the same for the same seed."""

from collections.abc import Sequence

import msgspec

from infra.local.sandbox.config import seeded_guid
from infra.local.sandbox.machine import Place


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str


class Estate(msgspec.Struct, frozen=True, kw_only=True):
    """Every place there is. VMs live in `vm`, Arc machines of other clouds in `clouds`, the rest in `sites`."""

    tenant: str
    subscriptions: tuple[Subscription, ...]
    vm: tuple[Place, ...]
    sites: tuple[Place, ...]
    clouds: tuple[Place, ...]

    @property
    def places(self) -> tuple[Place, ...]:
        return (*self.vm, *self.sites, *self.clouds)


_NAMES = ("Contoso Production", "Contoso Development", "Contoso Sites and Edge")

# Subscription (position in _NAMES), resource group, region.
_VM_GROUPS = (
    (0, "rg-erp-prod-weu", "westeurope"),
    (0, "rg-shop-prod-neu", "northeurope"),
    (1, "rg-erp-test-weu", "westeurope"),
    (0, "rg-data-prod-eus", "eastus"),
    (1, "rg-shop-dev-neu", "northeurope"),
    (0, "rg-tokyo-prod-jpe", "japaneast"),
    (1, "RG-Sandbox-EUS", "eastus"),
)
_SITE_GROUPS = (
    (2, "rg-sites-frankfurt", "westeurope"),
    (2, "rg-sites-dublin", "northeurope"),
    (0, "rg-arc-servers-prod", "westeurope"),
    (2, "rg-plant-osaka", "japaneast"),
)
_CLOUD_GROUPS = ((2, "rg-multicloud-eus", "eastus"), (1, "rg-multicloud-test-weu", "westeurope"))


def estate(seed: int, *, crowded: bool = False) -> Estate:
    """Three subscriptions, four regions, a dozen resource groups. Crowded: all in one subscription and region."""
    guids = [seeded_guid(seed, "subscription", name) for name in _NAMES]

    def made(groups: Sequence[tuple[int, str, str]]) -> tuple[Place, ...]:
        if crowded:
            groups = [(0, group, "westeurope") for _, group, _ in groups]
        return tuple(Place(subscription=guids[at], group=group, location=region) for at, group, region in groups)

    return Estate(
        tenant=seeded_guid(seed, "tenant"),
        subscriptions=tuple(Subscription(id=id_, name=name) for id_, name in zip(guids, _NAMES, strict=True)),
        vm=made(_VM_GROUPS),
        sites=made(_SITE_GROUPS),
        clouds=made(_CLOUD_GROUPS),
    )
