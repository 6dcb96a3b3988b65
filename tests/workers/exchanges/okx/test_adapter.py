from __future__ import annotations

import zlib
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import (
    EVENT_BOOK,
    EVENT_MARKET_TRADE,
    Bar,
    BookDelta,
    BookSnapshot,
    Funding,
    Gap,
    MarketEvent,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter.limits import Topic
from foxtrot_workers.adapter.notices import (
    Acknowledged,
    BookLost,
    CloseAnnounced,
    Notice,
    Pong,
    Refused,
    Resubscribe,
    SendText,
    UnrecognizedFrame,
)
from foxtrot_workers.exchanges.okx import adapter as okx
from foxtrot_workers.exchanges.okx.adapter import Okx, book_checksum
from tests.workers.exchanges.samples import (
    OKX_CANDLE,
    OKX_FUNDING,
    OKX_MARK_PRICE,
    OKX_OPEN_INTEREST,
    OKX_SAMPLES,
    okx_answer,
    okx_book,
    okx_frame,
    okx_past_trade,
    okx_ticker,
    okx_trade,
)

INSTRUMENT = "BTC-USDT"
BOOK_NS = 1597026383085_000_000


class Wire:
    """An adapter that has subscribed `channels` for BTC-USDT, with its outputs at hand."""

    def __init__(self, *channels: str, adopt: bool = False) -> None:
        self.adapter = Okx(adopt=adopt)
        self.topics = self.adapter.topics(channels, [INSTRUMENT])
        self.requests = [msgspec.json.decode(text) for text in self.adapter.subscribe(self.topics)]

    def parse(self, frame: bytes | dict[str, Any], receive_ns: int = 7) -> list[MarketEvent[str]]:
        out: list[MarketEvent[str]] = []
        self.adapter.parse(frame if isinstance(frame, bytes) else msgspec.json.encode(frame), receive_ns, out)
        return out

    def book(self, action: str, receive_ns: int = 7, **changes: Any) -> list[MarketEvent[str]]:
        return self.parse(okx_frame("books", INSTRUMENT, [okx_book(**changes)], action=action), receive_ns)

    def noticed(self) -> list[Notice]:
        notices = list(self.adapter.notices)
        self.adapter.notices.clear()
        return notices


# ---- events


def test_trades_of_one_frame() -> None:
    wire = Wire("trade")
    rows = [okx_trade(), okx_trade(tradeId="130639475", side="sell")]
    when = 1630048897897_000_000
    assert wire.parse(okx_frame("trades", INSTRUMENT, rows)) == [
        Trade("OKX", INSTRUMENT, when, 7, "42219.9", "0.12060306", "buy", "130639474"),
        Trade("OKX", INSTRUMENT, when, 7, "42219.9", "0.12060306", "sell", "130639475"),
    ]
    assert wire.adapter.last_data_ns == {"trades:BTC-USDT": 7}


def test_a_trade_tells_how_many_fills_it_stands_for() -> None:
    wire = Wire("trade")
    (trade,) = wire.parse(okx_frame("trades", INSTRUMENT, [okx_trade(tradeId="110", count="3")]))
    assert isinstance(trade, Trade)
    assert (trade.trade_id, trade.count) == ("110", 3)
    (trade,) = wire.parse(okx_frame("trades", INSTRUMENT, [okx_trade(tradeId="111")]))
    assert isinstance(trade, Trade)
    assert trade.count == 1


def test_the_best_bid_and_ask() -> None:
    wire = Wire("quote")
    assert wire.parse(okx_frame("bbo-tbt", INSTRUMENT, [okx_book()])) == [
        Quote("OKX", INSTRUMENT, BOOK_NS, 7, "8476.97", "256", "8476.98", "415", "123456")
    ]


def test_an_empty_side_of_the_best_is_nobody() -> None:
    wire = Wire("quote")
    row = okx_book(bids=[], asks=[])
    del row["seqId"]
    assert wire.parse(okx_frame("bbo-tbt", INSTRUMENT, [row])) == [
        Quote("OKX", INSTRUMENT, BOOK_NS, 7, None, None, None, None, "")
    ]


def test_a_ticker_tells_the_best_bid_and_ask_itself() -> None:
    wire = Wire("ticker")
    day = ("9999.99", "9000", "10000", "8888.88", "2222", "2222.5")
    assert wire.parse(okx_frame("tickers", INSTRUMENT, [okx_ticker()])) == [
        Ticker("OKX", INSTRUMENT, BOOK_NS, 7, *day, "8888.88", "5", "9999.99", "11")
    ]


@pytest.mark.parametrize("zero", ["", "0", "0.0"])
def test_a_ticker_with_nobody_on_a_side(zero: str) -> None:
    wire = Wire("ticker")
    (ticker,) = wire.parse(okx_frame("tickers", INSTRUMENT, [okx_ticker(bidPx=zero, bidSz="0", last="", open24h="")]))
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.bid_size, ticker.ask, ticker.last, ticker.open) == (None, "0", "9999.99", None, None)
    (ticker,) = wire.parse(okx_frame("tickers", INSTRUMENT, [okx_ticker(askPx=zero, askSz="")]))
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.ask, ticker.ask_size) == ("8888.88", None, None)


