"""What the demo shows at its end: a table by kind and outcome, and why a machine did not succeed. Pure."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from infra.local.fleet import short_name

OUTCOMES = ("Succeeded", "CompletedWithWarnings", "Failed", "Skipped")


class Line(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One machine at the end; also one object of `--json`. `seconds`: how long it was waited for, over all steps."""

    id: str
    kind: str
    os: str
    subscription: str
    pending_before: int | None
    pending_after: int | None
    outcome: str
    reason: str
    seconds: float


def table(lines: Sequence[Line]) -> list[str]:
    """Machines by kind and outcome, and the updates pending before and after."""
    columns = [*OUTCOMES, *sorted({line.outcome for line in lines} - set(OUTCOMES))]
    rows = [["kind", "machines", *columns, "pending before", "after"]]
    rows += [
        _row(kind, [line for line in lines if line.kind == kind], columns)
        for kind in sorted({line.kind for line in lines})
    ]
    rows.append(_row("all", lines, columns))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [_aligned(row, widths) for row in rows]


def _row(name: str, lines: Sequence[Line], columns: Sequence[str]) -> list[str]:
    counts = Counter(line.outcome for line in lines)
    before, after = sum(line.pending_before or 0 for line in lines), sum(line.pending_after or 0 for line in lines)
    return [name, str(len(lines)), *(str(counts[column] or "-") for column in columns), str(before), str(after)]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *numbers = (
        text.ljust(width) if index == 0 else text.rjust(width)
        for index, (text, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *numbers])


def failures(lines: Sequence[Line]) -> list[str]:
    """A line for each machine that did not succeed: who, what, and the reason in words."""
    troubled = [line for line in lines if line.outcome != "Succeeded"]
    return [
        f"{short_name(line.id)} ({line.kind}): {line.outcome}. {line.reason}"
        for line in sorted(troubled, key=lambda line: (line.outcome, line.id))
    ]
