"""The judgement: what is right passes, and each single thing that can be wrong is named."""

import msgspec
import pytest

from infra.local.verdict import Ended, Operation, Told, Truth, complaints

OK = Ended("Succeeded")
FAILED = Ended("Failed", "InstallationFailed")
OFF = Ended("Skipped", "PoweredOff")
ALL, LEFT = frozenset({"a", "b", "c"}), frozenset({"c"})

TRUTH = Truth(assessment=OK, installation=FAILED, before=ALL, after=LEFT)
TOLD = Told(chosen=True, assessment=OK, installation=FAILED, pending=1)
LOOK = Operation(installs=False, accepted=1, ended=2)
INSTALL = Operation(installs=True, accepted=3, ended=4, changed=ALL - LEFT)
AGAIN = Operation(installs=False, accepted=5, ended=6)
SEEN = [LOOK, INSTALL, AGAIN]

SKIPPED_TRUTH = Truth(assessment=OFF, installation=OFF, before=ALL, after=ALL)
SKIPPED = Told(chosen=False, assessment=OFF, pending=None)


def test_a_machine_that_went_by_its_script_is_right() -> None:
    assert complaints(TOLD, TRUTH, SEEN) == []


def test_a_machine_that_was_only_assessed_is_right() -> None:
    truth = msgspec.structs.replace(TRUTH, after=ALL)
    told = Told(chosen=False, assessment=OK, pending=3)
    assert complaints(told, truth, [LOOK]) == []


def test_a_machine_left_alone_is_right() -> None:
    assert complaints(SKIPPED, SKIPPED_TRUTH, []) == []


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"assessment": None}, "its assessment must end as Succeeded and the app says nothing"),
        ({"assessment": OFF}, "its assessment must end as Succeeded and the app says Skipped (PoweredOff)"),
        ({"installation": OK}, "its installation must end as Failed (InstallationFailed) and the app says Succeeded"),
        (
            {"installation": Ended("Failed")},
            "its installation must end as Failed (InstallationFailed) and the app says Failed",
        ),
        ({"pending": None}, "1 updates are pending in it and the app says nothing"),
        ({"pending": 0}, "1 updates are pending in it and the app says 0"),
    ],
)
def test_what_the_app_says_wrongly_is_named(changed: dict[str, object], sentence: str) -> None:
    assert complaints(msgspec.structs.replace(TOLD, **changed), TRUTH, SEEN) == [sentence]


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        ([LOOK, AGAIN], "0 installations of ours were accepted instead of 1"),
        (
            [LOOK, INSTALL, msgspec.structs.replace(INSTALL, accepted=7, ended=8)],
            "2 installations of ours were accepted instead of 1",
        ),
        (
            [LOOK, msgspec.structs.replace(INSTALL, ended=6), AGAIN],
            "two operations of ours were under way in it at the same time",
        ),
        (
            [msgspec.structs.replace(LOOK, ended=None), INSTALL],
            "two operations of ours were under way in it at the same time",
        ),
        (
            [LOOK, msgspec.structs.replace(INSTALL, changed=ALL), AGAIN],
            "2 updates vanished from it and the journal has 3",
        ),
        ([LOOK, INSTALL, msgspec.structs.replace(AGAIN, changed=frozenset({"a"}))], "an assessment changed it"),
    ],
)
def test_what_the_sandbox_saw_too_much_or_too_little_of_is_named(seen: list[Operation], sentence: str) -> None:
    assert sentence in complaints(TOLD, TRUTH, seen)


def test_an_installation_nobody_asked_for_is_named() -> None:
    truth = msgspec.structs.replace(TRUTH, after=ALL)
    told = Told(chosen=False, assessment=OK, installation=OK, pending=3)
    assert complaints(told, truth, [LOOK, msgspec.structs.replace(INSTALL, changed=frozenset())]) == [
        "its installation was not asked for and the app says it ended as Succeeded",
        "1 installations of ours were accepted instead of 0",
    ]


def test_touching_or_counting_a_machine_that_cannot_be_reached_is_named() -> None:
    assert complaints(msgspec.structs.replace(SKIPPED, pending=3), SKIPPED_TRUTH, [LOOK]) == [
        "it was never looked at and the app says 3 updates are pending",
        "it cannot be reached and 1 operations of ours were accepted",
    ]
