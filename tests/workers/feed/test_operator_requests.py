"""Requests wait for an answer about every topic, for a limited time."""

from __future__ import annotations

import pytest

from foxtrot_workers.feed import operator_requests
from foxtrot_workers.feed.effects import Answer
from foxtrot_workers.feed.operator_requests import OperatorRequests


def test_a_request_is_answered_when_all_its_topics_are() -> None:
    requests = OperatorRequests(10.0)
    assert requests.add(1, {"a", "b"}, 0.0)
    requests.answered("a")
    assert requests.take_complete() == []
    requests.answered("b", "no such symbol")
    assert requests.take_complete() == [Answer(1, "b: no such symbol")]
    assert requests.take_complete() == []


def test_a_request_without_topics_is_complete_at_once() -> None:
    requests = OperatorRequests(10.0)
    requests.add(1, set(), 0.0)
    assert requests.take_complete() == [Answer(1, "")]


def test_a_request_without_an_answer_expires() -> None:
    requests = OperatorRequests(10.0)
    requests.add(1, {"b", "a"}, 0.0)
    requests.expire(9.9)
    assert requests.take_complete() == []
    requests.expire(10.0)
    assert requests.take_complete() == [Answer(1, "no answer from the exchange for a, b")]


def test_waiting_requests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator_requests, "REQUESTS_MAX", 1)
    requests = OperatorRequests(10.0)
    assert requests.add(1, {"a"}, 0.0)
    assert not requests.add(2, {"b"}, 0.0)


def test_an_answer_about_another_topic_changes_nothing() -> None:
    requests = OperatorRequests(10.0)
    requests.add(1, {"a"}, 0.0)
    requests.add(2, {"b"}, 0.0)
    requests.answered("b")
    assert requests.take_complete() == [Answer(2, "")]