def test_books5_is_a_whole_picture_each_time() -> None:
    wire = Wire("book5")
    for _ in range(2):
        assert wire.parse(okx_frame("books5", INSTRUMENT, [okx_book(seqId=5)])) == [
            BookSnapshot(
                *("OKX", INSTRUMENT, BOOK_NS, 7),
                [("8476.97", "256")],
                [("8476.98", "415"), ("8477", "7")],
                None,
                "5",
                None,
            )
        ]


@pytest.mark.parametrize("interval", okx.INTERVALS)
def test_a_candle_of_each_interval(interval: str) -> None:
    wire = Wire(f"bar_{interval}")
    prices = ("8533.02", "8553.74", "8527.17", "8548.26")
    assert wire.parse(okx_frame(f"candle{interval}", INSTRUMENT, [OKX_CANDLE])) == [
        Bar("OKX", INSTRUMENT, 0, 7, interval, BOOK_NS, *prices, "45247", True)
    ]


@pytest.mark.parametrize("row", [[*OKX_CANDLE[:8], "0"], [*OKX_CANDLE[:8], ""], OKX_CANDLE[:7], OKX_CANDLE[:6]])
def test_a_candle_is_open_unless_confirmed(row: list[str]) -> None:
    (bar,) = Wire("bar_1m").parse(okx_frame("candle1m", INSTRUMENT, [row]))
    assert isinstance(bar, Bar)
    assert not bar.closed


def test_funding_mark_price_and_open_interest() -> None:
    wire = Wire("funding", "mark_price", "open_interest")
    due = 1744590349506_000_000
    assert wire.parse(okx_frame("funding-rate", INSTRUMENT, [OKX_FUNDING])) == [
        Funding("OKX", INSTRUMENT, 1744590349000_000_000, 7, "0.0001", due)
    ]
    untimed = {key: value for key, value in OKX_FUNDING.items() if key != "ts"}
    assert wire.parse(okx_frame("funding-rate", INSTRUMENT, [untimed])) == [
        Funding("OKX", INSTRUMENT, 0, 7, "0.0001", due)
    ]
    assert wire.parse(okx_frame("mark-price", INSTRUMENT, [OKX_MARK_PRICE])) == [
        MarkPrice("OKX", INSTRUMENT, 1630049139746_000_000, 7, "42310.6")
    ]
    assert wire.parse(okx_frame("open-interest", INSTRUMENT, [OKX_OPEN_INTEREST])) == [
        OpenInterest("OKX", INSTRUMENT, 1743041250440_000_000, 7, "2216113.01")
    ]


# ---- the book


