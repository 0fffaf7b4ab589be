"""The demo's last lines: a table by kind and outcome, and a reason for everything that did not succeed."""

import msgspec

from infra.local.report import Line, failures, table

LINE = Line(
    id="/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/web-01",
    kind="AzureVM",
    os="Linux",
    subscription="s",
    pending_before=5,
    pending_after=0,
    outcome="Succeeded",
    reason="",
    seconds=12.5,
)
OFF = msgspec.structs.replace(
    LINE,
    id="x/db-02",
    kind="Arc",
    pending_before=None,
    pending_after=None,
    outcome="Skipped",
    reason="Disconnected: Off.",
)


def test_the_table_counts_by_kind_and_outcome() -> None:
    assert [line.split() for line in table([LINE, LINE, OFF])] == [
        ["kind", "machines", "Succeeded", "CompletedWithWarnings", "Failed", "Skipped", "pending", "before", "after"],
        ["Arc", "1", "-", "-", "-", "1", "0", "0"],
        ["AzureVM", "2", "2", "-", "-", "-", "10", "0"],
        ["all", "3", "2", "-", "-", "1", "10", "0"],
    ]
    assert len({len(line) for line in table([LINE, OFF])}) == 1


def test_an_outcome_of_no_known_name_gets_a_column() -> None:
    assert "Unknown" in table([msgspec.structs.replace(LINE, outcome="Unknown")])[0]


def test_an_empty_fleet_makes_a_table_too() -> None:
    assert table([])[-1].split() == ["all", "0", "-", "-", "-", "-", "0", "0"]


def test_who_did_not_succeed_is_named_with_the_reason() -> None:
    assert failures([LINE, OFF]) == ["db-02 (Arc): Skipped. Disconnected: Off."]


def test_the_names_of_the_json_file() -> None:
    assert set(msgspec.to_builtins(LINE)) == {
        "id",
        "kind",
        "os",
        "subscription",
        "pendingBefore",
        "pendingAfter",
        "outcome",
        "reason",
        "seconds",
    }
