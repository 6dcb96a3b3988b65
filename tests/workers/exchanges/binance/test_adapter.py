from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import msgspec
import pytest

from foxtrot_protocol.events import (
    EVENT_BOOK,
    EVENT_MARKET_TRADE,
    Bar,
    BookDelta,
    BookSnapshot,
    Gap,
    MarketEvent,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_workers.adapter.limits import Topic
from foxtrot_workers.adapter.notices import (
    Acknowledged,
    BookLost,
    CloseAnnounced,
    Notice,
    Refused,
    RestRequest,
    UnrecognizedFrame,
)
from foxtrot_workers.exchanges.binance import adapter as binance
from foxtrot_workers.exchanges.binance.adapter import Binance, BinanceUs, Sim
from tests.workers.exchanges.samples import (
    MS,
    binance_agg_trade,
    binance_delta,
    binance_frame,
    binance_kline,
    binance_past_agg_trade,
    binance_past_trade,
    binance_picture,
    binance_quote,
    binance_ticker,
    binance_trade,
)

NS = MS * 1_000_000


class Wire:
    """An adapter that has subscribed `channels` for BNBBTC, with its outputs at hand."""

    def __init__(self, *channels: str, adopt: bool = False, base: str = Binance.url) -> None:
        self.adapter = Binance(adopt=adopt)
        self.topics = self.adapter.topics(channels, ["BNBBTC"])
        self.adapter.address(base)
        self.requests = [msgspec.json.decode(text) for text in self.adapter.subscribe(self.topics)]

    def parse(self, frame: bytes | dict[str, Any], receive_ns: int = 7) -> list[MarketEvent[str]]:
        out: list[MarketEvent[str]] = []
        self.adapter.parse(frame if isinstance(frame, bytes) else msgspec.json.encode(frame), receive_ns, out)
        return out

    def rest(self, body: Any, *, path: str = "/api/v3/depth?symbol=BNBBTC&limit=1000", status: int = 200) -> list[Any]:
        out: list[MarketEvent[str]] = []
        self.adapter.on_rest(path, status, body if isinstance(body, bytes) else msgspec.json.encode(body), 8, out)
        return out

    def noticed(self) -> list[Notice]:
        notices = list(self.adapter.notices)
        self.adapter.notices.clear()
        return notices


# ---- events


def test_a_trade() -> None:
    wire = Wire("trade")
    assert wire.parse(binance_frame("bnbbtc@trade", binance_trade())) == [
        Trade("BINANCE", "BNBBTC", NS, 7, "0.0010", "100", "sell", "12345")
    ]
    assert wire.adapter.last_data_ns == {"bnbbtc@trade": 7}


def test_the_makers_counterpart_is_the_taker() -> None:
    wire = Wire("trade")
    sides = [
        event.side
        for maker_bought in (True, False)
        for event in wire.parse(binance_frame("bnbbtc@trade", binance_trade(m=maker_bought)))
        if isinstance(event, Trade)
    ]
    assert sides == ["sell", "buy"]


def test_an_aggregate_trade_bears_the_aggregate_id() -> None:
    wire = Wire("agg_trade")
    assert wire.parse(binance_frame("bnbbtc@aggTrade", binance_agg_trade())) == [
        Trade("BINANCE", "BNBBTC", NS, 7, "0.0010", "100", "buy", "5933014")
    ]


def test_a_quote_has_no_time() -> None:
    wire = Wire("quote")
    assert wire.parse(binance_frame("bnbbtc@bookTicker", binance_quote())) == [
        Quote("BINANCE", "BNBBTC", 0, 7, "25.3519", "31.21", "25.3652", "40.66", "400900217")
    ]


ZEROS = ("0", "0.00000000", "0E-8", "00.0", ".0", "-0", "+0.0", "0.00E5", "0e0", "000", "0.")


@pytest.mark.parametrize("zero", ["", *ZEROS])
def test_an_empty_side_is_nobody_not_a_price_of_zero(zero: str) -> None:
    wire = Wire("quote")
    (bid,) = wire.parse(binance_frame("bnbbtc@bookTicker", binance_quote(b=zero, B=zero)))
    (ask,) = wire.parse(binance_frame("bnbbtc@bookTicker", binance_quote(a=zero, A=zero)))
    assert isinstance(bid, Quote)
    assert isinstance(ask, Quote)
    assert (bid.bid, bid.bid_size, bid.ask) == (None, None, "25.3652")
    assert (ask.bid, ask.ask, ask.ask_size) == ("25.3519", None, None)


@pytest.mark.parametrize("zero", ZEROS)
def test_a_size_of_zero_is_an_empty_side_too(zero: str) -> None:
    wire = Wire("quote")
    (quote,) = wire.parse(binance_frame("bnbbtc@bookTicker", binance_quote(B=zero)))
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size, quote.ask) == (None, None, "25.3652")


