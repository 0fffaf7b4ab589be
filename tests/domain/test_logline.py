"""One line, and every value inside its own place, whatever somebody wrote into it."""

import pytest

from shared.domain.logline import logline


def test_facts_follow_what_happened() -> None:
    assert logline("run closed", run="r-1", machines=3) == "run closed run=r-1 machines=3"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, '""'),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "x"', '"say \\"x\\""'),
        ("a\nlevel=info forged", '"a\\nlevel=info forged"'),
        ("a\u2028b", '"a\\u2028b"'),
        ("a\x85b", '"a\\u0085b"'),
        ("\ud800", '"?"'),
        ("Größe", "Größe"),
        (ValueError("no: never"), '"no: never"'),
    ],
)
def test_a_value_cannot_leave_its_place(value: object, written: str) -> None:
    line = logline("x", key=value)
    assert line == f"x key={written}"
    assert len(line.splitlines()) == 1
