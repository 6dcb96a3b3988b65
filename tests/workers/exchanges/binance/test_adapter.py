from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import EVENT_BOOK, MarketEvent
from foxtrot_workers.adapter import (
    Acknowledged,
    CloseAnnounced,
    RestRequest,
    Topic,
    UnrecognizedFrame,
)
from foxtrot_workers.benchmark.load_frames import depth_snapshot, payloads, primer_payload
from foxtrot_workers.exchanges.binance import adapter as binance
from foxtrot_workers.exchanges.binance.adapter import Binance
from tests.support.fuzzing import mutate
from tests.workers.exchanges.binance.subscribed import BOOK_STREAM, Subscribed
from tests.workers.exchanges.samples import (
    binance_frame,
    binance_partial_book,
    binance_trade,
)


def test_wire_names_of_topics_are_stream_names() -> None:
    assert Binance().topics(["trade", "book", "bar_1m"], ["BTCUSDT", "ethusdt", "BTCUSDT"]) == [
        Topic("trade", "BTCUSDT", "btcusdt@trade"),
        Topic("book", "BTCUSDT", "btcusdt@depth@100ms"),
        Topic("bar_1m", "BTCUSDT", "btcusdt@kline_1m"),
        Topic("trade", "ETHUSDT", "ethusdt@trade"),
        Topic("book", "ETHUSDT", "ethusdt@depth@100ms"),
        Topic("bar_1m", "ETHUSDT", "ethusdt@kline_1m"),
    ]


@pytest.mark.parametrize(
    ("channels", "symbols"),
    [
        (["nope"], ["A"]),
        (["book", "book5"], ["A"]),
        (["trade"], [""]),
        (["trade"], ["A/B"]),
        (["trade"], ["A@B"]),
        (["trade"], ["A\x00"]),
        (["trade"], ["A" * 65]),
    ],
)
def test_impossible_topics_are_refused(channels: list[str], symbols: list[str]) -> None:
    with pytest.raises(ValueError, match=r"channel|only one|cannot be a symbol"):
        Binance().topics(channels, symbols)


@pytest.mark.parametrize(
    ("base", "address"),
    [
        ("wss://stream.binance.com:9443", "wss://stream.binance.com:9443/stream"),
        ("ws://127.0.0.1:9001/", "ws://127.0.0.1:9001/stream"),
        ("wss://host/stream?timeUnit=MICROSECOND", "wss://host/stream?timeUnit=MICROSECOND"),
        ("wss://host/ws", "wss://host/ws"),
        ("wss://host/public", "wss://host/public/stream"),
    ],
)
def test_the_address_is_that_of_combined_streams(base: str, address: str) -> None:
    assert Binance().address(base) == address


@pytest.mark.parametrize(
    ("stream", "kind"),
    [("bnbbtc@avgPrice", "trade"), ("!ticker@arr", "trade"), ("\x00@trade", "trade"), ("ethbtc@trade", "trade")],
)
def test_a_stream_that_was_not_subscribed_is_unrecognized(stream: str, kind: str) -> None:
    with pytest.raises(UnrecognizedFrame, match=kind):
        Subscribed("trade").parse(binance_frame(stream, binance_trade()))


@pytest.mark.parametrize("stream", ["bnbbtc@avgPrice", "!ticker@arr", "\x00@trade", "@trade", "a" * 65 + "@trade", "x"])
def test_an_impossible_stream_name_is_not_adopted(stream: str) -> None:
    with pytest.raises(UnrecognizedFrame):
        Subscribed(adopt=True).parse(binance_frame(stream, {"x": 1}))


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binance, "ADOPTED_MAX", 2)
    wire = Subscribed(adopt=True)
    wire.parse(binance_frame("a@trade", binance_trade()))
    wire.parse(binance_frame("b@trade", binance_trade()))
    with pytest.raises(UnrecognizedFrame):
        wire.parse(binance_frame("c@trade", binance_trade()))
    for symbol in "DEFG":
        wire.rest(binance_partial_book(), path=f"/depth?symbol={symbol}")
    assert wire.rest(binance_partial_book(), path="/depth?symbol=H") == []