def test_a_book_follows_its_chain() -> None:
    wire = Wire("book")
    assert wire.book("snapshot", seqId=10) == [
        BookSnapshot(
            *("OKX", INSTRUMENT, BOOK_NS, 7),
            [("8476.97", "256")],
            [("8476.98", "415"), ("8477", "7")],
            None,
            "10",
            None,
        )
    ]
    assert wire.book("update", asks=[["8477", "0", "0", "0"]], bids=[], prevSeqId=10, seqId=15) == [
        BookDelta("OKX", INSTRUMENT, BOOK_NS, 7, [], [("8477", "0")], "10", "15", None)
    ]
    assert wire.noticed() == []


def test_books_whose_snapshot_comes_on_the_stream_are_subscribed_anew_to_be_shown_whole() -> None:
    wire = Wire("book", "trade")
    assert [topic.channel for topic in wire.adapter.resync(wire.topics)] == ["book"]
    assert Okx().resync(Okx().topics(["book5"], ["BTC-USDT"])) == [], "each picture stands for itself"


def test_a_book_that_stands_still_says_so() -> None:
    wire = Wire("book")
    wire.book("snapshot", 1, seqId=10)
    assert wire.book("update", 2, asks=[], bids=[], prevSeqId=10, seqId=10) == []
    assert wire.adapter.last_data_ns == {"books:BTC-USDT": 2}
    assert wire.noticed() == []


def test_an_update_without_levels_still_counts_where_the_id_moves() -> None:
    wire = Wire("book")
    wire.book("snapshot", seqId=10)
    assert len(wire.book("update", asks=[], bids=[], prevSeqId=10, seqId=12)) == 1
    assert len(wire.book("update", prevSeqId=12, seqId=3)) == 1  # ids begin anew after maintenance
    assert len(wire.book("update", prevSeqId=3, seqId=4)) == 1
    assert wire.noticed() == []


def test_a_break_asks_to_subscribe_again_and_nothing_flows_until_the_snapshot() -> None:
    wire = Wire("book")
    wire.book("snapshot", 1, seqId=10)
    (gap,) = wire.book("update", 2, prevSeqId=11, seqId=12)
    assert isinstance(gap, Gap)
    wire_name = "books:BTC-USDT"
    assert wire.noticed() == [BookLost(wire_name, INSTRUMENT, gap.cause), Resubscribe(wire_name, gap.cause)]
    assert wire.book("update", 3, prevSeqId=12, seqId=13) == []
    assert wire.adapter.last_data_ns == {wire_name: 1}
    assert len(wire.book("snapshot", 4, seqId=20)) == 1
    assert wire.adapter.last_data_ns == {wire_name: 4}


def test_the_documented_checksum() -> None:
    book: OrderBook[str] = OrderBook()
    book.snapshot([("3366.1", "7"), ("3366", "6")], [("3366.8", "9"), ("3368", "8")])
    assert book_checksum(book) == 2413953002
    assert book_checksum(book) - 2**32 == -1881014294


def test_one_side_longer_than_the_other_goes_on_alone() -> None:
    book: OrderBook[str] = OrderBook()
    book.snapshot([("3", "1"), ("2", "1")], [("4", "1")])
    assert book_checksum(book) == zlib.crc32(b"3:1:4:1:2:1")


def test_a_checksum_of_old_recordings_is_compared_and_printed_unsigned() -> None:
    wire = Wire("book")
    levels = {"bids": [["3366.1", "7", "0", "3"], ["3366", "6", "3", "4"]], "asks": [["3366.8", "9", "10", "3"]]}
    more = {"asks": [["3368", "8", "3", "4"]], "bids": []}
    old = [okx_book(**levels, checksum=_crc("3366.1:7:3366.8:9:3366:6"))]
    for row in old:
        del row["seqId"], row["prevSeqId"]
    (snapshot,) = wire.parse(okx_frame("books", INSTRUMENT, old, action="snapshot"))
    assert isinstance(snapshot, BookSnapshot)
    update = okx_book(**more, checksum=-1881014294)
    del update["seqId"], update["prevSeqId"]
    (delta,) = wire.parse(okx_frame("books", INSTRUMENT, [update], action="update"))
    assert isinstance(delta, BookDelta)
    assert (delta.checksum, delta.first_id, delta.last_id) == (2413953002, None, None)
    (gap,) = wire.parse(okx_frame("books", INSTRUMENT, [{**update, "checksum": 5}], action="update"))
    assert isinstance(gap, Gap)
    assert "checksum 5 was sent" in gap.cause


