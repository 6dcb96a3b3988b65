from __future__ import annotations

import pytest

from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter import route_table
from foxtrot_workers.adapter.route_table import RouteTable


def _parse(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
    raise AssertionError


def _parse_other(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
    raise AssertionError


def test_a_parser_is_found_by_topic_and_by_each_key() -> None:
    routes = RouteTable()
    routes.add("a", _parse, b"one", b"two")
    routes.add("b", _parse_other)
    routes.learn(b"three", "b")
    assert len(routes) == 2
    assert "a" in routes
    assert "c" not in routes
    assert routes.get("a") is _parse
    assert routes.get("c") is None
    assert routes.by_key == {b"one": _parse, b"two": _parse, b"three": _parse_other}


def test_a_removed_topic_takes_its_keys_with_it() -> None:
    routes = RouteTable()
    routes.add("a", _parse, b"one")
    routes.add("b", _parse_other, b"two")
    routes.remove("a")
    routes.remove("never added")
    assert routes.by_key == {b"two": _parse_other}
    assert "a" not in routes


def test_a_known_key_keeps_its_topic() -> None:
    routes = RouteTable()
    routes.add("a", _parse, b"one")
    routes.add("b", _parse_other)
    routes.learn(b"one", "b")
    routes.remove("b")
    assert routes.by_key == {b"one": _parse}


def test_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_table, "SPELLINGS_MAX", 2)
    routes = RouteTable()
    routes.add("a", _parse)
    for number in range(5):
        routes.learn(b"%d" % number, "a")
    assert len(routes.by_key) == 2
