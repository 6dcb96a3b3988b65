"""The compiled reader of batches gives what the general decoder gives, or leaves the batch to it."""

from __future__ import annotations

import random
import sys
from decimal import Decimal
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from foxtrot_protocol import compiled
from foxtrot_protocol.codec import BatchEncoder, Numbers, batch_decoder
from foxtrot_protocol.errors import MalformedMessage, VersionMismatch
from foxtrot_protocol.events import EVENT_BOOK, BookDelta, FeedStatus, Quote, Ticker, Trade
from foxtrot_supervisor.engine.delivery.decode import BatchReader
from tests.support.fuzz_targets import events_of_each_kind
from tests.support.fuzzing import mutate

native = compiled.load("foxtrot_supervisor.engine.delivery._batches")

pytestmark = pytest.mark.skipif(native is None, reason="not compiled")

NUMBERS: list[Numbers] = ["float", "decimal", "text"]

ORDINARY = ["0", "1", "0.5", "64000.10", "0.00000001", "123456789012345", "0.30000000000000004", "99999999999999999999"]
UNUSUAL = [
    "",
    "-1",
    "1e5",
    "9.121E-7",
    "01",
    ".5",
    "5.",
    "1..2",
    "nan",
    "inf",
    "1_0",
    " 1",
    "x",
    "٣",
    "1" * 41,
    "0.1" + "0" * 30,
]


def native_decoder(numbers: Numbers) -> Any:
    assert native is not None
    return native.Decoder(numbers).decode


def expected(numbers: Numbers, data: bytes) -> Any:
    """What the general decoder makes of it; None if it is malformed."""
    try:
        batch = batch_decoder(numbers).decode(data)
    except (MalformedMessage, VersionMismatch):
        return None
    for event in batch.events:
        msgspec.structs.force_setattr(event, "publish_ns", batch.publish_ns)
    return batch


def same(numbers: Numbers, data: bytes, decode: Any = None) -> Any:
    """The compiled reader's batch, None if it leaves it; the general decoder gives the same."""
    batch = (decode or native_decoder(numbers))(data)
    if batch is not None:
        general = expected(numbers, data)
        assert general is not None
        assert (batch.version, batch.worker, batch.incarnation, batch.sequence) == (
            general.version, general.worker, general.incarnation, general.sequence,
        )  # fmt: skip
        assert repr(batch.events) == repr(general.events)
        assert [type(event) for event in batch.events] == [type(event) for event in general.events]
        if general.streams is not None:
            assert (batch.streams, batch.order) == (general.streams, general.order)
    return batch


TEXTS = st.sampled_from([*ORDINARY, *ORDINARY, *UNUSUAL])
NAMES = st.sampled_from(["BTCUSDT", "ETHUSDT", "", "X" * 70, "币安"])
IDENTIFIERS = st.sampled_from(["1", "2", "3", "007", "", "x", "9" * 18, "9" * 19, "-1", "1_0", "٣"])
TIMES = st.sampled_from([0, 1, 255, 256, 65536, 1_700_000_000_000_000_000, 2**63 - 1, 2**64 - 1, -1])
LEVELS = st.lists(st.tuples(TEXTS, TEXTS), max_size=20)
FLAGS = st.sampled_from([False, False, False, True])
CHECKSUMS = st.sampled_from([None, 0, 2**32 - 1])
EVENTS = st.one_of(
    st.builds(Trade, NAMES, NAMES, TIMES, TIMES, TEXTS, TEXTS, st.sampled_from(["buy", "sell"]), IDENTIFIERS,
              TIMES, FLAGS, FLAGS, st.sampled_from([1, 1, 2, 300])),
    st.builds(Quote, NAMES, NAMES, TIMES, TIMES, *[st.one_of(TEXTS, st.none())] * 4, IDENTIFIERS, st.just(0), FLAGS),
    st.builds(BookDelta, NAMES, NAMES, TIMES, TIMES, LEVELS, LEVELS, st.one_of(IDENTIFIERS, st.none()),
              st.one_of(IDENTIFIERS, st.none()), CHECKSUMS, st.just(0), FLAGS),
    st.sampled_from(events_of_each_kind()),
)  # fmt: skip


@pytest.mark.parametrize("numbers", NUMBERS)
@settings(max_examples=400, deadline=None)
@given(events=st.lists(EVENTS, max_size=6), described=st.booleans())
@example(events=[], described=False)
def test_any_events_are_read_as_the_general_decoder_reads_them(
    numbers: Numbers, events: list[Any], described: bool
) -> None:
    try:
        data = BatchEncoder("w.a", 3, rules={} if described else None).encode(5, 6, events)
    except OverflowError:
        return
    same(numbers, data)


@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("text", [*ORDINARY, *UNUSUAL])
def test_numbers_are_the_nearest_of_their_type(numbers: Numbers, text: str) -> None:
    data = BatchEncoder("w", 1).encode(1, 7, [Trade("E", "X", 1, 2, text, "1", "buy", "1")])
    batch = same(numbers, data)
    assert batch is not None or expected(numbers, data) is None
    if text in ORDINARY:
        value = {"float": float, "decimal": Decimal, "text": str}[numbers](text)
        assert batch.events[0].price == value
        assert type(batch.events[0].price) is type(value)


