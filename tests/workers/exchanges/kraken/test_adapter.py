from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import Bar, BookDelta, BookSnapshot, Quote, Ticker, Trade
from foxtrot_workers.adapter import Acknowledged, Pong, Refused, Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.kraken import routes
from foxtrot_workers.exchanges.kraken.adapter import Kraken
from foxtrot_workers.testing.conformance import check_adapter, feed_anything
from tests.workers.exchanges.connection import replaying
from tests.workers.exchanges.kraken.samples import (
    BACKFILLS,
    PAIR,
    SAMPLES,
    answer,
    connection,
    frame,
    ticker_row,
    trade_row,
)
from tests.workers.exchanges.references import needs_references, recorded_frames, sheet_lines, single_frames


def test_it_conforms() -> None:
    check_adapter(Kraken, SAMPLES, backfills=BACKFILLS)


def test_wire_names_have_channel_parameter_and_symbol() -> None:
    topics = Kraken().topics(["trade", "book10", "bar_5m", "quote"], [PAIR])
    assert [topic.wire for topic in topics] == [
        "trade:BTC/USD",
        "book-10:BTC/USD",
        "ohlc-5:BTC/USD",
        "ticker-bbo:BTC/USD",
    ]
    assert Kraken().topics(["trade"], ["AAPLx/USD"]) == [Topic("trade", "AAPLx/USD", "trade:AAPLx/USD")]


@pytest.mark.parametrize(
    ("channels", "symbols", "reason"),
    [
        (["nope"], [PAIR], "no channel"),
        (["book", "book10"], [PAIR], "only one of"),
        (["quote", "ticker"], [PAIR], "one stream"),
        (["trade"], [""], "cannot be a symbol"),
        (["trade"], ["A:B"], "cannot be a symbol"),
        (["trade"], ["A" * 65], "cannot be a symbol"),
    ],
)
def test_impossible_topics_are_refused(channels: list[str], symbols: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Kraken().topics(channels, symbols)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"channel": "level3", "type": "snapshot", "data": []},
        {"channel": "instrument", "type": "snapshot", "data": {}},
        {"method": "add_order"},
        {"event": "heartbeat"},
        [1, [], "trade", "XBT/USD"],
    ],
)
def test_an_unknown_message_is_unrecognized(message: Any) -> None:
    with pytest.raises(UnrecognizedFrame):
        connection("trade").parse(message)


def test_heartbeats_and_states_of_the_system_are_no_data() -> None:
    wire = connection("trade")
    assert wire.parse(b'{"channel":"heartbeat"}') == []
    assert wire.parse({"channel": "status", "type": "update", "data": [{"system": "maintenance"}]}) == []
    assert wire.take_notices() == []
    assert wire.adapter.last_data_ns == {}


def test_pongs_and_the_limit_of_the_rate_are_notices() -> None:
    wire = connection("trade")
    wire.parse({"method": "pong", "req_id": 42})
    wire.parse({"Error": "Exceeded msg rate"})
    assert wire.take_notices() == [Pong(), Refused((), "Exceeded msg rate", "later", exact=False)]


def test_frames_are_accepted_until_the_unsubscription_is_acknowledged() -> None:
    wire = connection("trade")
    trade = frame("trade", "update", trade_row())
    wire.adapter.unsubscribe(wire.topics)
    assert len(wire.parse(trade)) == 1
    wire.parse(answer("unsubscribe", result={"channel": "trade", "symbol": PAIR}, req_id=2))
    assert wire.take_notices() == [Acknowledged(("trade:BTC/USD",), subscribed=False)]
    with pytest.raises(UnrecognizedFrame):
        wire.parse(trade)
    assert wire.adapter.last_data_ns == {}


def test_frames_in_another_spelling_mean_the_same() -> None:
    for sample in SAMPLES:
        expected = connection(sample.channel).parse(sample.frame)
        turned = b'{"type":%b,%b' % (sample.frame.split(b'"type":')[1].split(b",")[0], sample.frame[1:])
        assert connection(sample.channel).parse(msgspec.json.format(sample.frame, indent=2)) == expected
        assert connection(sample.channel).parse(turned) == expected


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "ADOPTED_MAX", 2)
    wire = replaying(Kraken)
    for pair in ("A/B", "C/D"):
        wire.parse(frame("trade", "update", trade_row(pair=pair)))
    with pytest.raises(UnrecognizedFrame):
        wire.parse(frame("trade", "update", trade_row(pair="E/F")))


