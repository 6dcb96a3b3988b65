"""Batches over a real socket: in order, counted, late ones dropped, malformed ones survived."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import pytest
import structlog
import zmq

from foxtrot_protocol import endpoints
from foxtrot_protocol.codec import BatchEncoder, Numbers
from foxtrot_protocol.commands import Drained
from foxtrot_protocol.events import EVENT_BOOK, EVENT_GAP, EVENT_MARKET_TRADE, BookDelta, Gap, Trade
from foxtrot_supervisor.event_engine import Event, EventEngine
from foxtrot_supervisor.event_receiver import EventReceiver, remove_ring
from tests.support.waiting import wait_until

LIMIT_S = 5.0


class Bench:
    """An engine with its receiver, and a worker's socket to push into it."""

    def __init__(self, folder: Path, numbers: Numbers) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.engine = EventEngine()
        self.tapped: list[bytes] = []
        endpoint = endpoints.data_endpoint(str(folder))
        self.receiver = EventReceiver(
            self.context,
            endpoint,
            numbers,
            self.engine,
            structlog.get_logger(),
            self.tapped.append,
            run_dir=str(folder),
            on_drained=self.on_drained,
        )
        self.drained: list[Drained] = []
        self.engine.attach(self.receiver)
        self.seen: list[Any] = []
        self.engine.register(EVENT_MARKET_TRADE, lambda event: self.seen.append(event.data))
        self.engine.register(EVENT_GAP, lambda event: self.seen.append(event.data))
        self.engine.start()
        self.push = self.context.socket(zmq.PUSH)
        self.push.connect(endpoint)
        self.encoders: dict[int, BatchEncoder] = {}

    def send(self, incarnation: int, sequence: int, *trade_ids: str, price: str = "1.50") -> None:
        encoder = self.encoders.setdefault(incarnation, BatchEncoder("w", incarnation))
        events = [Trade("SIM", "BTCUSDT", 1, 2, price, "2", "buy", trade_id) for trade_id in trade_ids]
        self.push.send(encoder.encode(sequence, 77, events))

    def on_drained(self, drained: Drained, path: str) -> None:
        self.drained.append(drained)
        remove_ring(path)

    def trade_ids(self) -> list[str]:
        return [event.trade_id for event in self.seen if isinstance(event, Trade)]

    def close(self) -> None:
        self.engine.stop(LIMIT_S)
        self.receiver.close()
        self.push.close(linger=0)
        self.context.term()


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Any]:
    benches: list[Bench] = []

    def make(numbers: Numbers = "float") -> Bench:
        benches.append(Bench(tmp_path, numbers))
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()


def test_batches_are_dispatched_in_order_and_stamped(make_bench: Any) -> None:
    bench = make_bench()
    for sequence in range(1, 301):
        bench.send(1, sequence, f"{sequence}a", f"{sequence}b")
    wait_until(lambda: len(bench.seen) == 600, LIMIT_S, "600 trades")
    assert bench.trade_ids() == [f"{n}{x}" for n in range(1, 301) for x in "ab"]
    assert {(trade.price, trade.publish_ns) for trade in bench.seen} == {(1.5, 77)}
    account = bench.receiver.accounts(time.monotonic())["w"]
    assert (account.applied_total, account.lost_total) == (600, 0)
    assert account.latency_p50_us > 0
    assert len(bench.tapped) == 300
    assert bench.receiver.events_total == 600


@pytest.mark.parametrize(("numbers", "price"), [("float", "1.5"), ("decimal", "Decimal('1.50')"), ("text", "'1.50'")])
def test_numbers_come_as_configured(make_bench: Any, numbers: Numbers, price: str) -> None:
    bench = make_bench(numbers)
    bench.send(1, 1, "a")
    wait_until(lambda: bench.seen, LIMIT_S, "the trade")
    assert repr(bench.seen[0].price) == price