def test_doubles_are_exact() -> None:
    chance = random.Random(1)
    texts = [
        f"{chance.randrange(10 ** chance.randint(1, 19))}.{chance.randrange(10 ** chance.randint(1, 12))}"
        for _ in range(3000)
    ]
    texts += [f"0.{'0' * chance.randint(0, 20)}{chance.randrange(1, 10**9)}" for _ in range(3000)]
    data = BatchEncoder("w", 1).encode(1, 7, [Trade("E", "X", 1, 2, text, "1", "buy", "1") for text in texts])
    batch = native_decoder("float")(data)
    assert [event.price for event in batch.events] == [float(text) for text in texts]


@pytest.mark.parametrize("numbers", NUMBERS)
def test_mutated_batches_are_read_alike_or_left(numbers: Numbers) -> None:
    chance = random.Random(7)
    decode = native_decoder(numbers)
    good = [
        BatchEncoder("w.a", 3).encode(5, 6, events_of_each_kind()),
        BatchEncoder("w.a", 3).encode(5, 6, [Trade("E", "X", 1, 2, "1.5", "2", "buy", str(each)) for each in range(9)]),
        BatchEncoder("w.a", 3, rules={EVENT_BOOK: "chained"}).encode(
            5, 6, [BookDelta("E", "X", 1, 2, [("1", "2")] * 3, [], str(each), str(each + 1), 7) for each in range(9)]
        ),
    ]
    read = 0
    for _ in range(4000):
        read += same(numbers, mutate(chance, good), decode) is not None
    assert read > 100


@pytest.mark.parametrize("numbers", NUMBERS)
def test_every_truncated_batch_is_left(numbers: Numbers) -> None:
    data = BatchEncoder("w.a", 3).encode(5, 6, events_of_each_kind())
    for size in range(len(data)):
        assert same(numbers, data[:size]) is None
    assert same(numbers, data) is not None
    assert same(numbers, data + b"\0") is None


@pytest.mark.parametrize(
    "batch",
    [
        [3, "w", 1, 1, 7, []],
        [2, "w", 1, 1, 7],
        [2, "w", 1, 1, 7, [], None, None, None],
        [2, "w", 1, 1, 7, [], "x"],
        [2, "w", 1, 1, 7, [], [[1, 2]]],
        [2, "w", 1, 1, 7, [], None, "x"],
        [2, 5, 1, 1, 7, []],
        [2, "w", -1, 1, 7, []],
        [2, "w", 1, 1, 7, [["trade"]]],
        [2, "w", 1, 1, 7, [5]],
        [2, "w", 1, 1, 7, 5],
        [2, "w", 1, 1, 7, [["trade", "E", "X", 1, 2, "1", "1", "buy", None, 0, False, False, 1]]],
        [2, "w", 1, 1, 7, [["quote", "E", "X", 1, 2, "1", "1", "1", "1", None, 0, False, False]]],
    ],
)
def test_what_no_worker_of_this_version_writes_is_left(batch: list[Any]) -> None:
    assert same("text", msgpack.packb(batch)) is None


@pytest.mark.parametrize("described", [[None], [None, None], [[[1, 5, 5, 0]], None], [[[1, 5, 5]]]])
@pytest.mark.parametrize("version", [1, 2])
def test_descriptions_are_those_of_the_batch(described: list[Any], version: int) -> None:
    trade = msgspec.msgpack.decode(msgspec.msgpack.encode(Trade("E", "X", 1, 2, "1", "1", "buy", "5")))
    assert same("text", msgpack.packb([version, "w", 1, 1, 7, [trade], *described])) is not None


def test_more_names_than_are_remembered_are_read() -> None:
    decode = native_decoder("text")
    for _ in range(2):
        events = [Trade("E", f"S{number}", 1, 2, "1", "1", "buy", "1") for number in range(6000)]
        assert same("text", BatchEncoder("w", 1).encode(1, 7, events), decode) is not None


def test_names_are_shared_and_events_are_let_go() -> None:
    decode = native_decoder("text")
    data = BatchEncoder("w", 1).encode(1, 2**40, [Trade("EXCHANGE", "BTCUSDT", 2**41, 2**42, "1", "1", "buy", "5")] * 2)
    first, second = decode(data).events
    assert first.symbol is second.symbol
    assert first.exchange is decode(data).events[0].exchange
    assert (first.publish_ns, first.exchange_ns, first.receive_ns) == (2**40, 2**41, 2**42)
    before = sys.getrefcount(Trade), sys.getrefcount(first.symbol)
    for _ in range(100):
        decode(data)
    assert (sys.getrefcount(Trade), sys.getrefcount(first.symbol)) == before


@pytest.mark.parametrize("form", ["pure", "compiled"])
def test_readers_of_both_forms_stamp_and_salvage(form: str) -> None:
    reader = BatchReader("float", _Silent())
    if form == "pure":
        reader._decode_compiled = None
    good, bad = (Trade("E", "X", 1, 2, price, "1", "buy", "5") for price in ("1.5", "x"))
    ticker, status = (
        Ticker("E", "X", 1, 2, "1", None, None, None, None, None),
        FeedStatus("E", "X", 1, 2, "t", "gap", 1.0),
    )
    decoded = reader.decode(BatchEncoder("w", 1).encode(1, 7, [good, bad, ticker, status]))
    assert decoded is not None
    batch, made = decoded
    assert [event.publish_ns for event in batch.events] == [7] * 4
    assert (batch.events[0].price, batch.events[1], batch.events[2].last) == (1.5, made[0], 1.0)


class _Silent:
    def info(self, event: str, **fields: Any) -> None: ...

    warning = error = debug = info