@pytest.mark.parametrize("number", ["0.1", "0.05", "0.00000001", "1E-8", "1", "9.9", "100", "0.66", "2e5"])
def test_what_is_small_is_not_zero(number: str) -> None:
    wire = Wire("quote")
    (quote,) = wire.parse(binance_frame("bnbbtc@bookTicker", binance_quote(b=number, B=number)))
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size) == (number, number)


@pytest.mark.parametrize("interval", binance.INTERVALS)
def test_a_bar_of_each_interval(interval: str) -> None:
    wire = Wire(f"bar_{interval}")
    frame = binance_frame(f"bnbbtc@kline_{interval}", binance_kline(interval, x=True))
    start = (MS - 2136) * 1_000_000
    assert wire.parse(frame) == [
        Bar("BINANCE", "BNBBTC", NS, 7, interval, start, "0.0010", "0.0025", "0.0015", "0.0020", "1000", True)
    ]


def test_a_day_ticker() -> None:
    wire = Wire("ticker")
    day = ("0.0025", "0.0010", "0.0025", "0.0010", "10000", "18")
    (ticker,) = wire.parse(binance_frame("bnbbtc@ticker", binance_ticker()))
    assert ticker == Ticker("BINANCE", "BNBBTC", NS, 7, *day, "0.0024", "10", "0.0026", "100")
    (empty,) = wire.parse(binance_frame("bnbbtc@ticker", binance_ticker(b="0.00000000", a="0")))
    assert isinstance(empty, Ticker)
    assert (empty.bid, empty.ask) == (None, None)


@pytest.mark.parametrize("depth", ["5", "10", "20"])
def test_a_partial_book_is_a_whole_picture(depth: str) -> None:
    wire = Wire(f"book{depth}")
    for _ in range(2):
        assert wire.parse(binance_frame(f"bnbbtc@depth{depth}@100ms", binance_picture(160))) == [
            BookSnapshot("BINANCE", "BNBBTC", 0, 7, [("0.0024", "10")], [("0.0026", "100")], None, "160", None)
        ]


# ---- the book


def test_a_book_is_held_back_until_its_snapshot_fits() -> None:
    wire = Wire("book")
    stream = "bnbbtc@depth@100ms"
    assert wire.parse(binance_frame(stream, binance_delta(150, 156)), 1) == []
    assert wire.parse(binance_frame(stream, binance_delta(157, 165)), 2) == []
    assert wire.noticed() == [RestRequest("depth BNBBTC", "/api/v3/depth?symbol=BNBBTC&limit=1000", 50, 0.0)]
    assert wire.adapter.last_data_ns == {}
    assert wire.rest(binance_picture(160)) == [
        BookSnapshot("BINANCE", "BNBBTC", 0, 8, [("0.0024", "10")], [("0.0026", "100")], None, "160", None),
        BookDelta("BINANCE", "BNBBTC", NS, 2, [("0.0024", "10")], [], "157", "165", None),
    ]
    assert wire.adapter.last_data_ns == {stream: 8}
    assert [event.receive_ns for event in wire.parse(binance_frame(stream, binance_delta(166, 166)), 9)] == [9]
    assert wire.adapter.last_data_ns == {stream: 9}


