from __future__ import annotations

import pytest

from foxtrot_workers.adapter import Acknowledged, Refused, Retry
from foxtrot_workers.adapter import listed_subscriptions as module
from foxtrot_workers.adapter.listed_subscriptions import ListedSubscriptions


def later(reason: str) -> Retry:
    return "later"


def test_what_is_new_in_a_list_is_acknowledged_and_what_is_gone_has_ended() -> None:
    known = ListedSubscriptions()
    known.subscribe(["t:A", "t:B"])
    assert known.take_list({"t:A", "t:X"}) == [Acknowledged(("t:A",))]
    assert known.take_list({"t:A", "t:B"}) == [Acknowledged(("t:B",))]
    known.unsubscribe(["t:A"])
    assert known.wanted_symbols() == {"B"}
    assert known.take_list({"t:A", "t:B"}) == []
    assert known.take_list({"t:B"}) == [Acknowledged(("t:A",), subscribed=False)]
    assert known.take_list({"t:B"}) == []


def test_a_topic_that_is_subscribed_again_is_acknowledged_again() -> None:
    known = ListedSubscriptions()
    known.subscribe(["t:A"])
    known.take_list({"t:A"})
    known.unsubscribe(["t:A"])
    known.subscribe(["t:A"])
    assert known.take_list(set()) == []
    assert known.take_list({"t:A"}) == [Acknowledged(("t:A",))]


def test_a_refusal_is_of_the_oldest_request_or_of_the_one_that_it_names() -> None:
    known = ListedSubscriptions()
    known.subscribe(["t:A", "t:B"])
    known.subscribe(["b:A", "b:C"])
    assert known.take_refusal("'C', no such thing", later) == [
        Refused(("b:C",), "'C', no such thing"),
        Refused(("b:A",), "refused together with b:C", "now"),
    ]
    assert known.take_refusal("no", later) == [Refused(("t:A", "t:B"), "no", exact=False)]
    assert known.take_refusal("no", later) == [Refused((), "no", exact=False)]


def test_an_acknowledged_request_is_not_refused() -> None:
    known = ListedSubscriptions()
    known.subscribe(["t:A"])
    known.subscribe(["t:B"])
    known.take_list({"t:A"})
    assert known.take_refusal("no", later) == [Refused(("t:B",), "no", exact=False)]


def test_remembered_requests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUESTS_MAX", 2)
    known = ListedSubscriptions()
    for number in range(3):
        known.subscribe([f"t:{number}"])
    assert known.take_refusal("no", later) == [Refused(("t:1",), "no", exact=False)]


def test_a_refusal_that_names_every_topic_of_its_request_refuses_no_other() -> None:
    known = ListedSubscriptions()
    known.subscribe(["t:A", "b:A"])
    assert known.take_refusal("'A', no such thing", later) == [Refused(("t:A", "b:A"), "'A', no such thing", "later")]