def _crc(text: str) -> int:
    unsigned = zlib.crc32(text.encode())
    return unsigned - 2**32 if unsigned >= 2**31 else unsigned


@pytest.mark.parametrize("checksum", [0, None])
def test_no_checksum_is_never_a_mismatch(checksum: int | None) -> None:
    wire = Wire("book")
    wire.book("snapshot", seqId=1, checksum=checksum)
    (delta,) = wire.book("update", prevSeqId=1, seqId=2, checksum=checksum)
    assert isinstance(delta, BookDelta)
    assert delta.checksum is None


def test_a_book_frame_must_say_what_it_is() -> None:
    with pytest.raises(msgspec.ValidationError, match="action"):
        Wire("book").parse(okx_frame("books", INSTRUMENT, [okx_book()]))
    with pytest.raises(msgspec.ValidationError):
        Wire("book").book("replace")


# ---- other shapes of frames


@pytest.mark.parametrize("sample", OKX_SAMPLES[:12], ids=lambda sample: sample.channel)
def test_key_order_white_space_and_further_keys_make_no_difference(sample: Any) -> None:
    def adapter() -> Okx:
        made = Okx()
        made.subscribe(made.topics([sample.channel], [sample.symbol]))
        return made

    def parse(made: Okx, frame: bytes) -> list[MarketEvent[str]]:
        out: list[MarketEvent[str]] = []
        made.parse(frame, 7, out)
        return out

    expected = parse(adapter(), sample.frame)
    message = msgspec.json.decode(sample.frame)
    more = {**message, "arg": {"instType": "SPOT", **message["arg"], "connId": "a}b"}}
    turned = dict(reversed(message.items()))
    for other in (more, turned, {**message, "arg": dict(reversed(message["arg"].items()))}):
        for frame in (msgspec.json.encode(other), msgspec.json.format(msgspec.json.encode(other), indent=2)):
            made = adapter()
            assert parse(made, frame) == expected
            assert parse(made, frame) == expected  # the second time by what was learned from the first
            adopting = Okx(adopt=True)
            assert parse(adopting, frame) == expected


def test_a_learned_beginning_names_its_topic_wholly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(okx, "SPELLINGS_MAX", 3)
    wire = Wire("trade", "quote")
    frame = okx_frame("trades", INSTRUMENT, [okx_trade()])
    for spaces in range(6):
        assert len(wire.parse(frame.replace(b'{"arg"', b"{" + b" " * spaces + b'"arg"'))) == 1
    # a brace inside a string ends the beginning too early: it must not be learned
    tricky = frame.replace(b'"channel"', b'"x":"}","channel"')
    assert len(wire.parse(tricky)) == 1
    assert len(wire.parse(okx_frame("bbo-tbt", INSTRUMENT, [okx_book()]))) == 1


