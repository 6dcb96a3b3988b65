"""What is encoded comes back the same; what is malformed raises the one error that callers expect."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_protocol import commands
from foxtrot_protocol.codec import (
    BATCH_BYTES_MAX,
    CONTROL_BYTES_MAX,
    BatchEncoder,
    Numbers,
    batch_decoder,
    decode_from_child,
    decode_to_child,
    encode_control,
    read_header,
)
from foxtrot_protocol.errors import MalformedMessage, MessageTooLarge, VersionMismatch
from foxtrot_protocol.events import BookDelta, Quote, Trade

TRADE = Trade("X", "S", 1, 2, "9.121E-7", "0.10", "buy", "123456789012345678901234567")
BOOK = BookDelta("X", "S", 1, 2, [("1.10", "0")], [], "8", "9", None)

CONTROL: list[Any] = [
    commands.Hello("w", 1, 2),
    commands.Ready("w", 1, {"url": "ws://127.0.0.1:1"}),
    commands.Heartbeat("w", 1, 0.5, 1, 2, 3, 4, topics=[commands.TopicStatus("t", "flowing", None)]),
    commands.Heartbeat("engine", 1, 0.5, 1, 2, 3, 4, sources={"w": commands.SourceCounters(1, 2, 3, 4, 5.0, 6.0)}),
    commands.Failed("w", 1, "why", 2.5),
    commands.Done("w", 1, 7, ""),
    commands.Drained("engine", 2, "w", 1, 10, 8, 2, 1),
    commands.HoleFound("engine", 2, "c", "S", "eMarketTrade.", "10", "12", 5, 6),
    commands.BooksWanted("engine", 2, "c", ["S"], 1),
    commands.Backfilled("w", 1, 3, 2, "not available", "12", "12", retry=True),
    commands.RotateWanted("w", 1, "its planned age"),
    commands.RemoteWorkers("landing", 1, {"c.a0-a": 5_000_001}, {"c.b0-a": 4_000_001}),
    commands.BudgetAsk("w", 1, 4, "rest", "api.example:443", 250, 6000, 60.0),
    commands.BudgetSpent("w", 1, "connect", "stream.example:443", 30.0),
    commands.Left("w", 3),
    commands.LogRecord("w", "info", "event", {"a": "b"}),
    commands.Logged("w", "error", "event", {}),
    commands.Stop(30.0),
    commands.Subscribe(1, ["A"]),
    commands.Unsubscribe(2, ["A"]),
    commands.FetchList(2, "/run/instruments-1.json"),
    commands.Backfill(3, "S", "eMarketTrade.", "10", "12", 5, 6),
    commands.Resync(["S"]),
    commands.TwinFresh(0.5),
    commands.BudgetGrant(4, 0.25),
    commands.Fenced("w", 1),
    commands.ForHosts(commands.BooksWanted("engine", 2, "c", ["S"], 1)),
    commands.WorkersStarted({"w": 2}, more=True),
    commands.WorkerChanged("w", 1, "RUNNING", "", None, None, None, 0),
]


def batch(*events: Any) -> bytes:
    return BatchEncoder("w", 3).encode(5, 6, events)


@pytest.mark.parametrize(
    ("numbers", "price", "size"),
    [("float", 9.121e-7, 0.1), ("decimal", Decimal("9.121E-7"), Decimal("0.10")), ("text", "9.121E-7", "0.10")],
)
def test_the_consumer_chooses_the_number_type(numbers: Numbers, price: object, size: object) -> None:
    decoded = batch_decoder(numbers).decode(batch(TRADE, BOOK))
    assert (decoded.worker, decoded.incarnation, decoded.sequence, decoded.publish_ns) == ("w", 3, 5, 6)
    trade = decoded.events[0]
    assert (trade.price, trade.size) == (price, size)
    assert type(trade.price) is type(price)
    assert trade.trade_id == TRADE.trade_id


def test_text_comes_back_digit_for_digit() -> None:
    assert batch_decoder("text").decode(batch(TRADE, BOOK)).events == [TRADE, BOOK]


def test_an_empty_side_stays_empty() -> None:
    quote = Quote("X", "S", 1, 2, "1", "2", None, None, "")
    assert batch_decoder("float").decode(batch(quote)).events[0].ask is None


def test_a_batch_too_large_is_not_sent_and_not_read() -> None:
    many = BookDelta("X", "S", 1, 2, [("1" * 40, "2" * 40)] * 60_000, [], None, None, None)
    with pytest.raises(MessageTooLarge) as caught:
        batch(many)
    assert caught.value.limit_bytes == BATCH_BYTES_MAX
    with pytest.raises(MalformedMessage, match="over the limit"):
        batch_decoder("text").decode(bytes(BATCH_BYTES_MAX + 1))


def test_another_version_is_told_from_rubbish() -> None:
    good = msgpack.unpackb(batch(TRADE))
    with pytest.raises(VersionMismatch) as caught:
        batch_decoder("text").decode(msgpack.packb([3, *good[1:]]))
    assert (caught.value.theirs, caught.value.ours) == (3, 2)
    # a later version may look different altogether
    with pytest.raises(VersionMismatch):
        batch_decoder("text").decode(msgpack.packb([3, {"new": 1}]))
    with pytest.raises(MalformedMessage):
        batch_decoder("text").decode(msgpack.packb([1, {"new": 1}]))
    with pytest.raises(MalformedMessage):
        batch_decoder("text").decode(b"\x96")


@pytest.mark.parametrize("numbers", ["float", "decimal"])
def test_an_invalid_number_is_malformed(numbers: Numbers) -> None:
    bad = Trade("X", "S", 1, 2, "abc", "1", "buy", "1")
    with pytest.raises(MalformedMessage):
        batch_decoder(numbers).decode(batch(bad))


def test_the_header_is_readable_though_an_event_is_not() -> None:
    good = msgpack.unpackb(batch(TRADE))
    data = msgpack.packb([*good[:5], [["unheard_of", 1]]])
    with pytest.raises(MalformedMessage, match="batch"):
        batch_decoder("text").decode(data)
    assert read_header(data).worker == "w"
    with pytest.raises(MalformedMessage, match="batch header"):
        read_header(b"\xc1")


def test_more_elements_than_known_are_a_newer_writers() -> None:
    good = msgpack.unpackb(batch(TRADE))
    good[5][0].append("new")
    assert batch_decoder("text").decode(msgpack.packb([*good, None, None, "new"])).events == [TRADE]


@pytest.mark.parametrize("message", CONTROL, ids=lambda message: type(message).__name__)
def test_control_messages_come_back_the_same(message: Any) -> None:
    from_child = isinstance(message, get_args(commands.FromChild))
    decode, other = (decode_from_child, decode_to_child) if from_child else (decode_to_child, decode_from_child)
    assert decode(encode_control(message)) == message
    with pytest.raises(MalformedMessage, match="control message"):
        other(encode_control(message))


def test_every_control_message_is_tried() -> None:
    kinds = set(get_args(commands.FromChild)) | set(get_args(commands.ToChild))
    assert {type(message) for message in CONTROL} == kinds


def test_a_control_message_too_large_is_not_sent_and_not_read() -> None:
    with pytest.raises(MessageTooLarge):
        encode_control(commands.Failed("w", 1, "x" * CONTROL_BYTES_MAX))
    with pytest.raises(MalformedMessage, match="over the limit"):
        decode_to_child(bytes(CONTROL_BYTES_MAX + 1))


_msgpack: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary(max_size=8) | st.just("w"),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.just("k"), inner),
    max_leaves=20,
)


@given(st.binary(max_size=64) | _msgpack.map(msgpack.packb))
def test_no_bytes_whatever_raise_anything_else(data: bytes) -> None:
    decoders = [batch_decoder(numbers).decode for numbers in get_args(Numbers)]
    for decode in (*decoders, read_header, decode_from_child, decode_to_child):
        try:
            decode(data)
        except (MalformedMessage, VersionMismatch):
            continue


@given(st.integers(0, 79), st.integers(0, 255))
def test_a_damaged_batch_is_read_or_refused(place: int, value: int) -> None:
    data = bytearray(batch(TRADE, BOOK))
    data[place % len(data)] = value
    for cut in (bytes(data), bytes(data[:place])):
        try:
            batch_decoder("float").decode(cut)
        except (MalformedMessage, VersionMismatch):
            continue


def test_deep_nesting_is_refused() -> None:
    for decode in (batch_decoder("text").decode, read_header, decode_from_child):
        with pytest.raises(MalformedMessage):
            decode(b"\x91" * 100_000)
