"""Problems of topics: the rules of `doctor` and `status`."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_supervisor.report.topic_problems import (
    DATA_OLD_BAD_S,
    DATA_OLD_WATCH_S,
    INVALID_BAD_S,
    OLD_SLACK_S,
    UNANSWERED_BAD_S,
    topic_problems,
)


def topic(state: str, **facts: Any) -> dict[str, Any]:
    return {"topic": "btc@book", "state": state, "age_s": None, "since_s": 0.0, "limit_s": None, "reason": "", **facts}


@pytest.mark.parametrize(
    ("facts", "severity", "what"),
    [
        (topic("flowing", age_s=900.0), "", ""),
        (topic("flowing", age_s=30.0 + OLD_SLACK_S, limit_s=30.0), "", ""),
        (topic("flowing", age_s=50.0, limit_s=30.0), "bad", "btc@book is flowing, but its data are 50 s old"),
        (topic("acknowledged", since_s=50.0), "", ""),
        (topic("silent"), "bad", "btc@book is acknowledged but silent"),
        (topic("stale", age_s=31.0), "bad", "btc@book is stale: its data are 31 s old"),
        (topic("stale"), "bad", "btc@book is stale"),
        (topic("invalid", final=True), "bad", "btc@book is refused for good"),
        (topic("invalid", since_s=INVALID_BAD_S - 1), "watch", "btc@book is invalid for 9 s"),
        (topic("invalid", since_s=INVALID_BAD_S), "bad", "btc@book is invalid for 10 s"),
        (topic("gap"), "watch", "btc@book has a gap"),
        (topic("maintenance"), "watch", "btc@book waits for the exchange"),
        (topic("demoted"), "", ""),
        (topic("asked", since_s=UNANSWERED_BAD_S - 1), "", ""),
        (topic("asked", since_s=UNANSWERED_BAD_S), "bad", "btc@book is not acknowledged for 30 s"),
        ({"topic": "t", "state": "stale"}, "bad", "t is stale"),
    ],
)
def test_each_state_that_is_a_problem(facts: dict[str, Any], severity: str, what: str) -> None:
    found = [(problem.severity, problem.what) for problem in topic_problems({"topics": [facts]})]
    assert found == ([(severity, what)] if severity else [])


def test_a_problem_has_its_reason() -> None:
    (problem,) = topic_problems({"topics": [topic("invalid", final=True, reason="60018: doesn't exist")]})
    assert problem.reason == "60018: doesn't exist"


@pytest.mark.parametrize(
    ("state", "age_s", "severities"),
    [
        ("RUNNING", DATA_OLD_WATCH_S - 1, []),
        ("RUNNING", DATA_OLD_WATCH_S, ["watch"]),
        ("RUNNING", DATA_OLD_BAD_S, ["bad"]),
        ("RUNNING", None, []),
        ("BACKOFF", DATA_OLD_BAD_S, []),
    ],
)
def test_the_age_of_a_whole_connection(state: str, age_s: float | None, severities: list[str]) -> None:
    found = topic_problems({"topics": [], "state": state, "last_data_age_s": age_s})
    assert [problem.severity for problem in found] == severities


def test_a_worker_that_an_operator_has_stopped_has_no_problem() -> None:
    stale = [{"topic": "trade.X", "state": "stale"}]
    assert len(list(topic_problems({"topics": stale, "state": "STOPPED"}))) == 1
    assert not list(topic_problems({"topics": stale, "state": "STOPPED", "stopped_by_operator": True}))
