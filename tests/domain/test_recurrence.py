"""The `recurEvery` grammar: what is taken, what it means, and what is refused with which code and fix."""

import pytest

from shared.domain.errors import RequestError
from shared.domain.recurrence import AZURE, FLEET, LONGEST_TEXT, Limits, Rule, Unit, read_rule

AT = "properties.maintenanceWindow.recurEvery"
MON, TUE, WED, THU, FRI, SAT, SUN = range(7)

# From the specification, the documentation and public templates.
TAKEN = [
    ("Day", Rule(unit=Unit.DAY)),
    ("day", Rule(unit=Unit.DAY)),
    ("1Day", Rule(unit=Unit.DAY)),
    ("3Days", Rule(unit=Unit.DAY, every=3)),
    ("20days", Rule(unit=Unit.DAY, every=20)),
    ("35Days", Rule(unit=Unit.DAY, every=35)),
    ("6Hours", Rule(unit=Unit.HOUR, every=6)),
    ("6Hour", Rule(unit=Unit.HOUR, every=6)),
    ("12Hours", Rule(unit=Unit.HOUR, every=12)),
    ("35hours", Rule(unit=Unit.HOUR, every=35)),
    ("Week", Rule(unit=Unit.WEEK)),
    ("3Weeks", Rule(unit=Unit.WEEK, every=3)),
    ("1Week Monday", Rule(unit=Unit.WEEK, weekdays=(MON,))),
    ("Week Saturday,Sunday", Rule(unit=Unit.WEEK, weekdays=(SAT, SUN))),
    ("2Weeks Saturday, Sunday", Rule(unit=Unit.WEEK, every=2, weekdays=(SAT, SUN))),
    (
        "week sunday , TUESDAY,Wednesday,sunday,thursday,friday",
        Rule(unit=Unit.WEEK, weekdays=(TUE, WED, THU, FRI, SUN)),
    ),
    ("2Months day1", Rule(unit=Unit.MONTH, every=2, days=(1,))),
    ("Month day23,day24", Rule(unit=Unit.MONTH, days=(23, 24))),
    ("Month day15,day-1", Rule(unit=Unit.MONTH, days=(-1, 15))),
    ("Month day31, day31", Rule(unit=Unit.MONTH, days=(31,))),
    ("Month Third Sunday", Rule(unit=Unit.MONTH, nth=3, weekdays=(SUN,))),
    ("Month Fourth Monday", Rule(unit=Unit.MONTH, nth=4, weekdays=(MON,))),
    ("Month Second Tuesday Offset4", Rule(unit=Unit.MONTH, nth=2, weekdays=(TUE,), offset=4)),
    ("1Month Second Tuesday Offset2", Rule(unit=Unit.MONTH, nth=2, weekdays=(TUE,), offset=2)),
    ("Month Last Sunday Offset-3", Rule(unit=Unit.MONTH, nth=-1, weekdays=(SUN,), offset=-3)),
    ("Month Third Sunday Offset6", Rule(unit=Unit.MONTH, nth=3, weekdays=(SUN,), offset=6)),
    ("  3months  first  FRIDAY  offset+1 ", Rule(unit=Unit.MONTH, every=3, nth=1, weekdays=(FRI,), offset=1)),
    ("Month First Friday Offset0", Rule(unit=Unit.MONTH, nth=1, weekdays=(FRI,))),
]

