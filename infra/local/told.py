"""What the sandbox's topic saw of the window's pre and post event, and what its webhook got. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

PRE, POST = "Microsoft.Maintenance.PreMaintenanceEvent", "Microsoft.Maintenance.PostMaintenanceEvent"


class Data(msgspec.Struct, frozen=True):
    """As far as it is told here."""

    status: str = ""


class Published(msgspec.Struct, frozen=True):
    """One event in the journal."""

    id: str
    type: str
    data: Data


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of GET /sandbox/journal, as far as it is about events."""

    event: str
    time: datetime | None = None
    published: Published | None = None
    id: str = ""
    type: str = ""
    status: int | str = 0  # of a delivery; operations write a word there


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """When the events of one run were first taken by the topic and by the webhook, by type; how it said it ended."""

    taken: Mapping[str, datetime]
    delivered: Mapping[str, datetime]
    status: str = ""

    @property
    def is_complete(self) -> bool:
        return {PRE, POST} <= self.delivered.keys()


def told(notices: Iterable[Notice], run: str) -> Told:
    """`run`: its address."""
    taken: dict[str, datetime] = {}
    delivered: dict[str, datetime] = {}
    status = ""
    for each in notices:
        if each.published and each.time and each.published.id.lower() == run.lower():
            taken.setdefault(each.published.type, each.time)
            status = each.published.data.status or status
        elif each.event == "eventDelivered" and each.time and each.id.lower() == run.lower() and each.status == 200:
            delivered.setdefault(each.type, each.time)
    return Told(taken=taken, delivered=delivered, status=status)


def doubts(said: Told, began: Mapping[str, datetime]) -> list[str]:
    """What is wrong with them; `began`: when each machine's installation did."""
    missing = [name.rpartition(".")[2] for name in (PRE, POST) if name not in said.delivered]
    found = [f"the maintenance window: its {name} was not delivered" for name in missing]
    first = min(began.values(), default=None)
    if first and PRE in said.taken and first < said.taken[PRE]:
        found.append("the maintenance window: an installation began before its pre-event was published")
    return found


def story(said: Told) -> list[str]:
    """One line about both."""
    if not said.is_complete:
        return []
    pre, post = (f"{said.delivered[name]:%H:%M:%S}" for name in (PRE, POST))
    first = f"A webhook was told of the window before its first installation, at {pre},"
    return [f"{first} and of its end ({said.status}), at {post}."]
