"""What must hold of a fleet's assessments after a bad day, judged by the sandbox's journal and the storage's rows."""

from collections import Counter, defaultdict
from collections.abc import Set

import msgspec
from azure.data.tables import TableServiceClient

from infra.local.demo import made
from infra.local.fleet import Row, short_name
from infra.local.seen import FOREIGN_PRINCIPAL
from shared.domain.messages import POISON_SUFFIX, QUEUES, CountFleet
from tests.scenarios.city import City
from tests.scenarios.relay import Seen


class Arrival(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of the sandbox's journal, as far as it is about starts. `effect`: Azure accepted it.

    `principal`: who started an operation.
    """

    event: str
    time: str = ""
    method: str = ""
    url: str = ""
    machine: str = ""
    principal: str = ""
    client_request_id: str = ""
    status: int | str = 0
    effect: bool = False

    @property
    def is_start(self) -> bool:
        return self.event == "request" and self.method == "POST" and "/assesspatches" in self.url.lower()


class Starts(msgspec.Struct, frozen=True, kw_only=True):
    """Every start of one machine: what left the app, by attempt, and what arrived at Azure."""

    machine: str
    left: list[str]
    arrived: list[Arrival]
    foreign: bool = False
    """Somebody else assessed it meanwhile."""

    @property
    def accepted(self) -> list[Arrival]:
        return [each for each in self.arrived if each.effect]

    def complaints(self) -> list[str]:
        """At most one accepted start a claim, and a second start only where the first came to nothing.

        A machine may do without: busy with somebody else's assessment, which was found when our refusal got lost.
        """
        claims = Counter(each.client_request_id for each in self.accepted)
        wrong = [f"{self.machine}: {count} accepted starts of one claim" for count in claims.values() if count > 1]
        if len(self.accepted) > 1:
            wrong.append(f"{self.machine}: accepted {len(self.accepted)} times, the journal shows that all arrived")
        if not self.accepted and not self.foreign:
            wrong.append(f"{self.machine}: none of its starts was accepted")
        unknown = {each.client_request_id for each in self.arrived} - set(self.left)
        return [*wrong, *(f"{self.machine}: a start arrived that never left: {attempt}" for attempt in unknown)]

    def story(self) -> str:
        """What became of each start, when there was more than one."""
        fates = defaultdict(list)
        for each in self.arrived:
            fates[each.client_request_id].append("accepted" if each.effect else f"refused with {each.status}")
        parts = [fates[attempt].pop(0) if fates[attempt] else "never arrived" for attempt in self.left]
        end = [] if self.accepted else ["somebody else's assessment was found"]
        return f"{short_name(self.machine)}: {', then '.join([*parts, *end])}"


def journal(city: City) -> list[Arrival]:
    return city.sandbox.get("/sandbox/journal?after=0", list[Arrival])


def starts(city: City) -> list[Starts]:
    """By machine."""
    left, arrived, foreign = defaultdict(list), defaultdict(list), set()
    for seen in list(city.steps.starts):
        left[machine_of(seen)].append(seen.headers.get("x-ms-client-request-id", ""))
    for each in journal(city):
        if each.is_start:
            arrived[each.machine.lower()].append(each)
        elif each.event == "operationAccepted" and each.principal == FOREIGN_PRINCIPAL:
            foreign.add(each.machine.lower())
    return [
        Starts(machine=key, left=left[key], arrived=arrived[key], foreign=key in foreign)
        for key in sorted(left.keys() | arrived.keys())
    ]


def machine_of(seen: Seen) -> str:
    return seen.path.partition("?")[0].rpartition("/")[0].lower()


def rows(city: City) -> dict[str, Row]:
    """The fleet as the app shows it, by id in lower case."""
    return {row.key: row for row in city.app.pages("/fleet/machines?$top=500", Row)}


def outcomes(city: City, but: Set[str] = frozenset()) -> list[str]:
    """Every machine that is not assessed as its script makes right, a sentence each; not of those in `but`."""
    shown, wrong = rows(city), []
    for key, guest in made(city.sandbox).items():
        if key in but:
            continue
        told = shown[key].told(chosen=False).assessment if key in shown else None
        if told != guest.expected.assessment:
            wrong.append(f"{short_name(key)} must end as {guest.expected.assessment} and the app says {told}")
    return wrong


def refused(city: City, code: str) -> list[str]:
    """Machines that were not assessed for this reason, by their own rows: lists of the fleet show it later."""
    with TableServiceClient.from_connection_string(city.azurite.connection_string) as tables:
        stored = list(tables.get_table_client("machines").list_entities())
    told = [row for row in stored if row.get("refusal") and row.get("machine")]
    return [
        msgspec.json.decode(row["machine"])["id"]
        for row in told
        if msgspec.json.decode(row["refusal"])["reason"]["code"] == code
    ]


def left_over(city: City) -> list[str]:
    """What is still open: operations in flight, lines of the agenda, messages, parked messages."""
    tables = TableServiceClient.from_connection_string(city.azurite.connection_string)
    with tables:
        flying = list(tables.get_table_client("operations").query_entities("RowKey eq 'inflight'"))
        lines = list(tables.get_table_client("agenda").list_entities())
        noted = list(tables.get_table_client("poison").list_entities())
    queues = city.store.queues
    # The fleet's index is rebuilt whenever somebody reads an old one: its queue is never done.
    names = [queue for kind, queue in QUEUES.items() if kind is not CountFleet]
    lengths = {name: queues.length(name) for queue in names for name in (queue, queue + POISON_SUFFIX)}
    found = [f"in flight: {row['PartitionKey']} {row['state']}" for row in flying]
    found += [f"on the agenda: {row['RowKey']}" for row in lines]
    found += [f"parked: {row['PartitionKey']} {row['RowKey']}" for row in noted if row.get("parked")]
    return [*found, *(f"{length} messages on {name}" for name, length in lengths.items() if length)]