def test_a_book_is_shown_whole_once_more_by_rest() -> None:
    wire = Wire("book", "trade")
    stream = "bnbbtc@depth@100ms"
    assert wire.adapter.resync(wire.topics) == []
    assert wire.noticed() == [], "it waits for its snapshot anyway"
    wire.parse(binance_frame(stream, binance_delta(157, 165)), 2)
    wire.rest(binance_picture(160))
    wire.noticed()
    assert wire.adapter.resync(wire.topics) == []
    assert wire.noticed() == [RestRequest("depth BNBBTC", "/api/v3/depth?symbol=BNBBTC&limit=1000", 50, 0.0)]
    (whole,) = wire.rest(binance_picture(165))
    assert isinstance(whole, BookSnapshot)
    assert whole.last_id == "165"
    assert wire.adapter.resync(Binance().topics(["book"], ["ETHBTC"])) == []
    assert wire.noticed() == []


def test_a_hole_in_the_book_is_a_gap_and_asks_again() -> None:
    wire = Wire("book")
    stream = "bnbbtc@depth@100ms"
    wire.parse(binance_frame(stream, binance_delta(1, 1)), 1)
    wire.rest(binance_picture(1))
    wire.parse(binance_frame(stream, binance_delta(2, 2)), 2)
    wire.noticed()
    (gap,) = wire.parse(binance_frame(stream, binance_delta(5, 6)), 3)
    assert isinstance(gap, Gap)
    assert (gap.first_id, gap.last_id, gap.start_ns, gap.end_ns) == ("3", "4", 2, 3)
    lost, request = wire.noticed()
    assert lost == BookLost(stream, "BNBBTC", gap.cause)
    assert isinstance(request, RestRequest)
    assert wire.adapter.last_data_ns == {stream: 2}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (0, b""),
        (500, b'{"lastUpdateId":1,"bids":[],"asks":[]}'),
        (429, b'{"code":-1003,"msg":"slow down"}'),
        (200, b"{"),
        (200, b"[" * 100_000),
        (200, b'{"lastUpdateId":1}'),
        (200, b'{"lastUpdateId":"1","bids":[],"asks":[]}'),
        (200, b'{"lastUpdateId":1,"bids":[["\xff","1"]],"asks":[]}'),
    ],
)
def test_a_snapshot_that_cannot_be_had_is_asked_for_again_later(status: int, body: bytes) -> None:
    wire = Wire("book")
    wire.parse(binance_frame("bnbbtc@depth@100ms", binance_delta(1, 1)))
    delays = []
    for _ in range(3):
        assert wire.rest(body, status=status) == []
        delays += [notice.delay_s for notice in wire.noticed() if isinstance(notice, RestRequest)]
    assert delays == [0.0, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    "path",
    [
        "https://www.binance.com/api/v1/depth?symbol=BNBBTC&limit=5000",
        "https://api.binance.us/api/v3/depth?limit=100&symbol=BNBBTC",
        "/api/v3/depth?symbol=bnbbtc",
    ],
)
def test_snapshots_are_known_by_their_path_in_any_form(path: str) -> None:
    wire = Wire(adopt=True)
    assert len(wire.rest(binance_picture(160), path=path)) == 1


@pytest.mark.parametrize("path", ["", "/api/v3/ticker?symbol=BNBBTC", "/api/v3/depth", "/api/v3/depth?symbol=%00"])
def test_other_answers_are_left_alone(path: str) -> None:
    wire = Wire("book", adopt=True)
    assert wire.rest(binance_picture(160), path=path) == []
    assert wire.noticed() == []