@pytest.mark.parametrize(
    "change", [{"px": 1.5}, {"px": None}, {"side": "hold"}, {"ts": "x"}, {"ts": "-1"}, {"ts": "9" * 30}, {"tradeId": 5}]
)
def test_a_wrong_type_or_size_in_a_known_field_is_refused(change: dict[str, Any]) -> None:
    wire = Wire("trade")
    with pytest.raises(msgspec.ValidationError):
        wire.parse(okx_frame("trades", INSTRUMENT, [okx_trade(), okx_trade(**change)]))
    assert len(wire.parse(okx_frame("trades", INSTRUMENT, [okx_trade()]))) == 1


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"pong!",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":' + b"[" * 100_000,
        b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":NaN}',
        b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"tradeId":"\xff"}]}',
    ],
)
def test_garbage_is_refused_as_such(frame: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        Wire("trade").parse(frame)


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"data": []},
        {"arg": {"channel": "trades", "instId": INSTRUMENT}},
        {"arg": {"channel": "status"}, "data": []},
        {"arg": {}, "data": []},
        {"arg": {"channel": "trades", "instId": "\u0000"}, "data": []},
        {"event": "login", "code": "0"},
        {"event": "notice", "code": "1"},
        {"event": "subscribe"},
    ],
)
def test_what_is_not_known_is_unrecognized_even_in_replay(frame: dict[str, Any]) -> None:
    with pytest.raises(UnrecognizedFrame):
        Wire(adopt=True).parse(frame)


def test_topics_nobody_asked_for_are_unrecognized() -> None:
    with pytest.raises(UnrecognizedFrame, match="trades"):
        Wire("quote").parse(okx_frame("trades", INSTRUMENT, [okx_trade()]))


def test_adoption_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(okx, "ADOPTED_MAX", 2)
    wire = Wire(adopt=True)
    for instrument in ("A-B", "C-D"):
        wire.parse(okx_frame("trades", instrument, [okx_trade()]))
    with pytest.raises(UnrecognizedFrame):
        wire.parse(okx_frame("trades", "E-F", [okx_trade()]))


def test_a_beginning_that_names_another_topic_is_not_learned() -> None:
    wire = Wire("quote")
    book = okx_frame("bbo-tbt", INSTRUMENT, [okx_book()])
    two_arguments = b'{"arg":{"channel":"trades","instId":"BTC-USDT"},' + book[1:]
    assert [type(event) for event in wire.parse(two_arguments)] == [Quote]
    with pytest.raises(UnrecognizedFrame):
        wire.parse(okx_frame("trades", INSTRUMENT, [okx_trade()]))


# ---- requests and answers


def test_topics_are_named_by_channel_and_instrument() -> None:
    assert Okx().topics(["trade", "book"], ["BTC-USDT", "BTC-USDT-SWAP", "BTC-USDT"]) == [
        Topic("trade", "BTC-USDT", "trades:BTC-USDT"),
        Topic("book", "BTC-USDT", "books:BTC-USDT"),
        Topic("trade", "BTC-USDT-SWAP", "trades:BTC-USDT-SWAP"),
        Topic("book", "BTC-USDT-SWAP", "books:BTC-USDT-SWAP"),
    ]


@pytest.mark.parametrize(
    ("channels", "symbols"),
    [
        (["nope"], ["A-B"]),
        (["book", "book5"], ["A-B"]),
        (["bar_1m", "trade"], ["A-B"]),
        (["trade"], [""]),
        (["trade"], ["A:B"]),
        (["trade"], ["A\x00"]),
        (["trade"], ["A" * 65]),
    ],
)
def test_impossible_topics_are_refused(channels: list[str], symbols: list[str]) -> None:
    with pytest.raises(ValueError, match=r"channel|only one|another address|cannot be an instrument"):
        Okx().topics(channels, symbols)


@pytest.mark.parametrize(
    ("channel", "base", "address"),
    [
        ("trade", Okx.url, "wss://ws.okx.com:8443/ws/v5/public"),
        ("bar_1m", Okx.url, "wss://ws.okx.com:8443/ws/v5/business"),
        ("bar_1m", "ws://127.0.0.1:9001", "ws://127.0.0.1:9001/ws/v5/business"),
        (
            "trade",
            "wss://wspap.okx.com:8443/ws/v5/public?brokerId=9999",
            "wss://wspap.okx.com:8443/ws/v5/public?brokerId=9999",
        ),
        ("bar_1m", "ws://proxy/okx", "ws://proxy/okx"),
    ],
)
def test_candles_are_served_at_another_path(channel: str, base: str, address: str) -> None:
    adapter = Okx()
    adapter.topics([channel], [INSTRUMENT])
    assert adapter.address(base) == address


