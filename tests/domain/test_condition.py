"""If-Match and If-None-Match, judged against the ETag that a resource has now."""

import pytest

from shared.domain.condition import Condition, check, is_known
from shared.domain.errors import RequestError

ETAG = "W/\"datetime'2026-03-14T22%3A00%3A00.1234567Z'\""
STRONG = ETAG.removeprefix("W/")


@pytest.mark.parametrize("header", ["", ETAG, STRONG, "*", f'"other", {ETAG}'])
def test_a_change_of_what_was_read_is_allowed(header: str) -> None:
    check(Condition(if_match=header), ETAG)


@pytest.mark.parametrize(("header", "etag"), [('"other"', ETAG), ("*", ""), (ETAG, ""), ('W/""', ETAG)])
def test_a_change_of_something_else_is_refused(header: str, etag: str) -> None:
    with pytest.raises(RequestError) as refused:
        check(Condition(if_match=header), etag)
    assert (refused.value.status, refused.value.target) == (412, "If-Match")


def test_create_only_is_refused_where_there_is_one() -> None:
    check(Condition(if_none_match="*"), "")
    with pytest.raises(RequestError) as refused:
        check(Condition(if_none_match="*"), ETAG)
    assert (refused.value.status, refused.value.code) == (412, "PreconditionFailed")


def test_a_reader_who_has_it_is_told_so() -> None:
    assert is_known(Condition(if_none_match=STRONG), ETAG)
    assert not is_known(Condition(if_none_match='"other"'), ETAG)
    assert not is_known(Condition(), ETAG)