def test_missing_batches_are_announced_before_the_next_is_applied(make_bench: Any) -> None:
    bench = make_bench()
    bench.send(1, 1, "a")
    bench.send(1, 4, "b")
    wait_until(lambda: len(bench.seen) == 3, LIMIT_S, "two trades and a gap")
    assert isinstance(bench.seen[1], Gap)
    assert "batches 2 to 3" in bench.seen[1].cause
    account = bench.receiver.accounts(time.monotonic())["w"]
    assert (account.gaps_total, account.lost_total) == (1, 2)


def test_duplicates_and_fenced_incarnations_are_dropped_and_counted(make_bench: Any) -> None:
    bench = make_bench()
    bench.send(1, 1, "a")
    bench.send(1, 1, "a")
    wait_until(lambda: bench.seen, LIMIT_S, "the first")
    bench.receiver.fence("w", 1)
    bench.send(1, 2, "late")
    bench.send(2, 1, "new")
    wait_until(lambda: "new" in bench.trade_ids(), LIMIT_S, "the new incarnation")
    assert bench.trade_ids() == ["a", "new"]
    assert bench.receiver.accounts(time.monotonic())["w"].late_total == 2


def test_a_number_that_is_none_costs_its_event_and_not_its_batch(make_bench: Any) -> None:
    bench = make_bench()
    good = Trade("SIM", "BTCUSDT", 1, 2, "1", "1", "buy", "good")
    bad = Trade("SIM", "BTCUSDT", 1, 2, "cheap", "1", "buy", "bad")
    bench.push.send(BatchEncoder("w", 1).encode(1, 7, [good, bad, good]))
    bench.send(1, 2, "next")
    wait_until(lambda: "next" in bench.trade_ids(), LIMIT_S, "the next batch")
    assert bench.trade_ids() == ["good", "good", "next"]
    assert bench.receiver.accounts(time.monotonic())["w"].lost_total == 1


def test_rubbish_and_other_versions_are_counted_and_survived(make_bench: Any) -> None:
    bench = make_bench()
    bench.push.send(b"")
    bench.push.send(b"\xc1 rubbish")
    bench.push.send(msgpack.packb([2, "w", 1, 1, 0, []]))
    bench.push.send(msgpack.packb([1, "w", 1, 1, 0, [["unheard-of", 1]]]))
    bench.send(1, 1, "after")
    wait_until(lambda: bench.seen, LIMIT_S, "the batch after the rubbish")
    assert bench.receiver.malformed_total == 4
    assert len(bench.tapped) == 1


def test_worker_names_are_bounded(make_bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxtrot_supervisor.event_receiver.WORKERS_MAX", 1)
    bench = make_bench()
    bench.send(1, 1, "known")
    bench.push.send(BatchEncoder("stranger", 1).encode(1, 7, []))
    bench.send(1, 2, "after")
    wait_until(lambda: len(bench.seen) == 2, LIMIT_S, "the known worker's trades")
    assert list(bench.receiver.accounts(0.0)) == ["w"]
    assert bench.receiver.malformed_total == 1


def test_gaps_in_a_batch_and_books_are_counted(make_bench: Any) -> None:
    bench = make_bench()
    books: list[Event] = []
    bench.engine.register(EVENT_BOOK, books.append)
    gap = Gap("SIM", "BTCUSDT", 0, 1, EVENT_BOOK, "5", "6", 1, 2, "test")
    delta = BookDelta("SIM", "BTCUSDT", 0, 1, [("1", "0")], [], "7", "8", None)
    bench.push.send(BatchEncoder("w", 1).encode(1, 7, [gap, delta]))
    bench.push.send(BatchEncoder("w", 1).encode(2, 7, []))
    wait_until(lambda: books, LIMIT_S, "the delta")
    assert books[0].data.bids == [(1.0, 0.0)]
    wait_until(lambda: bench.receiver.accounts(0.0)["w"].gaps_total == 1, LIMIT_S, "the count")
    assert msgspec.structs.asdict(bench.seen[0])["publish_ns"] == 7
