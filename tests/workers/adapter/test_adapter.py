from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest

from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.limits import Limits, Topic
from foxtrot_workers.adapter.notices import UnrecognizedFrame


class Least(Adapter):
    """Only what an adapter must bring."""

    name: ClassVar[str] = "least"
    exchange: ClassVar[str] = "LEAST"
    channels: ClassVar[frozenset[str]] = frozenset({"trade"})
    url: ClassVar[str] = "wss://example.org"
    rest_url: ClassVar[str] = "https://example.org"
    limits: ClassVar[Limits] = Limits(silence_s=10.0)

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        return []

    def address(self, base: str) -> str:
        return base

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        return []

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        return []

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        raise UnrecognizedFrame("anything")


def test_defaults_of_optional_methods() -> None:
    adapter = Least()
    assert not adapter.adopt
    assert (adapter.notices, adapter.last_data_ns) == ([], {})
    assert adapter.opening() == []
    out: list[MarketEvent[str]] = []
    adapter.on_rest("/path", 200, b"{}", 1, out)
    assert out == []
    assert adapter.notices == []
    assert adapter.instruments_path(["BTCUSDT"]) is None
    assert adapter.instruments(b"{}") == {}
    assert adapter.instrument("BTCUSDT") == "BTCUSDT"
    assert adapter.hosts == frozenset()
    assert adapter.parse_burst([b"1", b"2"], 0, 2, 1, out) == 0, "every frame is left to `parse`"
    assert adapter.backfill_request("BTCUSDT", "eTrade.", 1, 5) is None


def test_each_instance_has_its_own_state() -> None:
    first, second = Least(), Least(adopt=True)
    first.last_data_ns["x"] = 1
    assert second.last_data_ns == {}
    assert second.adopt


def test_an_adapter_without_a_parser_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Adapter()  # type: ignore[abstract] # that it cannot be made is what is tested


def test_an_unrecognized_message_names_its_kind_briefly() -> None:
    error = UnrecognizedFrame("k" * 10_000)
    assert error.kind == "k" * 200
    assert len(str(error)) < 300


def test_what_an_exchange_does_not_offer_has_no_request_and_no_answer() -> None:
    adapter = Least()
    topic = Topic("trade", "BTCUSDT", "btcusdt@trade")
    assert adapter.access_request() is None
    assert adapter.liveness_request(topic) is None
    assert adapter.list_paths() == []
    assert adapter.listed(b"{}") == []
    assert adapter.next_list_path("/list", b"{}") is None
    assert adapter.connection_limits() is adapter.limits
    for answer in (
        lambda: adapter.on_access("wss://host", b"{}"),
        lambda: adapter.on_backfill("/past", b"{}", 1),
        lambda: adapter.liveness_token(topic, b"{}"),
    ):
        with pytest.raises(NotImplementedError):
            answer()
