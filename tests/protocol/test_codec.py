"""Batches and control messages: there and back, and nothing but our own errors for rubbish."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_protocol import codec
from foxtrot_protocol.codec import (
    BatchEncoder,
    Numbers,
    batch_decoder,
    decode_from_child,
    decode_to_child,
    encode_control,
    read_header,
)
from foxtrot_protocol.commands import (
    Done,
    Failed,
    Fenced,
    FromChild,
    Heartbeat,
    Hello,
    LogRecord,
    Ready,
    SourceCounters,
    Stop,
    Subscribe,
    ToChild,
    TopicStatus,
    Unsubscribe,
    WorkerChanged,
)
from foxtrot_protocol.errors import MalformedMessage, MessageTooLarge, RemoteError, VersionMismatch
from foxtrot_protocol.events import (
    Bar,
    BookDelta,
    BookSnapshot,
    FeedStatus,
    Funding,
    Gap,
    Liquidation,
    MarketEvent,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)

EVENTS: list[MarketEvent[str]] = [
    Trade("BINANCE", "BTCUSDT", 1, 2, "0.00000912", "9.121E-7", "buy", "123456789012345678901234567"),
    Quote("BINANCE", "BTCUSDT", 0, 2, "1.0", "2.0", None, None, ""),
    BookSnapshot("OKX", "BTC-USDT", 1, 2, [("2.0", "1"), ("1.0", "1")], [("3.0", "0.5")], None, "77", 4_294_967_295),
    BookDelta("OKX", "BTC-USDT", 1, 2, [("2.0", "0")], [], "77", "78", None),
    Ticker("OKX", "BTC-USDT", 1, 2, "1", "2", "3", "4", "5", None, "6", None, "7", None),
    Bar("BINANCE", "BTCUSDT", 1, 2, "1m", 60, "1", "2", "0.5", "1.5", "100", True),
    Funding("OKX", "BTC-USDT-SWAP", 1, 2, "-0.0001", 99),
    MarkPrice("OKX", "BTC-USDT-SWAP", 1, 2, "30000.1"),
    OpenInterest("OKX", "BTC-USDT-SWAP", 1, 2, "12345"),
    Liquidation("OKX", "BTC-USDT-SWAP", 1, 2, "sell", "30000", "3"),
    FeedStatus("OKX", "BTC-USDT", 0, 2, "books:BTC-USDT", "stale", 31.5),
    Gap("OKX", "BTC-USDT", 0, 2, "eBook.", "78", None, 1, 2, "test"),
]

FROM_CHILD: list[FromChild] = [
    Hello("a", 1, 2),
    Ready("a", 1, {"url": "ws://127.0.0.1:1"}),
    Heartbeat("a", 1, 0.5, 2, 3, 4, 5),
    Heartbeat(
        "e",
        1,
        0.5,
        2,
        3,
        4,
        5,
        topics=[TopicStatus("t", "flowing", None)],
        sources={"a": SourceCounters(1, 2, 3, 4, 5, 6)},
    ),
    Failed("a", 1, "why", 2.5),
    Done("a", 1, 7, ""),
    LogRecord("a", "info", "event", {"k": "v"}),
]
TO_CHILD: list[ToChild] = [
    Stop(30.0),
    Subscribe(1, ["A"]),
    Unsubscribe(2, []),
    Fenced("a", 3),
    WorkerChanged("a", 1, "EXITED", "why", None, 9, "kill", 4),
]


def encoded(events: list[MarketEvent[str]], sequence: int = 7) -> bytes:
    return BatchEncoder("w.a", 3).encode(sequence, 99, events)


def test_every_event_survives_as_text() -> None:
    batch = batch_decoder("text").decode(encoded(EVENTS))
    assert (batch.worker, batch.incarnation, batch.sequence, batch.publish_ns) == ("w.a", 3, 7, 99)
    assert batch.events == EVENTS


@pytest.mark.parametrize(
    ("numbers", "price", "size"),
    [
        ("text", "0.00000912", "9.121E-7"),
        ("float", 0.00000912, 9.121e-7),
        ("decimal", Decimal("0.00000912"), Decimal("9.121E-7")),
    ],
)
def test_the_consumer_chooses_the_number_type(numbers: Numbers, price: object, size: object) -> None:
    events: list[Any] = batch_decoder(numbers).decode(encoded(EVENTS[:2])).events
    trade, quote = events
    assert (trade.price, trade.size) == (price, size)
    assert type(trade.price) is type(price)
    assert type(quote.bid) is type(price)
    assert quote.ask is None
    assert trade.trade_id == "123456789012345678901234567"


def test_the_last_three_fields_may_be_left_out() -> None:
    fields = ["trade", "SIM", "A", 1, 2, "1.5", "2", "sell", "9"]
    events: list[Any] = batch_decoder("float").decode(msgpack.packb([1, "w", 1, 1, 0, [fields]])).events
    (trade,) = events
    assert (trade.price, trade.publish_ns, trade.redelivered, trade.backfilled) == (1.5, 0, False, False)


def test_unknown_further_fields_of_a_newer_writer_are_ignored() -> None:
    fields = ["trade", "SIM", "A", 1, 2, "1.5", "2", "sell", "9", 0, False, False, "new", {"x": 1}]
    assert len(batch_decoder("float").decode(msgpack.packb([1, "w", 1, 1, 0, [fields]])).events) == 1


@pytest.mark.parametrize("numbers", ["text", "float", "decimal"])
def test_another_version_is_named(numbers: Numbers) -> None:
    with pytest.raises(VersionMismatch) as caught:
        batch_decoder(numbers).decode(msgpack.packb([2, "w", 1, 1, 0, []]))
    assert (caught.value.theirs, caught.value.ours) == (2, 1)
    with pytest.raises(VersionMismatch):
        batch_decoder(numbers).decode(msgpack.packb([3, {"another": "layout"}]))


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xc1",
        b"\x96\x01",
        msgpack.packb({}),
        msgpack.packb([1, "w", 1, 1, 0, [["trade", "SIM"]]]),
        msgpack.packb([1, "w", 1, 1, 0, [["unheard-of", 1]]]),
        msgpack.packb([1, "w", 1, 1, 0, [["trade", "SIM", "A", 1, 2, "1", "2", "both", "9"]]]),
        msgpack.packb([1, "w", "one", 1, 0, []]),
        msgpack.packb([1, "w", 1, 1, 0, msgpack.ExtType(5, b"x")]),
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 5000,
    ],
)
@pytest.mark.parametrize("numbers", ["text", "float", "decimal"])
def test_what_is_no_batch_is_malformed(document: bytes, numbers: Numbers) -> None:
    with pytest.raises(MalformedMessage):
        batch_decoder(numbers).decode(document)


def test_a_batch_over_the_limit_is_neither_sent_nor_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(EVENTS)
    monkeypatch.setattr(codec, "BATCH_BYTES_MAX", 100)
    with pytest.raises(MessageTooLarge) as caught:
        encoded(EVENTS)
    assert caught.value.limit_bytes == 100
    with pytest.raises(MalformedMessage, match="limit"):
        batch_decoder("text").decode(data)


def test_the_header_is_readable_though_an_event_is_not() -> None:
    data = msgpack.packb([1, "w.b", 4, 9, 5, [["trade", "cut"]]])
    header = read_header(data)
    assert (header.worker, header.incarnation, header.sequence) == ("w.b", 4, 9)
    with pytest.raises(MalformedMessage):
        read_header(b"\x93\x01")


@pytest.mark.parametrize("message", FROM_CHILD, ids=lambda m: type(m).__name__)
def test_what_children_say_survives(message: FromChild) -> None:
    assert decode_from_child(encode_control(message)) == message


@pytest.mark.parametrize("message", TO_CHILD, ids=lambda m: type(m).__name__)
def test_what_children_are_told_survives(message: ToChild) -> None:
    assert decode_to_child(encode_control(message)) == message


def test_control_messages_are_bounded_and_checked() -> None:
    huge = LogRecord("a", "info", "x" * (codec.CONTROL_BYTES_MAX + 1), {})
    with pytest.raises(MessageTooLarge):
        encode_control(huge)
    for decode in (decode_from_child, decode_to_child):
        for data in (b"", b"\xc1", msgpack.packb(["hello"]), msgpack.packb(["unheard-of", 1]), b"\x91" * 5000):
            with pytest.raises(MalformedMessage):
                decode(data)
        with pytest.raises(MalformedMessage, match="limit"):
            decode(msgspec.msgpack.encode("x" * (codec.CONTROL_BYTES_MAX + 1)))


def spoiled(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed[: rng.randint(1, len(changed))]) if rng.random() < 0.3 else bytes(changed)


def test_flipped_and_cut_bytes_raise_nothing_but_our_errors() -> None:
    rng = random.Random(11)
    batches = [encoded(EVENTS), *(encoded([event]) for event in EVENTS)]
    controls = [encode_control(message) for message in (*FROM_CHILD, *TO_CHILD)]
    decoders = [batch_decoder(numbers).decode for numbers in ("text", "float", "decimal")]
    for _ in range(20_000):
        attempt(rng.choice(decoders), spoiled(rng.choice(batches), rng))
        attempt(rng.choice([decode_from_child, decode_to_child, read_header]), spoiled(rng.choice(controls), rng))


def attempt(decode: Any, data: bytes) -> None:
    try:
        decode(data)
    except RemoteError:
        return


@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_our_errors(data: bytes) -> None:
    for decode in (batch_decoder("float").decode, batch_decoder("decimal").decode, decode_from_child, read_header):
        attempt(decode, data)