# The text, and what the sentence must name.
REFUSED = [
    ("", "is not a recurrence"),
    ("Daily", "is not a recurrence"),
    ("Year", "is not a recurrence"),
    ("3 Days", "is not a recurrence"),
    ("-1Day", "is not a recurrence"),
    ("1.5Days", "is not a recurrence"),
    ("٣Days", "is not a recurrence"),
    ("Days3", "is not a recurrence"),
    ("DayMonday", "is not a recurrence"),
    ("99999Days", "is not a recurrence"),
    ("Month " + ",".join(["day1"] * 80), "is not a recurrence"),
    ("0Days", "0 Days are out of range; 1 to 35"),
    ("36Days", "36 Days are out of range; 1 to 35"),
    ("36Weeks", "36 Weeks are out of range"),
    ("36Months day1", "36 Months are out of range"),
    ("Hour", "1 Hours are out of range; 6 to 35 Hours may lie between two windows; from 1 with properties.fleet"),
    ("5Hours", "6 to 35"),
    ("36Hours", "6 to 35"),
    ("Day Monday", "'monday' has no meaning after Day"),
    ("6Hours day1", "'day1' has no meaning after Hour"),
    ("Week Mon", "'mon' is not a weekday"),
    ("Week Monday Tuesday", "'monday tuesday' is not a weekday"),
    ("Week Monday,", "'' is not a weekday"),
    ("Week day1", "'day1' is not a weekday"),
    ("Month", "Monthly maintenance window is missing day of month or week of month"),
    ("2Months", "Monthly maintenance window is missing day of month or week of month"),
    ("Month Monday", "neither a list of days nor a weekday"),
    ("Month Fifth Monday", "neither a list of days nor a weekday"),
    ("Month 2nd Tuesday", "neither a list of days nor a weekday"),
    ("Month Second", "neither a list of days nor a weekday"),
    ("Month Second Day", "'day' is not a weekday"),
    ("Month Second Tuesday Offset 4", "neither a list of days nor a weekday"),
    ("Month Second Tuesday,Third Tuesday", "'tuesday' is not an offset"),
    ("Month Second Tuesday +4", "'+4' is not an offset; write it like Offset4"),
    ("Month Second Tuesday Offset", "'offset' is not an offset"),
    ("Month Second Tuesday Offset7", "Offset7 is out of range; use -6 to 6 days, or -31 to 31 with properties.fleet"),
    ("Month Second Tuesday Offset-7", "Offset-7 is out of range"),
    ("Month day0", "'day0' is not a day of a month"),
    ("Month day32", "'day32' is not a day of a month"),
    ("Month day-2", "'day-2' is not a day of a month"),
    ("Month day1,15", "'15' is not a day of a month"),
    ("Month day1 Offset2", "'day1 offset2' is not a day of a month"),
    ("Month day1,Second Tuesday", "'second tuesday' is not a day of a month"),
]


def refusal(text: str, limits: Limits) -> RequestError:
    with pytest.raises(RequestError) as refused:
        read_rule(text, limits, AT)
    return refused.value


@pytest.mark.parametrize(("text", "rule"), TAKEN)
def test_what_azure_takes(text: str, rule: Rule) -> None:
    assert read_rule(text, AZURE, AT) == rule
    assert read_rule(text, FLEET, AT) == rule


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_what_azure_refuses(text: str, said: str) -> None:
    error = refusal(text, AZURE)
    assert (error.status, error.code, error.target) == (400, "InvalidMaintenanceWindow", AT)
    assert error.message.startswith("Invalid maintenance window. Error: ")
    assert said in error.message


@pytest.mark.parametrize("hours", range(1, 6))
def test_hours_below_six_are_ours(hours: int) -> None:
    assert read_rule(f"{hours}Hours", FLEET, AT) == Rule(unit=Unit.HOUR, every=hours)
    assert "with properties.fleet" in refusal(f"{hours}Hours", AZURE).message


@pytest.mark.parametrize("offset", [-31, -7, 7, 31])
def test_offsets_beyond_six_are_ours(offset: int) -> None:
    text = f"Month Second Tuesday Offset{offset}"
    assert read_rule(text, FLEET, AT).offset == offset
    assert "with properties.fleet" in refusal(text, AZURE).message


@pytest.mark.parametrize("text", ["Month Second Tuesday Offset32", "0Hours", "36Hours", "Month", "Month Last Day"])
def test_the_wider_limits_end_too(text: str) -> None:
    error = refusal(text, FLEET)
    assert error.code == "InvalidMaintenanceWindow"
    assert "properties.fleet" not in error.message


def test_every_day_written_out_fits() -> None:
    text = "Month " + ", ".join(f"day{day}" for day in (*range(1, 32), -1))
    assert len(text) <= LONGEST_TEXT
    assert read_rule(text, AZURE, AT).days == (-1, *range(1, 32))
