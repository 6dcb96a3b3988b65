from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from foxtrot_workers.adapter import Acknowledged, CloseAnnounced, Pong, Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.gemini import adapter as gemini
from foxtrot_workers.exchanges.gemini.adapter import Gemini
from foxtrot_workers.testing.conformance import check_adapter, feed_anything
from tests.workers.exchanges.connection import replaying
from tests.workers.exchanges.gemini.samples import BACKFILLS, SAMPLES, SYMBOL, connection, depth, quote, trade
from tests.workers.exchanges.references import needs_references, recorded_frames, sheet_lines


def test_it_conforms() -> None:
    check_adapter(Gemini, SAMPLES, backfills=BACKFILLS)


def test_symbols_are_lower_case_however_they_are_configured() -> None:
    assert Gemini().topics(["book", "trade"], ["BTCUSD", "btcusd"]) == [
        Topic("book", SYMBOL, "btcusd@depth@100ms"),
        Topic("trade", SYMBOL, "btcusd@trade"),
    ]


@pytest.mark.parametrize(("channel", "symbol"), [("ticker", "a"), ("book5", "a"), ("book", ""), ("book", "a@b")])
def test_impossible_topics_are_refused(channel: str, symbol: str) -> None:
    with pytest.raises(ValueError, match=r"no channel|cannot be"):
        Gemini().topics([channel], [symbol])


@pytest.mark.parametrize(
    ("base", "address"),
    [
        (Gemini.url, "wss://ws.gemini.com?snapshot=-1"),
        ("ws://127.0.0.1:9001/x?a=b", "ws://127.0.0.1:9001/x?a=b&snapshot=-1"),
        ("wss://ws.gemini.com?snapshot=20", "wss://ws.gemini.com?snapshot=20"),
    ],
)
def test_the_address_demands_whole_books(base: str, address: str) -> None:
    assert Gemini().address(base) == address


@pytest.mark.parametrize(
    "message",
    [{}, {"lastUpdateId": 12345678, "bids": [], "asks": []}, {"e": "other"}, {"type": "unknown"}, {"id": "1"}],
)
def test_an_unknown_message_is_unrecognized_even_in_replay(message: Any) -> None:
    with pytest.raises(UnrecognizedFrame):
        replaying(Gemini).parse(message)


def test_archived_frames_are_for_replay_only() -> None:
    with pytest.raises(UnrecognizedFrame):
        connection("trade").parse({"type": "heartbeat", "timestamp": 1})


def test_answers_to_our_pings_are_pongs() -> None:
    wire = connection("trade")
    assert msgspec.json.decode(Gemini.limits.ping_text or "") == {"id": "0", "method": "ping"}
    wire.parse({"id": "0", "status": 200, "result": {}})
    assert wire.take_notices() == [Pong()]


def test_frames_are_accepted_until_the_unsubscription_is_acknowledged() -> None:
    wire = connection("trade")
    wire.adapter.unsubscribe(wire.topics)
    assert len(wire.parse(trade())) == 1
    wire.parse({"id": "2", "status": 200, "result": None})
    assert wire.take_notices() == [Acknowledged(("btcusd@trade",), subscribed=False)]
    with pytest.raises(UnrecognizedFrame):
        wire.parse(trade())
    assert wire.adapter.last_data_ns == {}


def test_frames_in_another_spelling_mean_the_same() -> None:
    for sample in SAMPLES:
        expected = connection(sample.channel).parse(sample.frame)
        message = msgspec.json.decode(sample.frame)
        turned = dict(reversed(message.items()))
        time_first = {"E": message["E"], **{key: value for key, value in message.items() if key != "E"}}
        for other in (turned, time_first, {"x": 1, **message}):
            assert connection(sample.channel).parse(other) == expected
        assert connection(sample.channel).parse(msgspec.json.format(sample.frame, indent=2)) == expected


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gemini, "ADOPTED_MAX", 1)
    wire = replaying(Gemini)
    wire.parse(trade())
    for message in (trade(s="ethusd"), quote(), depth(1, 2), trade(s="a b")):
        with pytest.raises(UnrecognizedFrame):
            wire.parse(message)


def test_a_resync_needs_a_new_connection() -> None:
    wire = connection("trade", "book")
    assert wire.adapter.resync(wire.topics[:1]) == []
    assert wire.take_notices() == []
    assert wire.adapter.resync(wire.topics) == []
    assert wire.take_notices() == [CloseAnnounced("a whole book comes on a new connection only")]


@needs_references
def test_every_line_of_the_sheet_is_understood() -> None:
    today, archived_v2, archived_v1 = replaying(Gemini), replaying(Gemini), replaying(Gemini)
    today.adapter.address("wss://ws.gemini.com?snapshot=-1")
    archived_v1.adapter.address("wss://api.gemini.com/v1/marketdata/BTCUSD?heartbeat=true")
    made: list[str] = []
    requests = []
    for line in sheet_lines("### 7.10"):
        message = msgspec.json.decode(line)
        if "method" in message or "subscriptions" in message:
            requests.append(message)
        elif "lastUpdateId" in message:
            with pytest.raises(UnrecognizedFrame):  # a partial book does not name its symbol: it is not offered
                today.parse(line)
        else:
            wire = archived_v1 if "socket_sequence" in message else archived_v2 if "type" in message else today
            made.extend(type(event).__name__ for event in wire.parse(line))
    assert made == [
        *("Quote", "BookSnapshot", "Trade"),
        *("BookSnapshot", "Trade", "BookDelta", "Trade", "Bar"),
        *("BookSnapshot", "Trade"),
    ]
    assert connection("book", "trade").requests == requests[:1]
    assert len(requests) == 5


@needs_references
def test_mutated_recorded_frames_are_refused_or_read() -> None:
    rng = random.Random(6)
    frames = [frame for frame in recorded_frames("gemini") if len(frame) < 20_000]
    adapter = Gemini(adopt=True)
    for _ in range(2_000):
        damaged = bytearray(rng.choice(frames))
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        feed_anything(adapter, bytes(damaged))


def test_one_list_has_all_symbols() -> None:
    assert Gemini().instruments_path([SYMBOL]) == "/v1/symbols"
    assert Gemini().instrument(SYMBOL) == "BTC-USD"


@pytest.mark.parametrize("message", [depth(1, 10), trade(), quote()])
def test_a_symbol_that_holds_the_separator_of_topics_is_refused(message: dict[str, Any]) -> None:
    adapter = Gemini(adopt=True)
    with pytest.raises(UnrecognizedFrame):
        adapter.parse(msgspec.json.encode({**message, "s": "b@cusd"}), 1, [])
    assert adapter.last_data_ns == adapter.held_ns == {}