def test_a_snapshot_that_is_too_old_makes_nothing_flow() -> None:
    wire = Wire("book")
    wire.parse(binance_frame("bnbbtc@depth@100ms", binance_delta(100, 101)))
    assert wire.rest(binance_picture(50)) == []
    assert wire.adapter.last_data_ns == {}


def test_both_paces_of_one_book_are_one_book() -> None:
    wire = Wire(adopt=True)
    wire.parse(binance_frame("bnbbtc@depth@100ms", binance_delta(1, 1)))
    wire.parse(binance_frame("bnbbtc@depth", binance_delta(1, 2)))
    assert [type(event) for event in wire.rest(binance_picture(0))] == [BookSnapshot, BookDelta, BookDelta]


def test_a_snapshot_nobody_waits_for_is_dropped() -> None:
    wire = Wire("trade")
    assert wire.rest(binance_picture(160)) == []


# ---- other shapes of frames


FRAMES = [
    ("trade", binance_frame("bnbbtc@trade", binance_trade())),
    ("agg_trade", binance_frame("bnbbtc@aggTrade", binance_agg_trade())),
    ("quote", binance_frame("bnbbtc@bookTicker", binance_quote())),
    ("ticker", binance_frame("bnbbtc@ticker", binance_ticker())),
    ("bar_1M", binance_frame("bnbbtc@kline_1M", binance_kline("1M"))),
    ("book5", binance_frame("bnbbtc@depth5@100ms", binance_picture())),
]


@pytest.mark.parametrize(("channel", "frame"), FRAMES)
@pytest.mark.parametrize("adopt", [False, True])
def test_key_order_and_white_space_make_no_difference(channel: str, frame: bytes, adopt: bool) -> None:
    expected = Wire(channel).parse(frame)
    assert len(expected) == 1
    message = msgspec.json.decode(frame)
    turned = dict(reversed(message.items()))
    for other in (msgspec.json.format(frame, indent=2), msgspec.json.encode(turned), b" " + frame + b"\n"):
        wire = Wire(channel) if not adopt else Wire(adopt=True)
        assert wire.parse(other) == expected
        assert wire.parse(frame) == expected


@pytest.mark.parametrize(("channel", "frame"), FRAMES[:-1])
def test_raw_frames_without_the_streams_name(channel: str, frame: bytes) -> None:
    expected = Wire(channel).parse(frame)
    raw = msgspec.json.decode(frame)["data"]
    assert Wire(channel).parse(raw) == expected
    assert Wire(adopt=True).parse(raw) == expected
    with pytest.raises(UnrecognizedFrame):
        Wire("book").parse(raw)


def test_a_raw_quote_may_bear_an_event_name() -> None:
    assert len(Wire("quote").parse(binance_quote(e="bookTicker"))) == 1


def test_a_raw_delta_belongs_to_the_pace_that_was_subscribed() -> None:
    wire = Wire("book", adopt=True)
    wire.parse(binance_delta(1, 1))
    slow = Wire(adopt=True)
    slow.parse(binance_frame("bnbbtc@depth", binance_delta(1, 1)))
    slow.parse(binance_delta(2, 2))
    assert len(slow.rest(binance_picture(0))) == 3


def test_a_raw_picture_tells_its_symbol_only_by_the_address() -> None:
    with pytest.raises(UnrecognizedFrame, match="without event name"):
        Wire(adopt=True).parse(binance_picture())
    wire = Wire(adopt=True, base="wss://stream.binance.com:9443/ws/bnbbtc@depth5")
    assert [event.symbol for event in wire.parse(binance_picture())] == ["BNBBTC"]


def test_microseconds_when_the_address_asks_for_them() -> None:
    wire = Wire("trade", base="wss://stream.binance.com:9443/stream?timeUnit=MICROSECOND")
    (trade,) = wire.parse(binance_frame("bnbbtc@trade", binance_trade(T=MS * 1000 + 5)))
    assert trade.exchange_ns == NS + 5000


