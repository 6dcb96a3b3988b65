from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from foxtrot_workers.simulator.server.subscriptions import Subscriptions


def _peer(number: int) -> Any:
    return SimpleNamespace(number=number)


def test_the_subscribers_of_a_stream_in_the_order_of_subscription() -> None:
    subscriptions = Subscriptions()
    one, two = _peer(1), _peer(2)
    subscriptions.open(one)
    subscriptions.open(two)
    assert not subscriptions.any.is_set()
    assert subscriptions.update(two, frozenset({"a"}))
    assert subscriptions.update(one, frozenset({"a", "b"}))
    assert subscriptions.peers == {"a": [two, one], "b": [one]}
    assert subscriptions.any.is_set()
    assert not subscriptions.update(one, frozenset({"b", "a"})), "nothing has changed"


def test_streams_without_subscribers_are_forgotten() -> None:
    subscriptions = Subscriptions()
    one, two = _peer(1), _peer(2)
    for peer in (one, two):
        subscriptions.open(peer)
        subscriptions.update(peer, frozenset({"a"}))
    subscriptions.clear(one)
    assert subscriptions.peers == {"a": [two]}
    subscriptions.close(two)
    assert subscriptions.peers == {}
    assert not subscriptions.any.is_set()
    subscriptions.clear(_peer(3))
    subscriptions.close(_peer(3))