def test_requests_are_cut_to_number_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = Okx()
    topics = adapter.topics(["trade"], [f"A{number}-USDT" for number in range(201)])
    requests = [msgspec.json.decode(text) for text in adapter.subscribe(topics) + adapter.unsubscribe(topics)]
    assert [len(request["args"]) for request in requests] == [100, 100, 1] * 2
    assert [request["op"] for request in requests] == ["subscribe"] * 3 + ["unsubscribe"] * 3
    assert [request["id"] for request in requests] == ["1", "2", "3", "4", "5", "6"]
    assert requests[0]["args"][0] == {"channel": "trades", "instId": "A0-USDT"}
    monkeypatch.setattr(okx, "REQUEST_BYTES_MAX", 1_000)
    texts = adapter.subscribe(topics)
    assert sum(len(msgspec.json.decode(text)["args"]) for text in texts) == 201
    assert max(len(text) for text in texts) < 1_100


def test_one_answer_for_each_argument() -> None:
    wire = Wire("trade", "book")
    for channel in ("books", "trades"):
        wire.parse({"event": "subscribe", "arg": {"channel": channel, "instId": INSTRUMENT}, "connId": "a4d3ae55"})
    assert wire.noticed() == [Acknowledged(("books:BTC-USDT",)), Acknowledged(("trades:BTC-USDT",))]


REQUEST_ERROR = {"event": "error", "code": "60012", "msg": 'Illegal request: {"op":"x"}', "connId": "a4d3ae55"}
TOPIC_ERROR = {"event": "error", "code": "60018", "msg": "channel:trades,instId:BTC-USDT doesn't exist", "connId": "a"}


@pytest.mark.parametrize(
    ("answer", "wires"),
    [
        (REQUEST_ERROR, ()),
        ({**REQUEST_ERROR, "id": "1"}, ("trades:BTC-USDT", "books:BTC-USDT")),
        ({**REQUEST_ERROR, "id": "77"}, ()),
        (TOPIC_ERROR, ("trades:BTC-USDT",)),
        ({**TOPIC_ERROR, "id": "1"}, ("trades:BTC-USDT",)),
        (
            {**TOPIC_ERROR, "msg": "channel:ticker,instId:BTC-USDT doesn't exist", "id": "1"},
            ("trades:BTC-USDT", "books:BTC-USDT"),
        ),
        (
            {**TOPIC_ERROR, "msg": "Wrong URL or channel:books,instId:BTC-USDT doesn't exist. Please"},
            ("books:BTC-USDT",),
        ),
        ({**TOPIC_ERROR, "arg": {"channel": "books", "instId": INSTRUMENT}}, ("books:BTC-USDT",)),
        ({"event": "channel-conn-count-error", "channel": "orders", "connCount": "30"}, ()),
    ],
)
def test_refusals_name_as_much_as_is_known(answer: dict[str, Any], wires: tuple[str, ...]) -> None:
    wire = Wire("trade", "book")
    wire.parse(answer)
    (refused,) = wire.noticed()
    assert isinstance(refused, Refused)
    assert refused.wires == wires
    assert str(answer.get("code", "")) in refused.reason


def test_remembered_requests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(okx, "REQUESTS_MAX", 2)
    wire = Wire("trade")
    wire.adapter.subscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    for request_id in ("1", "2"):
        wire.parse({**REQUEST_ERROR, "id": request_id})
    assert [notice.wires for notice in wire.noticed() if isinstance(notice, Refused)] == [(), ("trades:BTC-USDT",)]


