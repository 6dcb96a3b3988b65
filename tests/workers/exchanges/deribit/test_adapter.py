from __future__ import annotations

from typing import Any

import pytest

from foxtrot_workers.adapter import CloseAnnounced, SendText, Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.deribit import adapter as deribit
from foxtrot_workers.exchanges.deribit.adapter import Deribit
from foxtrot_workers.exchanges.deribit.requests import opening_texts
from foxtrot_workers.testing.conformance import check_adapter
from tests.workers.exchanges.deribit.samples import INSTRUMENT, QUOTE, SAMPLES, frame
from tests.workers.exchanges.driven import Driven
from tests.workers.exchanges.references import needs_references, single_frames


def test_it_conforms() -> None:
    check_adapter(Deribit, SAMPLES)


def test_channels_that_share_a_topic_have_wire_names_of_their_own() -> None:
    assert Deribit().topics(["ticker", "funding"], [INSTRUMENT, INSTRUMENT]) == [
        Topic("ticker", INSTRUMENT, "ticker.BTC-PERPETUAL.100ms"),
        Topic("funding", INSTRUMENT, "ticker.BTC-PERPETUAL.100ms#funding"),
    ]


@pytest.mark.parametrize(
    ("channels", "symbols"),
    [(["nope"], [INSTRUMENT]), (["book", "book20"], [INSTRUMENT]), (["trade"], [""]), (["trade"], ["BTC.X"])],
)
def test_impossible_topics_are_refused(channels: list[str], symbols: list[str]) -> None:
    with pytest.raises(ValueError, match=r"channel|only one|cannot be an instrument"):
        Deribit().topics(channels, symbols)


def test_heartbeats_are_taken_and_tests_answered() -> None:
    wire = Driven(Deribit)
    assert wire.adapter.opening() == opening_texts()
    wire.parse('{"jsonrpc": "2.0", "id": 0, "result": "ok"}')
    wire.parse('{"jsonrpc": "2.0", "id": 0, "result": ["platform_state"]}')
    wire.parse('{"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "heartbeat"}}')
    assert wire.take_notices() == []
    wire.parse('{"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}}')
    wire.parse('{"jsonrpc":"2.0","id":0,"result":{"version":"1.2.26"},"usIn":1,"usOut":2,"usDiff":1,"testnet":false}')
    assert wire.take_notices() == [SendText('{"jsonrpc":"2.0","id":0,"method":"public/test","params":{}}')]


def test_maintenance_announces_the_close() -> None:
    wire = Driven(Deribit)
    wire.parse(frame("platform_state", {"price_index": "btc_usd", "locked": True}))
    assert wire.take_notices() == []
    wire.parse(frame("platform_state", {"maintenance": True}))
    assert wire.take_notices() == [CloseAnnounced("maintenance")]


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"method": "subscription"},
        {"method": "subscription", "params": {"channel": "deribit_volatility_index.btc_usd", "data": {}}},
        {"method": "subscription", "params": {"data": []}},
        {"id": 7, "result": "ok"},
        {"id": 0, "error": {"code": 11050, "message": "bad_request"}},
    ],
)
def test_an_unknown_message_is_unrecognized_even_in_replay(message: dict[str, Any]) -> None:
    with pytest.raises(UnrecognizedFrame):
        Driven(Deribit, adopt=True).parse(message)


def test_a_topic_that_was_not_subscribed_is_unrecognized() -> None:
    with pytest.raises(UnrecognizedFrame, match="quote"):
        Driven(Deribit, ["trade"], [INSTRUMENT]).parse(frame("quote.BTC-PERPETUAL", QUOTE))


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deribit, "ADOPTED_MAX", 1)
    wire = Driven(Deribit, adopt=True)
    wire.parse(frame("quote.BTC-PERPETUAL", QUOTE))
    with pytest.raises(UnrecognizedFrame):
        wire.parse(frame("quote.ETH-PERPETUAL", QUOTE))


def test_an_unsubscribed_topic_is_forgotten() -> None:
    wire = Driven(Deribit, ["quote"], [INSTRUMENT])
    wire.parse(frame("quote.BTC-PERPETUAL", QUOTE))
    wire.adapter.unsubscribe(wire.topics)
    wire.parse({"jsonrpc": "2.0", "id": 2, "result": ["quote.BTC-PERPETUAL"]})
    assert wire.adapter.last_data_ns == {}
    with pytest.raises(UnrecognizedFrame):
        wire.parse(frame("quote.BTC-PERPETUAL", QUOTE))


def test_the_rule_for_books_depends_on_the_channel() -> None:
    assert Deribit().identity_rules(["book"])["eBook."] == "chained"
    assert Deribit().identity_rules(["book20"])["eBook."] == "latest"


WITHOUT_EVENTS = {
    "ws_error": "a refusal",
    "ws_subscribe_response": "an acknowledgement",
    "ws_test_request": "a heartbeat, which is answered",
    "ws_book_delta": "a change without the snapshot before it: a gap",
    "ws_volatility_index": "the volatility index is no instrument, and not offered",
}


@needs_references
def test_every_single_frame_means_what_its_name_says() -> None:
    kinds: dict[str, set[str]] = {}
    for name, raw in single_frames("deribit"):
        wire = Driven(Deribit, adopt=True)
        try:
            kinds[name] = {type(event).__name__ for event in wire.parse(raw)}
        except UnrecognizedFrame:
            kinds[name] = set()
    assert {name for name, events in kinds.items() if not events - {"Gap"}} == set(WITHOUT_EVENTS)
    assert kinds["ws_book_grouped_snapshot"] == kinds["ws_book_snapshot"] == {"BookSnapshot"}
    assert kinds["ws_chart"] == {"Bar"}
    assert kinds["ws_quote"] == {"Quote"}
    assert kinds["ws_ticker"] == {"Ticker", "MarkPrice", "OpenInterest", "Funding"}
    assert kinds["ws_trades"] == kinds["ws_trades_option_combo"] == {"Trade"}


def test_two_answers_about_a_topic_differ_if_there_is_news() -> None:
    adapter = Deribit()
    (book,) = adapter.topics(["book"], [INSTRUMENT])
    tokens = [adapter.liveness_token(book, b'{"result":{"change_id":%d}}' % number) for number in (5, 5, 6)]
    assert tokens[0] == tokens[1] != tokens[2]