def test_frames_are_accepted_until_the_unsubscription_is_acknowledged() -> None:
    wire = Subscribed("trade", "book")
    trade = binance_frame("bnbbtc@trade", binance_trade())
    wire.parse({"result": None, "id": 1})
    wire.adapter.unsubscribe(wire.topics)
    assert len(wire.parse(trade)) == 1  # what is on its way still counts
    wire.take_notices()
    wire.parse({"result": None, "id": 2})
    assert wire.take_notices() == [Acknowledged(("bnbbtc@trade", BOOK_STREAM), subscribed=False)]
    with pytest.raises(UnrecognizedFrame):
        wire.parse(trade)
    assert wire.adapter.last_data_ns == {}
    assert wire.rest(binance_partial_book()) == []


@pytest.mark.parametrize(
    "frame", [{"e": "serverShutdown", "E": 1}, {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}}]
)
def test_a_server_shutdown_announces_the_close(frame: dict[str, Any]) -> None:
    wire = Subscribed("trade")
    wire.parse(frame)
    assert wire.take_notices() == [CloseAnnounced("serverShutdown")]


def test_two_kinds_of_trades_do_not_share_a_connection() -> None:
    with pytest.raises(ValueError, match="trade and agg_trade"):
        Binance().topics(["trade", "agg_trade"], ["BTCUSDT"])


def test_partial_books_are_states() -> None:
    assert Binance().identity_rules(["book10"])[EVENT_BOOK] == "latest"
    assert Binance().identity_rules(["book"])[EVENT_BOOK] == "update_ids"


def test_a_book_that_was_never_opened_can_be_unsubscribed() -> None:
    adapter = Binance()
    assert len(adapter.unsubscribe(adapter.topics(["book"], ["BNBBTC"]))) == 1
    assert adapter.notices == []


@pytest.mark.parametrize("seed", range(10))
def test_bursts_give_what_single_frames_give(seed: int) -> None:
    """Damaged frames, answers and frames of unknown streams among good ones of all kinds."""
    chance = random.Random(seed)
    symbols = ["BTCUSDT", "ETHUSDT"]
    single, bursts = Binance(), Binance()
    for adapter in (single, bursts):
        adapter.subscribe(adapter.topics(["agg_trade", "quote", "book"], symbols))
    frames = [primer_payload(symbol) for symbol in symbols]
    frames += [text.encode() for symbol in symbols for text in payloads("mixed", symbol, random.Random(seed))[:150]]
    for place in range(0, len(frames), 7):
        frames[place] = chance.choice(
            [mutate(chance, frames), b'{"result":null,"id":1}', b"", frames[place].replace(b"usdt@", b"xxxx@")]
        )
    out: dict[Binance, list[MarketEvent[str]]] = {single: [], bursts: []}
    said: dict[Binance, list[str]] = {single: [], bursts: []}

    def take(adapter: Binance) -> None:
        said[adapter] += [f"{len(out[adapter])} {notice!r}" for notice in adapter.notices]
        for notice in list(adapter.notices):
            if isinstance(notice, RestRequest):
                adapter.on_rest(notice.path, 200, depth_snapshot(1), 5, out[adapter])
        adapter.notices.clear()

    def parse_one(adapter: Binance, frame: bytes) -> None:
        try:
            adapter.parse(frame, 7, out[adapter])
        except (msgspec.MsgspecError, ValueError, LookupError, UnrecognizedFrame) as error:
            said[adapter].append(f"{len(out[adapter])} {error!r}")

    for frame in frames:
        parse_one(single, frame)
        take(single)
    index = 0
    while index < len(frames):
        stop = min(len(frames), index + chance.randint(1, 40))
        index = bursts.parse_burst(frames, index, stop, 7, out[bursts])
        if index < stop and not bursts.notices:
            parse_one(bursts, frames[index])
            index += 1
        take(bursts)
    assert out[bursts] == out[single]
    assert said[bursts] == said[single]
    assert bursts.last_data_ns == single.last_data_ns
    assert any("Error" in text for text in said[single])
    assert len(out[single]) > 200