def test_what_was_unsubscribed_is_no_longer_accepted() -> None:
    wire = Wire("trade")
    trade = okx_frame("trades", INSTRUMENT, [okx_trade()])
    wire.adapter.unsubscribe(wire.topics)
    assert len(wire.parse(trade)) == 1
    wire.parse({"event": "unsubscribe", "arg": {"channel": "trades", "instId": INSTRUMENT}})
    assert wire.noticed() == [Acknowledged(("trades:BTC-USDT",), subscribed=False)]
    with pytest.raises(UnrecognizedFrame):
        wire.parse(trade)
    assert wire.adapter.last_data_ns == {}


def test_a_topic_asked_for_again_meanwhile_stays() -> None:
    wire = Wire("trade")
    wire.adapter.unsubscribe(wire.topics)
    wire.adapter.subscribe(wire.topics)
    for event in ("unsubscribe", "subscribe"):
        wire.parse({"event": event, "arg": {"channel": "trades", "instId": INSTRUMENT}})
    assert wire.noticed() == [Acknowledged(("trades:BTC-USDT",))]
    assert len(wire.parse(okx_frame("trades", INSTRUMENT, [okx_trade()]))) == 1


def test_pings_and_pongs_are_bare_text() -> None:
    wire = Wire("trade")
    wire.parse(b"pong")
    wire.parse(b"ping")
    assert wire.noticed() == [Pong(), SendText("pong")]


def test_a_service_upgrade_is_announced() -> None:
    wire = Wire("trade")
    wire.parse({"event": "notice", "code": "64008", "msg": "The connection will soon be closed", "connId": "a"})
    assert wire.noticed() == [CloseAnnounced("64008: The connection will soon be closed")]


def test_counts_of_connections_say_nothing() -> None:
    wire = Wire("trade")
    wire.parse({"event": "channel-conn-count", "channel": "orders", "connCount": "2", "connId": "abcd1234"})
    assert wire.noticed() == []


# ---- instruments


@pytest.mark.parametrize(
    ("symbol", "instrument"),
    [
        ("BTC-USDT", "BTC-USDT"),
        ("BTC-USDT-SWAP", "BTC-USDT-PERP"),
        ("BTC-USD-220527", "BTC-USD-22K27"),
        ("BTC-USD-260130", "BTC-USD-26F30"),
        ("BTC-USD-210924-66000-C", "BTC-USD-66000-21U24-call"),
        ("BTC-USD-211231-42000-P", "BTC-USD-42000-21Z31-put"),
        ("BTC-USD-211331", "BTC-USD-211331"),
        ("BTC-USD-TODAY", "BTC-USD-TODAY"),
        ("BTC-USD-211231-42000-X", "BTC-USD-211231-42000-X"),
        ("BTC-USD-211231-42000", "BTC-USD-211231-42000"),
        ("BTC", "BTC"),
        ("", ""),
    ],
)
def test_symbols_tell_the_instrument(symbol: str, instrument: str) -> None:
    assert Okx().instrument(symbol) == instrument


def test_the_instrument_list() -> None:
    body = b'{"code":"0","data":[{"instId":"BTC-USDT-SWAP","instType":"SWAP"},{"instId":"BTC-USDT"}]}'
    assert Okx().instruments(body) == {"BTC-USDT-SWAP": "BTC-USDT-PERP", "BTC-USDT": "BTC-USDT"}
    path = "/api/v5/public/instruments?instType="
    assert Okx().instruments_path(["BTC-USDT", "BTCUSDT"]) == path + "SPOT"
    assert Okx().instruments_path(["BTC-USDT-SWAP"]) == path + "SWAP"
    assert Okx().instruments_path(["BTC-USD-240329"]) == path + "FUTURES"
    for symbols in ([], ["BTC-USDT", "BTC-USDT-SWAP"], ["BTC-USD-240329-50000-C"]):
        assert Okx().instruments_path(symbols) is None


def test_symbols_are_upper_case_however_they_are_configured() -> None:
    topics = Okx().topics(["trade"], ["btc-usdt", "BTC-USDT"])
    assert [(topic.symbol, topic.wire) for topic in topics] == [("BTC-USDT", "trades:BTC-USDT")]