def test_a_frame_about_an_unknown_pair_has_no_effect_at_all() -> None:
    wire = connection("trade")
    with pytest.raises(UnrecognizedFrame):
        wire.parse(frame("trade", "update", trade_row(), trade_row(pair="ETH/USD")))
    assert wire.adapter.last_data_ns == {}


EXPECTED: dict[str, list[type]] = {
    "ws_book_snapshot": [BookSnapshot],
    "ws_book_update": [],
    "ws_ohlc_update": [Bar],
    "ws_pong": [],
    "ws_subscribe_response": [],
    "ws_ticker_snapshot": [Ticker],
    "ws_trade_update": [Trade, Trade],
}
NOT_OFFERED = "level3 needs a token: it is no public channel"
INVENTED_CHECKSUM = "its checksum is not that of its levels: the samples were shortened"


@needs_references
def test_single_frames_mean_what_the_documentation_says() -> None:
    for source, sample in single_frames("kraken"):
        if "_l3_" in source:
            with pytest.raises(UnrecognizedFrame, match="level3"):
                replaying(Kraken).parse(sample)
            continue
        events = replaying(Kraken).parse(sample)
        if source.startswith("ws_book"):
            assert [type(event).__name__ for event in events] == ["Gap"], INVENTED_CHECKSUM
        else:
            assert [type(event) for event in events] == EXPECTED[source], source


@needs_references
def test_every_line_of_the_sheet_is_understood() -> None:
    wire = connection("trade", "book10", "ticker", "bar_1m")
    made: list[type] = []
    sent = 0
    for line in sheet_lines("## 6."):
        message = msgspec.json.decode(line)
        if "params" in message or message == {"method": "ping", "req_id": 42}:
            sent += 1
            continue
        made.extend(type(event) for event in wire.parse(line))
    assert sent == 3
    assert [kind.__name__ for kind in made] == ["Gap", "Trade", "Ticker", "Bar"], INVENTED_CHECKSUM
    subscribe, *_ = connection("book10", pairs=["BTC/USD", "ETH/USD"]).requests
    assert subscribe == msgspec.json.decode(sheet_lines("## 6.")[0])


@needs_references
def test_every_line_of_the_sheet_about_v1_is_understood() -> None:
    wire = replaying(Kraken)
    made: list[str] = []
    for line in sheet_lines("### 7.8"):
        message = msgspec.json.decode(line)
        if isinstance(message, dict) and message["event"] in ("subscribe", "unsubscribe", "ping"):
            continue
        made.extend(type(event).__name__ for event in wire.parse(line))
    assert made == ["BookSnapshot", "Gap", "Gap", "Trade", "Ticker"], "updates of other books than the snapshot's"


@needs_references
def test_mutated_recorded_frames_are_refused_or_read() -> None:
    rng = random.Random(6)
    frames = list(recorded_frames("kraken"))
    adapter = Kraken(adopt=True)
    for _ in range(2_000):
        damaged = bytearray(rng.choice(frames))
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        feed_anything(adapter, bytes(damaged))


def test_quotes_and_tickers_are_two_views_of_one_stream() -> None:
    sample = frame("ticker", "update", ticker_row())
    (quote,) = connection("quote").parse(sample)
    (ticker,) = connection("ticker").parse(sample)
    assert isinstance(quote, Quote)
    assert isinstance(ticker, Ticker)
    assert (quote.bid, quote.bid_size, quote.ask) == (ticker.bid, ticker.bid_size, ticker.ask)


def test_the_list_of_pairs_is_one_for_all() -> None:
    assert Kraken().instruments_path([PAIR]) == "/0/public/AssetPairs"
    assert Kraken().instrument(PAIR) == "BTC-USD"
    assert Kraken().address(Kraken.url) == "wss://ws.kraken.com/v2"


def test_books_are_subscribed_again_to_resynchronize() -> None:
    topics = Kraken().topics(["trade", "book"], [PAIR])
    assert [topic.channel for topic in Kraken().resync(topics)] == ["book"]


def test_events_of_a_book_are_of_their_depth() -> None:
    wire = connection("book10")
    from tests.workers.exchanges.kraken.samples import ASKS, BIDS, KrakenBook

    book = KrakenBook(10, BIDS, ASKS)
    wire.parse(book.snapshot())
    (delta,) = wire.parse(book.update(bids=[("100.60", "1.00000000")]))
    assert isinstance(delta, BookDelta)
    assert delta.bids == [("100.60", "1.00000000"), ("91.50", "0")]