@pytest.mark.parametrize(
    "change",
    [{"p": 1.5}, {"p": None}, {"T": "1"}, {"T": -1}, {"T": 2**62}, {"T": 1e300}, {"m": 0}, {"t": 2**63}, {"t": 1.5}],
)
def test_a_wrong_type_or_size_in_a_known_field_is_refused(change: dict[str, Any]) -> None:
    wire = Wire("trade")
    with pytest.raises(msgspec.ValidationError):
        wire.parse(binance_frame("bnbbtc@trade", binance_trade(**change)))
    assert len(wire.parse(binance_frame("bnbbtc@trade", binance_trade()))) == 1


def test_unknown_and_repeated_fields_do_no_harm() -> None:
    wire = Wire("trade")
    frame = binance_frame("bnbbtc@trade", binance_trade(new={"x": [1]}, X="INSURANCE_FUND"))
    assert len(wire.parse(frame)) == 1
    (trade,) = wire.parse(frame.replace(b'"p":', b'"p":"9","p":'))
    assert isinstance(trade, Trade)
    assert trade.price == "0.0010"


@pytest.mark.parametrize(
    "frame",
    [
        b"{",
        b"",
        b"\xff",
        b"[" * 100_000,
        b'{"data":' * 100_000,
        b'{"stream":"bnbbtc@trade","data":NaN}',
        b'{"stream":"bnbbtc@trade","data":{"t":1,"p":"\xff","q":"1","T":1,"m":true}}',
    ],
)
def test_garbage_is_refused_as_such(frame: bytes) -> None:
    wire = Wire("trade")
    with pytest.raises(msgspec.DecodeError):
        wire.parse(frame)


@pytest.mark.parametrize(
    ("stream", "kind"),
    [("bnbbtc@avgPrice", "trade"), ("!ticker@arr", "trade"), ("\x00@trade", "trade"), ("ethbtc@trade", "trade")],
)
def test_streams_nobody_asked_for_are_unrecognized(stream: str, kind: str) -> None:
    with pytest.raises(UnrecognizedFrame, match=kind):
        Wire("trade").parse(binance_frame(stream, binance_trade()))


@pytest.mark.parametrize("stream", ["bnbbtc@avgPrice", "!ticker@arr", "\x00@trade", "@trade", "a" * 65 + "@trade", "x"])
def test_what_cannot_be_a_stream_is_not_adopted(stream: str) -> None:
    with pytest.raises(UnrecognizedFrame):
        Wire(adopt=True).parse(binance_frame(stream, {"x": 1}))


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binance, "ADOPTED_MAX", 2)
    wire = Wire(adopt=True)
    wire.parse(binance_frame("a@trade", binance_trade()))
    wire.parse(binance_frame("b@trade", binance_trade()))
    with pytest.raises(UnrecognizedFrame):
        wire.parse(binance_frame("c@trade", binance_trade()))
    for symbol in "DEFG":
        wire.rest(binance_picture(), path=f"/depth?symbol={symbol}")
    assert wire.rest(binance_picture(), path="/depth?symbol=H") == []


# ---- requests and answers


def test_topics_are_named_as_streams() -> None:
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


def test_requests_are_cut_to_size_and_have_fresh_ids() -> None:
    adapter = Binance()
    topics = adapter.topics(["trade"], [f"A{number}" for number in range(401)])
    requests = [msgspec.json.decode(text) for text in adapter.subscribe(topics) + adapter.unsubscribe(topics)]
    assert [request["method"] for request in requests] == ["SUBSCRIBE"] * 3 + ["UNSUBSCRIBE"] * 3
    assert [len(request["params"]) for request in requests] == [200, 200, 1] * 2
    assert [request["id"] for request in requests] == [1, 2, 3, 4, 5, 6]


