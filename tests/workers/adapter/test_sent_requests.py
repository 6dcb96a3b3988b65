from __future__ import annotations

import pytest

from foxtrot_workers.adapter import sent_requests
from foxtrot_workers.adapter.sent_requests import SentRequests


def test_an_id_stands_for_the_topics_of_its_request_once() -> None:
    sent = SentRequests()
    assert [sent.subscribe(["a", "b"]), sent.unsubscribe(["c"])] == [1, 2]
    assert sent.take("1") == ("a", "b")
    assert sent.take(1) == ()
    assert sent.take(2) == ("c",)


@pytest.mark.parametrize("request_id", [None, "", "x", "-1", "1.0", "²", 7, "9" * 5000])
def test_an_unknown_id_stands_for_nothing(request_id: str | int | None) -> None:
    sent = SentRequests()
    sent.subscribe(["a"])
    assert sent.take(request_id) == ()


def test_a_topic_that_was_subscribed_again_has_not_left() -> None:
    sent = SentRequests()
    sent.unsubscribe(["a", "b"])
    sent.subscribe(["a"])
    assert not sent.has_left("a")
    assert sent.has_left("b")
    assert not sent.has_left("b")
    assert not sent.has_left("never")


def test_the_oldest_request_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent_requests, "REQUESTS_MAX", 2)
    sent = SentRequests()
    for wire in ("a", "b", "c"):
        sent.subscribe([wire])
    assert [sent.take(number) for number in (1, 2, 3)] == [(), ("b",), ("c",)]


def test_an_answer_without_an_id_is_of_the_oldest_request() -> None:
    sent = SentRequests()
    assert sent.take_oldest() == ()
    sent.subscribe(["a"])
    second = sent.subscribe(["b"])
    assert sent.take_oldest() == ("a",)
    assert sent.take(second) == ("b",)
    assert sent.take_oldest() == ()