# ---- past trades


def test_past_trades_are_asked_for_going_back_from_the_end() -> None:
    adapter = Wire("trade").adapter
    request = adapter.backfill_request(INSTRUMENT, EVENT_MARKET_TRADE, 5, 90)
    assert request is not None
    assert request.path == "/api/v5/market/history-trades?instId=BTC-USDT&type=1&after=91&limit=100"
    assert request.weight == 2
    assert adapter.backfill_request(INSTRUMENT, EVENT_BOOK, 5, 90) is None
    assert adapter.backfill_request("ETH-USDT", EVENT_MARKET_TRADE, 5, 90) is None
    assert Wire("book").adapter.backfill_request(INSTRUMENT, EVENT_MARKET_TRADE, 5, 90) is None


def test_past_trades_read_like_those_of_the_stream() -> None:
    body = okx_answer([okx_past_trade(6), okx_past_trade(5, side="buy")])
    assert Okx().on_backfill("", body, 7) == [
        Trade("OKX", INSTRUMENT, 1654161646974_000_000, 7, "29963.2", "0.00001", side, number)
        for side, number in (("sell", "6"), ("buy", "5"))
    ]


def test_an_answer_that_says_that_it_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="50011: Too Many Requests"):
        Okx().on_backfill("", okx_answer([], code="50011", msg="Too Many Requests"), 7)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"[" * 100_000, b'{"code":"0","data":[{}]}', b'{"code":"0","data":7}']
)
def test_a_past_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, ValueError)):
        Okx().on_backfill("", body, 7)


@pytest.mark.parametrize(
    ("code", "retry"),
    [
        *((code, "never") for code in ("60011", "60012", "60013", "60018", "60029", "64003")),
        *((code, "later") for code in ("50001", "50011", "50013", "50026", "60014", "63999", "12345")),
        ("50004", "now"),
    ],
)
def test_refusals_are_sorted_by_what_they_mean(code: str, retry: str) -> None:
    wire = Wire("trade")
    wire.parse({"event": "error", "code": code, "msg": "no", "arg": {"channel": "trades", "instId": "BTC-USDT"}})
    (refused,) = wire.noticed()
    assert isinstance(refused, Refused)
    assert (refused.wires, refused.retry, refused.exact) == (("trades:BTC-USDT",), retry, True)


def test_a_look_by_rest_tells_whether_a_topic_has_moved() -> None:
    wire = Wire("trade")
    topics = {t.channel: t for t in wire.adapter.topics(["trade", "quote", "book", "ticker", "funding"], ["BTC-USDT"])}

    def token(channel: str, row: object, code: str = "0") -> str:
        return wire.adapter.liveness_token(topics[channel], msgspec.json.encode({"code": code, "data": [row]}))

    def path(channel: str) -> str:
        request = wire.adapter.liveness_request(topics[channel])
        return "" if request is None else request.path

    assert path("trade") == "/api/v5/market/trades?limit=1&instId=BTC-USDT"
    assert path("quote") == "/api/v5/market/books?sz=1&instId=BTC-USDT"
    assert path("book") == "/api/v5/market/books?sz=5&instId=BTC-USDT"
    assert path("ticker") == "/api/v5/market/ticker?instId=BTC-USDT"
    assert path("funding") == ""
    assert token("trade", {"tradeId": "5", "ts": "1"}) == token("trade", {"tradeId": "5", "ts": "2"})
    assert token("trade", {"tradeId": "5"}) != token("trade", {"tradeId": "6"})
    book = {"asks": [["2", "1", "0", "1"]], "bids": [["1", "1", "0", "1"]], "ts": "1"}
    assert token("quote", book) == token("quote", {**book, "ts": "9"})
    assert token("book", book) != token("book", {**book, "bids": []})
    with pytest.raises(ValueError, match="50011"):
        token("trade", {}, "50011")