def test_an_answer_names_only_the_request_which_is_remembered() -> None:
    wire = Wire("trade", "quote")
    assert wire.requests == [{"method": "SUBSCRIBE", "params": ["bnbbtc@trade", "bnbbtc@bookTicker"], "id": 1}]
    wire.parse({"result": None, "id": 1})
    wire.parse({"result": None, "id": 1})
    assert wire.noticed() == [Acknowledged(("bnbbtc@trade", "bnbbtc@bookTicker"))]


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"code": 2, "msg": "Invalid request"}, "id": 1},
        {"code": 2, "msg": "Invalid request", "id": 1},
        {"id": 1, "code": 2, "msg": "Invalid request", "error": None},
    ],
)
def test_a_refusal_names_the_topics_of_its_request(answer: dict[str, Any]) -> None:
    wire = Wire("trade")
    wire.parse(answer)
    assert wire.noticed() == [Refused(("bnbbtc@trade",), "2: Invalid request", "never", exact=False)]


@pytest.mark.parametrize("answer", [{"code": 3, "msg": "Invalid JSON"}, {"error": {"code": 3, "msg": "Invalid JSON"}}])
def test_a_refusal_without_id_is_of_the_oldest_request_that_is_out(answer: dict[str, Any]) -> None:
    wire = Wire("trade")
    wire.adapter.subscribe(wire.adapter.topics(["quote"], ["bnbbtc"]))
    wire.parse(answer)
    assert wire.noticed() == [Refused(("bnbbtc@trade",), "3: Invalid JSON", "never", exact=False)]
    wire.parse({"result": None, "id": 2})
    assert wire.noticed() == [Acknowledged(("bnbbtc@bookTicker",))]
    wire.parse(answer)
    assert wire.noticed() == [Refused((), "3: Invalid JSON", "never", exact=False)]


@pytest.mark.parametrize(
    ("code", "retry"),
    [
        *((code, "never") for code in (0, 1, 2, 3, -1100, -1121, -1130)),
        *((code, "later") for code in (-1000, -1001, -1003, -1007, -1008, -1016, -9999, 503, "busy", None)),
    ],
)
def test_refusals_are_sorted_by_what_they_mean(code: int | str | None, retry: str) -> None:
    wire = Wire("trade")
    wire.parse({"error": {"code": code, "msg": "no"}, "id": 1})
    (refused,) = wire.noticed()
    assert isinstance(refused, Refused)
    assert (refused.retry, refused.exact) == (retry, retry != "never")


def test_a_refused_unsubscription_is_no_refusal_of_the_topic() -> None:
    wire = Wire("trade")
    wire.parse({"result": None, "id": 1})
    wire.noticed()
    wire.adapter.unsubscribe(wire.topics)
    wire.parse({"error": {"code": -1001, "msg": "no"}, "id": 2})
    assert wire.noticed() == []


def test_a_look_by_rest_tells_whether_a_topic_has_moved() -> None:
    wire = Wire("trade")
    topics = {topic.channel: topic for topic in wire.adapter.topics(["trade", "quote", "book", "bar_1m"], ["bnbbtc"])}

    def token(channel: str, answer: object) -> str:
        return wire.adapter.liveness_token(topics[channel], msgspec.json.encode(answer))

    for channel in ("trade", "bar_1m"):
        request = wire.adapter.liveness_request(topics[channel])
        assert request is not None
        assert request.path == "/api/v3/aggTrades?symbol=BNBBTC&limit=1"
        row = {"a": 5, "p": "1", "q": "1", "T": 1, "m": True}
        assert token(channel, [row]) == token(channel, [row]) != token(channel, [{**row, "a": 6}])
    first = {"lastUpdateId": 5, "bids": [["1", "1"], ["0.9", "1"]], "asks": [["2", "1"]]}
    deeper = {"lastUpdateId": 6, "bids": [["1", "1"], ["0.9", "7"]], "asks": [["2", "1"]]}
    for channel in ("quote", "book"):
        request = wire.adapter.liveness_request(topics[channel])
        assert request is not None
        assert request.path == "/api/v3/depth?symbol=BNBBTC&limit=5"
    assert token("quote", first) == token("quote", deeper), "the best levels are the same"
    assert token("book", first) != token("book", deeper)
    with pytest.raises(msgspec.DecodeError):
        token("trade", "<html>")


