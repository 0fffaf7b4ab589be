"""Azure Resource Graph: results of many machines at once, and traces of operations nobody answered for. It lags."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from shared.cloud.azure import Azure
from shared.cloud.errors import reading
from shared.cloud.results import moment, published_assessment, updates
from shared.domain.operation import OperationKind
from shared.domain.resource_id import ARC_TYPE, VM_TYPE, MachineId, parse_machine_id
from shared.domain.results import Found
from shared.domain.update import Update

Body = dict[str, Any]
PAGE = 1000  # rows; the most Resource Graph returns at once
_TABLES = {
    OperationKind.ASSESSMENT: "patchassessmentresources",
    OperationKind.INSTALLATION: "patchinstallationresources",
}
_RESULTS = {OperationKind.ASSESSMENT: "patchassessmentresults", OperationKind.INSTALLATION: "patchinstallationresults"}
_RUNNING = frozenset({"", "unknown", "notstarted", "inprogress"})
_KINDS = ", ".join(f"'{kind}/patchAssessmentResults'".lower() for kind in (VM_TYPE, ARC_TYPE))
_ASSESSMENTS = f"patchassessmentresources | where type in~ ({_KINDS})"
_ACTIVITIES = {OperationKind.ASSESSMENT: "assessmentActivityId", OperationKind.INSTALLATION: "installationActivityId"}


def summary_since(azure: Azure, machine: MachineId, kind: OperationKind, since: datetime) -> Body | None:
    """The newest result of this kind that started at or after `since`, or None: absence proves nothing."""
    folder = f"{machine}/{_RESULTS[kind]}/"
    rows = query(
        azure, [machine.subscription], f"{_TABLES[kind]} | where type =~ '{_type(machine, kind)}' and {_below(folder)}"
    )
    found = [
        (started, row["properties"]) for row in rows if (started := moment(row["properties"].get("startDateTime")))
    ]
    return max((each for each in found if each[0] >= since), key=lambda each: each[0], default=(since, None))[1]


def updates_of(azure: Azure, machine: MachineId, kind: OperationKind, activity: str) -> tuple[Update, ...] | None:
    """The updates of one finished operation; None while Resource Graph has not published it yet."""
    result = f"{machine}/{_RESULTS[kind]}/{'latest' if kind is OperationKind.ASSESSMENT else activity}"
    rows = list(query(azure, [machine.subscription], f"{_TABLES[kind]} | where {_below(result)}"))
    summaries = [row for row in rows if str(row["type"]).lower() == _type(machine, kind)]
    if not any(_is_of(row, kind, activity) and _is_final(row) for row in summaries):
        return None
    windows = str(summaries[0]["properties"].get("osType", "")).lower() == "windows"
    return updates(
        [{"patchId": row["name"], **row["properties"]} for row in rows if row not in summaries], windows=windows
    )


def assessments(
    azure: Azure, subscriptions: Sequence[str], since: datetime | None, token: str
) -> tuple[list[Found], str]:
    """One page of ended assessments that changed at or after `since`, and the token of the next page, "" at the end.

    One query of Resource Graph's quota. Raises CloudError.
    """
    text = _ASSESSMENTS
    if since:
        text += f" | where todatetime(properties.lastModifiedDateTime) >= todatetime('{since.isoformat()}')"
    rows, following = _page(azure, subscriptions, text, token)
    return [found for row in rows if _is_final(row) and (found := _found(row))], following


def assessments_of(azure: Azure, machines: Sequence[MachineId]) -> list[Found]:
    """The last ended assessment of each of these machines. One query of Resource Graph's quota. Raises CloudError."""
    folders = " or ".join(_below(f"{machine}/patchAssessmentResults/") for machine in machines)
    rows = query(azure, sorted({each.subscription for each in machines}), f"{_ASSESSMENTS} | where {folders}")
    return [found for row in rows if _is_final(row) and (found := _found(row))]


def pending(azure: Azure, found: Iterable[Found]) -> dict[str, tuple[Update, ...]]:
    """The updates that these assessments found, by machine id in lower case; a machine without rows is not in it.

    A page a query of Resource Graph's quota. Raises CloudError.
    """
    asked = [each for each in found if each.assessment.pending]
    if not asked:
        return {}
    folders = " or ".join(_below(f"{each.machine}/patchAssessmentResults/latest/softwarePatches/") for each in asked)
    rows: dict[str, list[Body]] = defaultdict(list)
    text = f"patchassessmentresources | where {folders}"
    for row in query(azure, sorted({each.machine.subscription for each in asked}), text):
        rows[_machine_of(row)].append({"patchId": row["name"], **row["properties"]})
    return {machine: updates(each, windows=any("kbId" in row for row in each)) for machine, each in rows.items()}


def _found(row: Body) -> Found | None:
    assessment = published_assessment(str(row["name"]), row["properties"])
    return Found(machine=parse_machine_id(_machine_of(row)), assessment=assessment) if assessment else None


def _machine_of(row: Body) -> str:
    return str(row["id"]).lower().partition("/patchassessmentresults/")[0]


def _is_of(summary: Body, kind: OperationKind, activity: str) -> bool:
    """An assessment's summary carries its activity as its name, an installation's in its properties."""
    names = (summary["name"], summary["properties"].get(_ACTIVITIES[kind]))
    return activity.lower() in [str(name).lower() for name in names]


def _is_final(summary: Body) -> bool:
    """A summary appears while its operation still runs, before any of its updates."""
    return str(summary["properties"].get("status", "")).lower() not in _RUNNING


def _type(machine: MachineId, kind: OperationKind) -> str:
    return f"{machine.type}/{_RESULTS[kind]}".lower()


def _below(folder: str) -> str:
    """Inside single quotes in a query, escaped as Kusto's string literals are."""
    text = folder.replace("\\", "\\\\").replace("'", "\\'")
    return f"id startswith '{text}'"


def query(
    azure: Azure, subscriptions: Sequence[str], where: str, columns: str = "id, name, type, properties"
) -> Iterator[Body]:
    """Every row of a query over these subscriptions, page by page, in the order of their ids. Raises CloudError.

    Each page is one query of Resource Graph's quota. What the identity may not read is left out, not refused.
    """
    rows, token = _page(azure, subscriptions, where, "", columns)
    yield from rows
    while token:
        rows, token = _page(azure, subscriptions, where, token, columns)
        yield from rows


def _page(
    azure: Azure, subscriptions: Sequence[str], where: str, token: str, columns: str = "id, name, type, properties"
) -> tuple[list[Body], str]:
    from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

    text = f"{where} | project {columns} | order by id asc"
    options = QueryRequestOptions(top=PAGE, skip_token=token or None, result_format="objectArray")
    with reading():
        answer = azure.graph().resources(QueryRequest(subscriptions=list(subscriptions), query=text, options=options))
    return cast("list[Body]", answer.data), answer.skip_token or ""
