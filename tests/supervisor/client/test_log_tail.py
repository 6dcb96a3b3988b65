"""The cursor of a reader of the log, over gaps and runs."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from foxtrot_protocol.control import LogsRequest
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.client.log_tail import LogTail, parse_since

LINE = {"event": "one"}


def answer(**more: Any) -> dict[str, Any]:
    return {
        "run_id": "r1",
        "lines": [LINE],
        "next": 1,
        "missed": 0,
        "first_seq": 1,
        "first_at_ns": 5,
        "more": False,
    } | more


def test_each_request_begins_where_the_last_answer_ended() -> None:
    tail = LogTail("sim.a", "warning", 3)
    assert tail.more
    assert tail.request(2.0) == LogsRequest(0, "sim.a", "warning", 3, 2.0)
    assert tail.take(answer(next=7)) == [LINE]
    assert not tail.more
    assert tail.notices == []
    assert tail.request().after == 7


def test_lines_that_were_missed_are_reported() -> None:
    tail = LogTail()
    tail.take(answer(first_seq=10))
    assert tail.notices == ["9 earlier lines have fallen out of the supervisor's memory"]
    tail.take(answer(missed=4))
    assert tail.notices == ["4 lines fell out of the supervisor's memory before they were read"]


@pytest.mark.parametrize(("since_ns", "notices"), [(4, 1), (6, 0)])
def test_earlier_lines_matter_only_if_they_were_asked_for(since_ns: int, notices: int) -> None:
    tail = LogTail(since_ns=since_ns)
    tail.take(answer(first_seq=10))
    assert len(tail.notices) == notices


def test_a_new_run_is_read_from_its_first_line() -> None:
    tail = LogTail()
    tail.take(answer(next=7))
    assert tail.take(answer(run_id="r2", next=9)) == []
    assert (tail.notices, tail.more, tail.request().after) == (["a new run begins"], True, 0)
    assert tail.take(answer(run_id="r2", next=9)) == [LINE]
    assert tail.request().after == 9


@pytest.mark.parametrize("wrong", [{}, answer(lines=None), answer(next="x")])
def test_other_answers_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        LogTail().take(wrong)


NOW = datetime.datetime(2026, 11, 30, 12, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", "2026-11-30T10:58:30+00:00"),
        ("5m", "2026-11-30T10:55:00+00:00"),
        ("1.5h", "2026-11-30T09:30:00+00:00"),
        ("1d", "2026-11-29T11:00:00+00:00"),
        ("2026-11-30T11:00", "2026-11-30T10:00:00+00:00"),
        ("2026-11-30T11:00:00Z", "2026-11-30T11:00:00+00:00"),
        ("09:15", "2026-11-30T08:15:00+00:00"),
        ("09:15:30", "2026-11-30T08:15:30+00:00"),
        ("2026-11-30", "2026-11-29T23:00:00+00:00"),
    ],
)
def test_times(text: str, at: str) -> None:
    assert parse_since(text, NOW) == int(datetime.datetime.fromisoformat(at).timestamp() * 1e9)


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 weeks", "yesterday", "25:00", "9e99d"])
def test_what_is_no_time_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_since(text, NOW)


def test_a_long_time_ago_is_the_beginning() -> None:
    assert parse_since("99999999d", NOW) == 0