@pytest.mark.parametrize("request_id", [99, None, "abc", 2**63, -1])
def test_answers_to_requests_that_are_not_ours_say_nothing(request_id: object) -> None:
    wire = Wire("trade")
    wire.parse({"result": ["bnbbtc@trade"], "id": request_id})
    assert wire.noticed() == []


def test_remembered_requests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binance, "REQUESTS_MAX", 2)
    wire = Wire("trade")
    for _ in range(3):
        wire.adapter.subscribe(wire.topics)
    for request_id in (1, 2, 3, 4):
        wire.parse({"result": None, "id": request_id})
    assert wire.noticed() == [Acknowledged(("bnbbtc@trade",))] * 2


def test_what_was_unsubscribed_is_no_longer_accepted() -> None:
    wire = Wire("trade", "book")
    trade = binance_frame("bnbbtc@trade", binance_trade())
    wire.parse({"result": None, "id": 1})
    wire.adapter.unsubscribe(wire.topics)
    assert len(wire.parse(trade)) == 1  # what is on its way still counts
    wire.noticed()
    wire.parse({"result": None, "id": 2})
    assert wire.noticed() == [Acknowledged(("bnbbtc@trade", "bnbbtc@depth@100ms"), subscribed=False)]
    with pytest.raises(UnrecognizedFrame):
        wire.parse(trade)
    assert wire.adapter.last_data_ns == {}
    assert wire.rest(binance_picture()) == []


def test_a_topic_asked_for_again_meanwhile_stays() -> None:
    wire = Wire("trade")
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    wire.parse({"result": None, "id": 2})
    wire.parse({"result": None, "id": 3})
    assert wire.noticed() == [Acknowledged(("bnbbtc@trade",))]
    assert len(wire.parse(binance_frame("bnbbtc@trade", binance_trade()))) == 1


@pytest.mark.parametrize(
    "frame", [{"e": "serverShutdown", "E": 1}, {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}}]
)
def test_a_coming_shutdown_is_announced(frame: dict[str, Any]) -> None:
    wire = Wire("trade")
    wire.parse(frame)
    assert wire.noticed() == [CloseAnnounced("serverShutdown")]


# ---- instruments


def test_the_instrument_list() -> None:
    body = (
        b'{"timezone":"UTC","symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT"}]}'
    )
    assert Binance().instruments(body) == {"BTCUSDT": "BTC-USDT"}


def test_only_the_wanted_instruments_are_asked_for_while_they_are_few() -> None:
    adapter = Binance()
    assert (
        unquote(adapter.instruments_path(["BTCUSDT", "ethusdt"]))
        == '/api/v3/exchangeInfo?symbols=["BTCUSDT","ETHUSDT"]'
    )
    assert adapter.instruments_path(["A"] * 101) == "/api/v3/exchangeInfo"
    assert adapter.instruments_path([]) == "/api/v3/exchangeInfo"


@pytest.mark.parametrize(
    ("adapter", "symbol", "instrument"),
    [
        (Binance(), "BTCUSDT", "BTC-USDT"),
        (Binance(), "BTCFDUSD", "BTC-FDUSD"),
        (Binance(), "ADAEUR", "ADA-EUR"),
        (Binance(), "XMRBTC", "XMR-BTC"),
        (Binance(), "USDT", "USDT"),
        (Binance(), "WHATEVER", "WHATEVER"),
        (BinanceUs(), "BATUSD", "BAT-USD"),
        (BinanceUs(), "OMGBUSD", "OMG-BUSD"),
        (Sim(), "BTCUSDT", "BTC-USDT"),
    ],
)
def test_instruments_are_guessed_from_symbols(adapter: Binance, symbol: str, instrument: str) -> None:
    assert adapter.instrument(symbol) == instrument


@pytest.mark.parametrize(("adapter_class", "exchange"), [(BinanceUs, "BINANCE_US"), (Sim, "SIM")])
def test_its_sisters_differ_in_name_only(adapter_class: type[Binance], exchange: str) -> None:
    adapter = adapter_class()
    adapter.subscribe(adapter.topics(["trade"], ["BNBBTC"]))
    out: list[MarketEvent[str]] = []
    adapter.parse(binance_frame("bnbbtc@trade", binance_trade()), 7, out)
    assert [event.exchange for event in out] == [exchange]


# ---- past trades


@pytest.mark.parametrize(
    ("channel", "first", "last", "path", "weight"),
    [
        ("trade", 7, 7, "/api/v3/historicalTrades?symbol=BNBBTC&fromId=7&limit=2", 25),
        ("trade", 7, 9_999, "/api/v3/historicalTrades?symbol=BNBBTC&fromId=7&limit=1000", 25),
        ("agg_trade", 7, 9, "/api/v3/aggTrades?symbol=BNBBTC&fromId=7&limit=4", 4),
    ],
)
def test_past_trades_are_asked_for_by_identifier(channel: str, first: int, last: int, path: str, weight: int) -> None:
    adapter = Wire(channel).adapter
    request = adapter.backfill_request("BNBBTC", EVENT_MARKET_TRADE, first, last)
    assert request is not None
    assert (request.path, request.weight) == (path, weight)
    assert adapter.backfill_request("BNBBTC", EVENT_BOOK, first, last) is None
    assert adapter.backfill_request("ETHBTC", EVENT_MARKET_TRADE, first, last) is None


def test_where_past_trades_ask_for_a_key_only_aggregates_are_fetched() -> None:
    for channel, offered in (("trade", False), ("agg_trade", True)):
        adapter = BinanceUs()
        adapter.subscribe(adapter.topics([channel], ["BNBBTC"]))
        assert (adapter.backfill_request("BNBBTC", EVENT_MARKET_TRADE, 1, 2) is not None) is offered


def test_past_trades_read_like_those_of_the_stream() -> None:
    body = msgspec.json.encode([binance_past_trade(5), binance_past_trade(6, isBuyerMaker=False)])
    path = "/api/v3/historicalTrades?symbol=BNBBTC&fromId=5&limit=2"
    assert Binance().on_backfill(path, body, 7) == [
        Trade("BINANCE", "BNBBTC", MS * 1_000_000, 7, "4.00000100", "12.00000000", side, str(number))
        for side, number in (("sell", 5), ("buy", 6))
    ]
    body = msgspec.json.encode([binance_past_agg_trade(5)])
    assert Binance().on_backfill("/api/v3/aggTrades?symbol=BNBBTC&fromId=5&limit=2", body, 7) == [
        Trade("BINANCE", "BNBBTC", MS * 1_000_000, 7, "0.01633102", "4.70443515", "buy", "5")
    ]


def test_the_past_is_in_milliseconds_whatever_the_stream_is_in() -> None:
    adapter = Binance()
    adapter.address("wss://stream.binance.com:9443/stream?timeUnit=MICROSECOND")
    (trade,) = adapter.on_backfill("/historicalTrades?symbol=A", msgspec.json.encode([binance_past_trade(5)]), 7)
    assert trade.exchange_ns == MS * 1_000_000


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[" * 100_000, b'[{"id":-1}]', b'"\xff"', msgspec.json.encode([binance_past_trade(2**63)])]
)
@pytest.mark.parametrize("name", ["historicalTrades", "aggTrades"])
def test_a_past_that_cannot_be_read_is_refused(name: str, body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        Binance().on_backfill(f"/api/v3/{name}?symbol=BNBBTC", body, 7)
