"""Batches over real sockets and rings: in order, counted, late ones dropped, malformed ones survived."""

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
from foxtrot_protocol.codec import BatchEncoder, Numbers, batch_decoder
from foxtrot_protocol.events import EVENT_BOOK, EVENT_GAP, EVENT_MARKET_TRADE, BookDelta, BookSnapshot, Gap, Trade
from foxtrot_protocol.ring_layout import CAPACITY_MIN, HEADER_BYTES, RingFigures, Word, ring_name
from foxtrot_protocol.spec import BookUpdates
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.delivery.positions import FILE_NAME
from foxtrot_supervisor.engine.delivery.receiver import EventReceiver, remove_ring
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_supervisor.engine.delivery.rules.trades import LEAPS_MAX
from foxtrot_supervisor.engine.delivery.started import StartedWorkers
from foxtrot_workers.feed.doorbell import Doorbell
from foxtrot_workers.feed.event_sender import Carrier
from foxtrot_workers.feed.ring_writer import RingWriter
from tests.support.looks import hold_looks
from tests.support.waiting import wait_until

LIMIT_S = 5.0


class Pushing:
    """Sends over a socket that the test owns."""

    def __init__(self, push: zmq.Socket[bytes]) -> None:
        self.push = push

    def committed(self, data: bytes) -> None:
        self.push.send(data)

    def close(self) -> None:
        pass


class Bench:
    """An engine with its receiver, and a worker's socket to push into it."""

    def __init__(
        self,
        folder: Path,
        numbers: Numbers,
        *,
        ringless: bool,
        book_updates: BookUpdates = "snapshot",
        started: StartedWorkers | None = None,
        transport: endpoints.Transport = "zeromq",
    ) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.engine = EventEngine()
        self.tapped: list[bytes] = []
        endpoint = endpoints.data_endpoint(str(folder), transport)
        self.bell = endpoints.doorbell_path(endpoint)
        self.receiver = EventReceiver(
            endpoint,
            numbers,
            self.engine,
            structlog.get_logger(),
            self.tapped.append,
            run_dir=str(folder),
            on_drained=self.on_drained,
            on_hole=lambda connection, _, hole: self.holes.append((connection, hole.first, hole.last)),
            on_books=lambda connection, symbols, attempt: self.asked.append((connection, list(symbols), attempt)),
            ringless=ringless,
            book_updates=book_updates,
            started=started,
        )
        self.asked: list[tuple[str, list[str], int]] = []
        self.holes: list[tuple[str, int, int]] = []
        self.drained: list[tuple[str, int, int, int, int, int]] = []
        self.engine.attach(self.receiver)
        self.seen: list[Any] = []
        self.engine.register(EVENT_MARKET_TRADE, lambda event: self.seen.append(event.data))
        self.engine.register(EVENT_GAP, lambda event: self.seen.append(event.data))
        self.engine.register(EVENT_BOOK, lambda event: self.seen.append(event.data))
        self.engine.start()
        if started is None or started.is_complete:
            wait_until(lambda: self.receiver._begun, LIMIT_S, "the first look")
        self.push = self.context.socket(zmq.PUSH)
        if self.bell is None:
            self.push.connect(endpoint)
        self.encoders: dict[int, BatchEncoder] = {}

    def send(self, incarnation: int, sequence: int, *trade_ids: str, price: str = "1.50") -> None:
        encoder = self.encoders.setdefault(incarnation, BatchEncoder("w", incarnation))
        events = [Trade("SIM", "BTCUSDT", 1, 2, price, "2", "buy", trade_id) for trade_id in trade_ids]
        self.push.send(encoder.encode(sequence, 77, events))

    def carrier(self, worker: str, incarnation: int) -> Carrier:
        """How a worker makes this engine notice what it has committed."""
        if self.bell is None:
            return Pushing(self.push)
        return Doorbell(self.bell, ring_name(worker, incarnation))

    def on_drained(self, ring: RingFigures, path: str) -> None:
        events = ring.committed_events, ring.applied_events, ring.lost_events, ring.redelivered_events
        self.drained.append((ring.worker, ring.incarnation, *events))
        remove_ring(path)

    def trade_ids(self) -> list[str]:
        return [event.trade_id for event in self.seen if isinstance(event, Trade)]

    def hold_looks(self) -> None:
        """Nothing is read from here on but what is rung or fenced."""
        hold_looks(self.engine, self.receiver)

    def close(self) -> None:
        self.engine.stop(LIMIT_S)
        self.receiver.close()
        self.push.close(linger=0)
        self.context.term()


@pytest.fixture(params=["zeromq", "ring"])
def transport(request: pytest.FixtureRequest) -> Any:
    """What every test of rings runs over; the others need batches without a ring, which only ZeroMQ brings."""
    return request.param


OVER_ZEROMQ = pytest.mark.parametrize("transport", ["zeromq"], indirect=True)
"""For tests of messages that stand in no ring, or are better than their record."""


@pytest.fixture
def make_bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    benches: list[Bench] = []
    over: Any = request.getfixturevalue("transport") if "transport" in request.fixturenames else "zeromq"

    def make(
        numbers: Numbers = "float",
        folder: Path | None = None,
        *,
        ringless: bool = True,
        book_updates: BookUpdates = "snapshot",
        started: StartedWorkers | None = None,
    ) -> Bench:
        ringless = ringless and over == "zeromq"
        bench = Bench(
            folder or tmp_path, numbers, ringless=ringless, book_updates=book_updates, started=started, transport=over
        )
        benches.append(bench)
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
    assert (account.gaps_total, account.lost_total, account.lost_batches_total) == (1, 0, 2)


def send_late_and_twice(bench: Bench) -> None:
    bench.send(1, 1, "a")
    bench.send(1, 1, "a")
    wait_until(lambda: bench.seen, LIMIT_S, "the first")
    bench.receiver.fence("w", 1)
    bench.send(1, 2, "late")
    bench.send(2, 1, "new")
    wait_until(lambda: "new" in bench.trade_ids(), LIMIT_S, "the new incarnation")
    assert bench.trade_ids() == ["a", "new"]
    assert bench.receiver.accounts(time.monotonic())["w"].late_total == 2


def test_duplicates_and_fenced_incarnations_are_dropped_and_counted(make_bench: Any) -> None:
    send_late_and_twice(make_bench())


def test_without_the_fence_the_same_test_fails(make_bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench()
    monkeypatch.setattr(bench.receiver, "fence", lambda worker, incarnation: None)
    with pytest.raises(AssertionError, match="late"):
        send_late_and_twice(bench)


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
    bench.push.send(msgpack.packb([3, "w", 1, 1, 0, []]))
    bench.push.send(msgpack.packb([1, "w", 1, 1, 0, [["unheard-of", 1]]]))
    bench.send(1, 1, "after")
    wait_until(lambda: bench.seen, LIMIT_S, "the batch after the rubbish")
    assert bench.receiver.malformed_total == 4
    assert len(bench.tapped) == 1


def test_worker_names_are_bounded(make_bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxtrot_supervisor.engine.delivery.sources.WORKERS_MAX", 1)
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


# ---- with rings


class Worker:
    """A worker's ring; what is committed is sent as well, unless a test leaves it out."""

    def __init__(self, bench: Bench, folder: Path, incarnation: int = 1) -> None:
        self.bench = bench
        self.incarnation = incarnation
        self.ring = RingWriter(str(folder), "w", incarnation, CAPACITY_MIN * 16)
        self.encoder = BatchEncoder("w", incarnation)
        self.path = Path(self.ring.path)
        self.carrier = bench.carrier("w", incarnation)

    def commit(self, sequence: int, *trade_ids: str, sent: bool = True, price: str = "1.5") -> bytes:
        events = [Trade("SIM", "BTCUSDT", 1, 2, price, "2", "buy", trade_id) for trade_id in trade_ids]
        data = self.encoder.encode(sequence, 77, events)
        assert self.ring.append(sequence, len(events), data)
        if sent:
            self.carrier.committed(data)
        return data

    def flip(self, offset: int) -> None:
        """Damage one byte of the records."""
        with self.path.open("r+b") as file:
            file.seek(HEADER_BYTES + offset)
            byte = file.read(1)
            file.seek(HEADER_BYTES + offset)
            file.write(bytes([byte[0] ^ 0xFF]))


@pytest.fixture
def make_worker(make_bench: Any, transport: str, tmp_path: Path) -> Iterator[Any]:
    workers: list[Worker] = []

    def make(bench: Bench, incarnation: int = 1) -> Worker:
        workers.append(Worker(bench, tmp_path, incarnation))
        return workers[-1]

    yield make
    for worker in workers:
        worker.ring.close()
        worker.carrier.close()


def drained_of(bench: Bench, count: int = 1) -> list[tuple[str, int, int, int, int, int]]:
    wait_until(lambda: len(bench.drained) == count, LIMIT_S, f"{count} rings drained")
    return bench.drained


def gaps_of(bench: Bench) -> list[str]:
    return [event.cause for event in bench.seen if isinstance(event, Gap)]


def test_what_a_dead_worker_dropped_and_could_not_announce_is_announced(make_bench: Any, make_worker: Any) -> None:
    bench = make_bench()
    worker = make_worker(bench)
    worker.commit(1, "1")
    worker.ring.tell_dropped(5, 3)
    bench.receiver.fence("w", 1)
    assert drained_of(bench) == [("w", 1, 1, 1, 0, 0)]
    assert gaps_of(bench) == ["3 events of w#1 found no room in its ring before it ended"]
    assert bench.receiver.accounts(0.0)["w"].gaps_total == 1


@OVER_ZEROMQ
@pytest.mark.parametrize("sequence", [2, 3, 1000, 1 << 62])
def test_a_batch_that_stands_in_no_ring_changes_nothing(make_bench: Any, make_worker: Any, sequence: int) -> None:
    bench = make_bench(ringless=False)
    worker = make_worker(bench)
    worker.commit(1, "1")
    wait_until(lambda: bench.trade_ids() == ["1"], LIMIT_S, "the first")
    bench.send(1, sequence, "forged")
    for number in range(2, 30):
        worker.commit(number, str(number))
    wait_until(lambda: worker.ring.used_bytes == 0, LIMIT_S, "the tail to meet the head")
    assert bench.trade_ids() == [str(n) for n in range(1, 30)]
    assert gaps_of(bench) == []
    account = bench.receiver.accounts(0.0)["w"]
    assert (account.applied_total, account.lost_total, account.lost_batches_total) == (29, 0, 0)
    assert bench.receiver.violations_total == 0


@OVER_ZEROMQ
@pytest.mark.parametrize(
    ("name", "incarnation"), [("w", 2), ("w", 1 << 62), ("x", 1), ("../x", 1), ("", 0), ("y\0", 3)]
)
def test_a_batch_of_a_worker_that_has_no_ring_is_refused(
    make_bench: Any, make_worker: Any, name: str, incarnation: int
) -> None:
    bench = make_bench(ringless=False)
    worker = make_worker(bench)
    worker.commit(1, "1")
    wait_until(lambda: bench.trade_ids() == ["1"], LIMIT_S, "the first")
    forged = [Trade("SIM", "BTCUSDT", 1, 2, "1", "2", "buy", "forged")]
    bench.push.send(BatchEncoder(name, incarnation).encode(1, 77, forged))
    wait_until(lambda: bench.receiver.malformed_total == 1, LIMIT_S, "the count")
    for number in range(2, 30):
        worker.commit(number, str(number), sent=number % 2 == 0)
    wait_until(lambda: worker.ring.used_bytes == 0, LIMIT_S, "the tail to meet the head")
    assert bench.trade_ids() == [str(n) for n in range(1, 30)]
    assert list(bench.receiver.accounts(0.0)) == ["w"], "nothing is remembered of it"


def test_a_forged_number_within_a_ring_is_damage(make_bench: Any, make_worker: Any) -> None:
    """A sequence that jumps beyond what the worker has committed would make all that follows late."""
    bench = make_bench(ringless=False)
    worker = make_worker(bench)
    worker.commit(1, "1")
    wait_until(lambda: bench.trade_ids() == ["1"], LIMIT_S, "the first")
    data = worker.encoder.encode(1 << 62, 77, [Trade("SIM", "BTCUSDT", 1, 2, "1", "2", "buy", "forged")])
    assert worker.ring.append(1 << 62, 1, data)
    with worker.path.open("r+b") as file:  # the mark of an honest writer says 2
        for mark in (Word.COMMIT_MARK, Word.COMMIT_MARK + 8):
            file.seek(8 * mark + 8)
            file.write((2).to_bytes(8, "little"))
    for number in range(3, 20):
        worker.commit(number, str(number))
    wait_until(lambda: worker.ring.used_bytes == 0, LIMIT_S, "the tail to meet the head")
    assert bench.trade_ids() == ["1", *(str(n) for n in range(3, 20))]
    assert len(gaps_of(bench)) == 1


def test_the_tail_follows_what_was_applied(make_bench: Any, make_worker: Any) -> None:
    bench = make_bench()
    worker = make_worker(bench)
    for sequence in range(1, 51):
        worker.commit(sequence, str(sequence))
    wait_until(lambda: worker.ring.used_bytes == 0, LIMIT_S, "the tail to meet the head")
    assert bench.trade_ids() == [str(n) for n in range(1, 51)]
    assert bench.receiver.accounts(0.0)["w"].applied_total == 50


def test_what_was_not_sent_is_read_from_the_ring_in_its_place(make_bench: Any, make_worker: Any) -> None:
    bench = make_bench()
    worker = make_worker(bench)
    for sequence in range(1, 301):
        worker.commit(sequence, str(sequence), sent=sequence % 7 == 0)
    wait_until(lambda: worker.ring.used_bytes == 0, LIMIT_S, "everything, the last ones too, of which nothing came")
    assert bench.trade_ids() == [str(n) for n in range(1, 301)]
    assert gaps_of(bench) == []


def test_a_dead_workers_ring_is_applied_before_the_next_ones(make_bench: Any, make_worker: Any) -> None:
    bench = make_bench()
    first = make_worker(bench, 1)
    first.commit(1, "1")
    wait_until(lambda: bench.seen, LIMIT_S, "the first")
    second = make_worker(bench, 2)
    for number in range(2, 200):
        first.commit(number, str(number), sent=False)
    second.commit(1, "200")
    second.commit(2, "201")
    bench.receiver.fence("w", 1)
    wait_until(lambda: "201" in bench.trade_ids(), LIMIT_S, "the second incarnation")
    assert bench.trade_ids() == [str(n) for n in range(1, 202)]
    assert drained_of(bench) == [("w", 1, 199, 199, 0, 0)]
    assert not first.path.exists()
    assert second.path.exists()


@OVER_ZEROMQ
def test_a_message_of_a_dead_worker_whose_ring_is_read_is_late(make_bench: Any, make_worker: Any) -> None:
    bench = make_bench()
    first, second = make_worker(bench, 1), make_worker(bench, 2)
    first.commit(1, "1")
    bench.receiver.fence("w", 1)
    second.commit(1, "200")
    second.commit(2, "201")
    wait_until(lambda: "201" in bench.trade_ids(), LIMIT_S, "the second incarnation")
    bench.push.send(first.encoder.encode(5, 7, []))
    bench.send(1, 6, "late")
    second.commit(3, "202")
    wait_until(lambda: "202" in bench.trade_ids(), LIMIT_S, "what comes after the late one")
    assert "late" not in bench.trade_ids()
    assert bench.receiver.accounts(0.0)["w"].late_total >= 1


def test_without_the_fence_the_next_one_waits_for_a_bounded_time(
    make_bench: Any, make_worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foxtrot_supervisor.engine.delivery.lanes.FENCE_WAIT_S", 0.3)
    bench = make_bench()
    make_worker(bench, 1).commit(1, "1")
    wait_until(lambda: bench.seen, LIMIT_S, "the first")
    make_worker(bench, 2).commit(1, "2")
    began = time.monotonic()
    wait_until(lambda: "2" in bench.trade_ids(), LIMIT_S, "the second")
    assert time.monotonic() - began > 0.25


def test_a_fence_for_rings_that_were_never_finished_or_cannot_be_read_removes_them(
    make_bench: Any, tmp_path: Path
) -> None:
    bench = make_bench()
    (tmp_path / "ring-w-1").write_bytes(bytes(HEADER_BYTES))
    (tmp_path / "ring-w-2").write_bytes(b"rubbish" * 1000)
    wait_until(lambda: len(bench.seen) == 1, LIMIT_S, "the gap")
    assert "ring-w-2 cannot be read" in gaps_of(bench)[0]
    bench.receiver.fence("w", 2)
    wait_until(lambda: list(tmp_path.glob("ring-*")) == [], LIMIT_S, "their removal")


@pytest.mark.parametrize(
    "offset", [0, 4, 8, 16, 24, 40], ids=["checksum", "length", "sequence", "before", "events", "data"]
)
def test_a_damaged_record_is_announced_and_never_applied(make_bench: Any, make_worker: Any, offset: int) -> None:
    bench = make_bench()
    worker = make_worker(bench)
    worker.commit(1, "a")
    wait_until(lambda: worker.ring.used_bytes == 0, LIMIT_S, "the first")
    damaged_at = int(worker.ring._head)
    # nobody looks at it before it is damaged: it is committed and damaged under the engine's feet
    bench.hold_looks()
    worker.commit(2, "b", "c", sent=False)
    worker.flip(damaged_at + offset)
    worker.commit(3, "d", sent=False)
    bench.receiver._look_at = 0.0
    bench.engine.wake()
    wait_until(lambda: "d" in bench.trade_ids(), LIMIT_S, "what stands behind the damage")
    assert bench.trade_ids() == ["a", "d"]
    assert len(gaps_of(bench)) == 1
    assert "batches 2 to 2 of w#1 are damaged" in gaps_of(bench)[0]
    bench.receiver.fence("w", 1)
    assert drained_of(bench) == [("w", 1, 4, 2, 2, 0)]
    assert bench.receiver.violations_total == 0, "committed = applied + announced"


def test_a_damaged_end_is_announced_with_what_the_worker_says_it_was(make_bench: Any, make_worker: Any) -> None:
    bench = make_bench()
    worker = make_worker(bench)
    bench.hold_looks()
    worker.commit(1, "a", "b", "c", sent=False)
    worker.flip(4)
    bench.receiver.fence("w", 1)
    assert drained_of(bench) == [("w", 1, 3, 0, 3, 0)]
    assert "batches 1 to 1" in gaps_of(bench)[0]


@OVER_ZEROMQ
@pytest.mark.parametrize("damaged", [3, 40], ids=["checksum", "batch"])
def test_a_batch_that_zeromq_brings_needs_no_intact_record(make_bench: Any, make_worker: Any, damaged: int) -> None:
    bench = make_bench(ringless=False)
    worker = make_worker(bench)
    bench.hold_looks()
    data = worker.commit(1, "a", sent=False)
    worker.flip(damaged)
    bench.push.send(data)
    worker.commit(2, "b")
    wait_until(lambda: worker.ring.used_bytes == 0, LIMIT_S, "both")
    assert bench.trade_ids() == ["a", "b"]
    assert gaps_of(bench) == []


def test_a_record_of_rubbish_with_a_good_checksum_is_announced(make_bench: Any, make_worker: Any) -> None:
    bench = make_bench()
    worker = make_worker(bench)
    assert worker.ring.append(1, 5, b"\xc1 rubbish")
    worker.commit(2, "b", sent=False)
    wait_until(lambda: bench.trade_ids() == ["b"], LIMIT_S, "the next")
    assert "cannot be decoded" in gaps_of(bench)[0]
    bench.receiver.fence("w", 1)
    assert drained_of(bench) == [("w", 1, 6, 1, 5, 0)]


def test_a_number_that_is_none_is_announced_and_accounted_for(make_bench: Any, make_worker: Any) -> None:
    bench = make_bench()
    worker = make_worker(bench)
    worker.commit(1, "a", price="cheap")
    wait_until(lambda: gaps_of(bench), LIMIT_S, "the gap")
    (gap,) = bench.seen
    assert (gap.stream, gap.first_id, gap.last_id, gap.symbol) == (EVENT_MARKET_TRADE, "a", "a", "BTCUSDT")
    bench.receiver.fence("w", 1)
    assert drained_of(bench) == [("w", 1, 1, 0, 1, 0)]
    assert bench.receiver.violations_total == 0


def test_an_account_that_does_not_add_up_is_told(make_bench: Any, make_worker: Any) -> None:
    bench = make_bench()
    worker = make_worker(bench)
    data = worker.encoder.encode(1, 7, [])
    assert worker.ring.append(1, 3, data), "says three events, has none"
    wait_until(lambda: worker.ring.used_bytes == 0, LIMIT_S, "the batch")
    bench.receiver.fence("w", 1)
    drained_of(bench)
    assert bench.receiver.violations_total == 1


def test_the_next_engine_goes_on_and_marks_what_was_in_hand(make_bench: Any, make_worker: Any, tmp_path: Path) -> None:
    bench = make_bench()
    worker = make_worker(bench)
    worker.commit(1, "a")
    wait_until(lambda: worker.ring.used_bytes == 0, LIMIT_S, "the first")
    # as an engine leaves it that is killed with the second in hand
    other = RingReader.open(str(tmp_path), "w", 1)
    assert other is not None
    other.begin(2)
    other.close()
    bench.engine.stop(LIMIT_S)
    bench.receiver.close()
    worker.commit(2, "b", "c", sent=False)
    worker.commit(3, "d", sent=False)
    successor = make_bench(folder=tmp_path)
    wait_until(lambda: len(successor.seen) == 3, LIMIT_S, "the rest")
    assert [(trade.trade_id, trade.redelivered) for trade in successor.seen] == [("b", True), ("c", True), ("d", False)]
    assert successor.receiver.redelivered_total == 2
    successor.receiver.fence("w", 1)
    assert drained_of(successor) == [("w", 1, 4, 4, 0, 2)]


def test_a_batch_that_was_done_when_the_engine_died_does_not_come_again(
    make_bench: Any, make_worker: Any, tmp_path: Path
) -> None:
    """Killed between the two words that say so: the tail still stands before it."""
    bench = make_bench()
    bench.engine.stop(LIMIT_S)
    bench.receiver.close()
    worker = make_worker(bench)
    worker.commit(1, "a", sent=False)
    worker.commit(2, "b", sent=False)
    reader = RingReader.open(str(tmp_path), "w", 1)
    assert reader is not None
    reader.begin(1)
    reader.acknowledge(1, 0, 1, 0, 0)
    reader.close()
    successor = make_bench(folder=tmp_path)
    wait_until(lambda: successor.seen, LIMIT_S, "the second")
    wait_until(lambda: worker.ring.used_bytes == 0, LIMIT_S, "the tail")
    assert successor.trade_ids() == ["b"]


def test_damaged_words_of_the_engine_are_survived(make_bench: Any, make_worker: Any, tmp_path: Path) -> None:
    bench = make_bench()
    bench.engine.stop(LIMIT_S)
    bench.receiver.close()
    worker = make_worker(bench)
    for sequence in (1, 2, 3):
        worker.commit(sequence, str(sequence), sent=False)
    with worker.path.open("r+b") as file:
        file.seek(Word.APPLIED * 8)
        file.write(b"\xff" * 8)
    successor = make_bench(folder=tmp_path)
    wait_until(lambda: len(successor.seen) == 3, LIMIT_S, "everything")
    assert successor.trade_ids() == ["1", "2", "3"]


def test_a_damaged_head_of_a_dead_worker_costs_nothing_and_ends(make_bench: Any, make_worker: Any) -> None:
    bench = make_bench()
    worker = make_worker(bench)
    bench.hold_looks()
    for sequence in (1, 2, 3):
        worker.commit(sequence, str(sequence), sent=False)
    with worker.path.open("r+b") as file:
        file.seek(Word.HEAD * 8)
        file.write(bytes([worker.ring._head % 256 | 1]))
    bench.receiver.fence("w", 1)
    assert drained_of(bench)[0][:2] == ("w", 1)
    assert bench.trade_ids() == ["1", "2", "3"]
    assert bench.receiver.violations_total == 1, "what was committed cannot be told"


@pytest.mark.parametrize("name", ["a\0b", "../escaped", "", "w" * 300])
def test_a_name_that_no_worker_can_have_is_refused(make_bench: Any, name: str) -> None:
    bench = make_bench()
    bench.push.send(BatchEncoder(name, 1).encode(1, 77, []))
    bench.send(1, 1, "a")
    wait_until(lambda: bench.trade_ids() == ["a"], LIMIT_S, "what comes after it")
    assert bench.receiver.malformed_total == 1


def test_the_end_takes_what_stands_in_rings(make_bench: Any, make_worker: Any) -> None:
    bench = make_bench()
    worker = make_worker(bench)
    bench.hold_looks()
    for sequence in range(1, 500):
        worker.commit(sequence, str(sequence), sent=False)
    assert bench.engine.stop(LIMIT_S) == 0
    assert bench.trade_ids() == [str(n) for n in range(1, 500)]


# ---- twins


class Twin:
    """One side of a connection, with its ring; what is committed is sent as well."""

    def __init__(self, bench: Bench, folder: Path, side: str, incarnation: int = 1, rule: str = "sequence") -> None:
        self.bench = bench
        self.name = f"c.{side}"
        self.ring = RingWriter(
            str(folder),
            self.name,
            incarnation,
            CAPACITY_MIN * 16,
            connection="c",
            side=side,
            rules={EVENT_MARKET_TRADE: rule, EVENT_BOOK: "update_ids"},
        )
        self.encoder = BatchEncoder(self.name, incarnation)
        self.carrier = bench.carrier(self.name, incarnation)
        self.sequence = 0

    def commit(
        self,
        *trade_ids: int,
        sent: bool = True,
        events: list[Any] | None = None,
        count: int = 0,
        sent_ns: int = 77,
    ) -> None:
        """`count`: how many events the ring says there are, if not as many as there are."""
        batch = events or [Trade("SIM", "BTCUSDT", n * 1000, n * 1000 + 1, "1", "2", "buy", str(n)) for n in trade_ids]
        self.sequence += 1
        data = self.encoder.encode(self.sequence, sent_ns, batch)
        assert self.ring.append(self.sequence, count or len(batch), data)
        if sent:
            self.carrier.committed(data)

    @property
    def account(self) -> Any:
        return self.bench.receiver.accounts(0.0)[self.name]


@pytest.fixture
def make_twin(make_bench: Any, transport: str, tmp_path: Path) -> Iterator[Any]:
    twins: list[Twin] = []

    def make(bench: Bench, side: str, incarnation: int = 1, rule: str = "sequence") -> Twin:
        twins.append(Twin(bench, tmp_path, side, incarnation, rule))
        return twins[-1]

    yield make
    for twin in twins:
        twin.ring.close()
        twin.carrier.close()


def used_up(*twins: Twin) -> None:
    wait_until(lambda: all(twin.ring.used_bytes == 0 for twin in twins), LIMIT_S, "all rings to be acknowledged")


def both_found(bench: Bench) -> None:
    groups = bench.receiver.sources.groups
    wait_until(lambda: "c" in groups and groups["c"].merge.sides_open == 2, LIMIT_S, "both rings to be found")


def test_copies_of_a_twin_are_dropped_counted_and_not_tapped(make_bench: Any, make_twin: Any) -> None:
    bench = make_bench()
    a, b = make_twin(bench, "a"), make_twin(bench, "b")
    both_found(bench)
    a.commit(1, 2, 3)
    used_up(a)
    b.commit(2, 3, 4, sent=False)
    b.commit(4)
    used_up(a, b)
    a.commit(4, 5)
    used_up(a, b)
    assert bench.trade_ids() == ["1", "2", "3", "4", "5"]
    assert (a.account.applied_total, a.account.deduplicated_total, a.account.wins_total) == (4, 1, 4)
    assert (b.account.applied_total, b.account.deduplicated_total, b.account.wins_total) == (1, 3, 1)
    tapped = [event.trade_id for data in bench.tapped for event in batch_decoder("text").decode(data).events]
    assert tapped == ["1", "2", "3", "4", "5"]
    bench.receiver.fence("c.b", 1)
    assert drained_of(bench) == [("c.b", 1, 4, 1, 0, 0)]
    assert bench.receiver.violations_total == 0


def test_gaps_and_late_events_are_tapped_as_handlers_get_them(make_bench: Any, make_twin: Any) -> None:
    bench = make_bench()
    a = make_twin(bench, "a")
    a.commit(1)
    a.commit(4, 5)
    used_up(a)
    b = make_twin(bench, "b")
    b.commit(2, 4, 6)
    used_up(a, b)
    wait_until(lambda: len(bench.tapped) == 3, LIMIT_S, "three batches")
    tapped = [event for data in bench.tapped for event in batch_decoder("text").decode(data).events]
    assert [getattr(event, "trade_id", None) or (event.first_id, event.last_id, event.filled) for event in tapped] == [
        *("1", ("2", "3", False), "4", "5", "2", "6", ("2", "2", True))
    ]
    assert [event.trade_id for event in tapped if event.backfilled] == ["2"]
    assert tapped[0].price == "1"


def test_a_stream_begins_with_what_the_twin_has_sent_that_was_first(
    make_bench: Any, make_twin: Any, tmp_path: Path
) -> None:
    started = StartedWorkers()
    bench = make_bench(ringless=False, started=started)
    late, first = make_twin(bench, "a"), make_twin(bench, "b")
    first.commit(1, 2, sent_ns=10)
    first.commit(3, 4, sent_ns=30)
    late.commit(3, 4, 5, sent_ns=20)
    first.commit(5, 6, sent_ns=40)
    started.add({"c.a": 1, "c.b": 1})
    used_up(late, first)
    assert bench.trade_ids() == ["1", "2", "3", "4", "5", "6"]
    assert late.account.deduplicated_total + first.account.deduplicated_total == 3
    assert bench.holes == []


def test_a_stream_begins_with_what_was_sent_first_although_the_other_twin_was_heard_first(
    make_bench: Any, make_twin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foxtrot_supervisor.engine.delivery.rings.FOUND_S", 0.0)
    bench = make_bench(ringless=False)
    bench.hold_looks()
    first, late = make_twin(bench, "a"), make_twin(bench, "b")
    first.commit(1, 2, sent=False, sent_ns=10)
    first.commit(3, sent=False, sent_ns=20)
    late.commit(3, 4, sent_ns=30)
    wait_until(lambda: bench.trade_ids() == ["1", "2", "3", "4"], LIMIT_S, "the trades")


def test_what_is_damaged_in_the_ring_of_one_twin_does_not_keep_the_other_from_beginning(
    make_bench: Any, make_twin: Any, tmp_path: Path
) -> None:
    bench = make_bench(ringless=False)
    bench.hold_looks()
    first, late = make_twin(bench, "a"), make_twin(bench, "b")
    first.commit(1, 2, sent=False, sent_ns=10)
    with open(tmp_path / ring_name("c.a", 1), "r+b") as file:
        file.seek(HEADER_BYTES + 40)
        file.write(b"\xff\xff")
    late.commit(3, 4, sent_ns=30)
    wait_until(lambda: bench.trade_ids() == ["3", "4"], LIMIT_S, "the trades")


def test_a_batch_waits_in_its_ring_for_what_the_twin_is_about_to_bring(make_bench: Any, make_twin: Any) -> None:
    bench = make_bench()
    a, b = make_twin(bench, "a"), make_twin(bench, "b")
    a.commit(1)
    used_up(a)
    b.commit(3)
    b.commit(4, 5)
    wait_until(lambda: bench.receiver.sources.groups["c"].waiting == {"c.b"}, LIMIT_S, "the batch to wait")
    assert b.ring.used_bytes > 0
    a.commit(2)
    a.commit(3)
    used_up(a, b)
    assert bench.trade_ids() == ["1", "2", "3", "4", "5"]
    assert gaps_of(bench) == []


def test_a_twin_that_brings_nothing_is_waited_for_so_long_and_once(
    make_bench: Any, make_twin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foxtrot_supervisor.engine.delivery.apply.HOLE_WAIT_S", 0.3)
    bench = make_bench()
    a = make_twin(bench, "a")
    make_twin(bench, "b")
    a.commit(1)
    both_found(bench)
    a.commit(5)
    a.commit(9)
    began = time.monotonic()
    used_up(a)
    assert time.monotonic() - began > 0.25
    assert [getattr(event, "trade_id", None) or (event.first_id, event.last_id) for event in bench.seen] == [
        *("1", ("2", "4"), "5", ("6", "8"), "9")
    ]
    assert bench.holes == [("c", 2, 4), ("c", 6, 8)]


def test_the_end_gives_up_what_waits_after_what_can_be_read(make_bench: Any, make_twin: Any) -> None:
    bench = make_bench()
    a, b = make_twin(bench, "a"), make_twin(bench, "b")
    a.commit(1)
    used_up(a)
    bench.hold_looks()
    b.commit(4, sent=False)
    a.commit(3, sent=False)
    assert bench.engine.stop(LIMIT_S) == 0
    assert bench.trade_ids() == ["1", "3", "4"]
    assert bench.holes == [("c", 2, 2)]


def test_the_other_side_of_a_rotation_goes_on_where_the_old_one_ended(make_bench: Any, make_twin: Any) -> None:
    bench = make_bench()
    old = make_twin(bench, "a")
    old.commit(1, 2)
    used_up(old)
    new = make_twin(bench, "b")
    new.commit(2, 3)
    old.commit(3, 4)
    used_up(old, new)
    bench.receiver.fence("c.a", 1)
    drained_of(bench)
    new.commit(4, 5, 8)
    used_up(new)
    assert bench.trade_ids() == ["1", "2", "3", "4", "5", "8"]
    assert bench.holes == [("c", 6, 7)]


def test_backfill_is_admitted_into_open_holes_also_by_the_next_engine(
    make_bench: Any, make_twin: Any, tmp_path: Path
) -> None:
    bench = make_bench()
    a = make_twin(bench, "a")
    a.commit(1, 5)
    used_up(a)
    bench.engine.stop(LIMIT_S)
    bench.receiver.close()
    successor = make_bench(folder=tmp_path)
    wait_until(lambda: successor.holes == [("c", 2, 4)], LIMIT_S, "the hole to be told again")
    late = [Trade("SIM", "BTCUSDT", n, n, "1", "2", "buy", str(n), backfilled=True) for n in (1, 2, 3, 4)]
    filled = Gap("SIM", "BTCUSDT", 0, 1, EVENT_MARKET_TRADE, "2", "4", 1, 2, "", filled=True)
    a.commit(events=[*late, filled], sent=False)
    a.commit(events=[*late, filled], sent=False)
    used_up(a)
    assert [(getattr(e, "trade_id", "gap"), e.backfilled or e.filled) for e in successor.seen] == [
        *(("2", True), ("3", True), ("4", True), ("gap", True))
    ]
    assert (a.ring.committed_events, successor.receiver.violations_total) == (12, 0)


def book_whole(number: int) -> BookSnapshot[str]:
    return BookSnapshot("SIM", "BTCUSDT", 1, number, [("1", "1")], [], None, str(number), None)


def book_change(number: int) -> BookDelta[str]:
    return BookDelta("SIM", "BTCUSDT", 1, number, [("1", "2")], [], str(number), str(number), None)


def test_the_next_engine_asks_for_books_and_shows_none_before_it_has_it_whole(
    make_bench: Any, make_twin: Any, tmp_path: Path
) -> None:
    bench = make_bench()
    a = make_twin(bench, "a")
    a.commit(events=[book_whole(10), book_change(11)])
    used_up(a)
    assert bench.asked == []
    bench.engine.stop(LIMIT_S)
    bench.receiver.close()
    a.commit(events=[book_change(12)], sent=False)
    successor = make_bench(folder=tmp_path)
    wait_until(lambda: successor.asked == [("c", ["BTCUSDT"], 1)], LIMIT_S, "it to be asked for")
    a.commit(events=[book_change(13), book_whole(13), book_change(14)], sent=False)
    used_up(a)
    shown = [(type(event), event.last_id) for event in successor.seen]
    gaps = [(Gap, "13"), (Gap, "13")]
    assert shown == [*gaps, (BookSnapshot, "13"), (BookDelta, "14")], "what the snapshot contains is announced"
    assert [(event.first_id, event.filled) for event in successor.seen[:2]] == [("12", False), ("12", True)]
    account = successor.receiver.accounts(0.0)["c.a"]
    assert (account.applied_total, account.superseded_total, account.lost_total) == (2, 2, 0)
    assert account.deduplicated_total == 0
    assert successor.receiver.violations_total == 0


def test_an_account_is_checked_while_the_worker_lives(make_bench: Any, make_twin: Any) -> None:
    bench = make_bench()
    a = make_twin(bench, "a")
    a.commit(1, 2, count=3)
    wait_until(lambda: bench.receiver.violations_total == 1, LIMIT_S, "the look")
    a.commit(3)
    used_up(a)
    assert [cause for cause in gaps_of(bench) if "does not add up" in cause]
    assert bench.receiver.violations_total == 1, "told once"


def test_an_account_is_checked_before_each_batch_that_is_read(make_bench: Any, make_twin: Any) -> None:
    bench = make_bench()
    bench.hold_looks()
    a = make_twin(bench, "a")
    a.commit(1, 2, count=3, sent=False)
    a.commit(3, sent=False)
    bench.receiver._look_at = 0.0
    bench.engine.wake()
    wait_until(lambda: bench.receiver.violations_total == 1, LIMIT_S, "the reading")


@pytest.mark.parametrize("damage", ["a folder", "rubbish"])
def test_positions_that_cannot_be_used_cost_nothing_else(
    make_bench: Any, make_twin: Any, tmp_path: Path, damage: str
) -> None:
    if damage == "rubbish":
        (tmp_path / FILE_NAME).write_bytes(b"rubbish!" * (32 * 1024))
    else:
        (tmp_path / FILE_NAME).mkdir()
    bench = make_bench()
    a, b = make_twin(bench, "a"), make_twin(bench, "b")
    for twin in (a, b):
        twin.commit(1, 2)
        used_up(twin)
    assert bench.trade_ids() == ["1", "2"]


def test_bounds_that_were_met_are_told(make_bench: Any, make_twin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxtrot_supervisor.engine.delivery.merge.STREAMS_MAX", 0)
    bench = make_bench()
    told: list[str] = []
    monkeypatch.setattr(bench.receiver, "_log", structlog.wrap_logger(None, processors=[note_into(told)]))
    a = make_twin(bench, "a")
    a.commit(1, 2)
    used_up(a)
    assert bench.receiver.sources.positions is not None
    bench.receiver.sources.positions.unsaved_total = 3
    wait_until(lambda: sorted(told) == ["positions_unsaved", "streams_unmerged"], LIMIT_S, "both to be told, once")
    assert bench.trade_ids() == ["1", "2"]


def note_into(told: list[str]) -> Any:
    def note(_: Any, __: str, event: dict[str, Any]) -> Any:
        told.append(event["event"])
        raise structlog.DropEvent

    return note


def test_open_holes_are_told_again_when_asked(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    engine = EventEngine()
    receiver = EventReceiver(
        endpoints.data_endpoint(str(tmp_path)),
        "float",
        engine,
        structlog.get_logger(),
        lambda _: None,
        run_dir=str(tmp_path),
        on_drained=lambda *_: None,
        on_hole=lambda connection, _, hole: told.append((connection, hole.first, hole.last)),
    )
    engine.attach(receiver)
    engine.start()
    ring = RingWriter(
        str(tmp_path), "c.a", 1, CAPACITY_MIN * 16, connection="c", side="a", rules={EVENT_MARKET_TRADE: "sequence"}
    )
    encoder = BatchEncoder("c.a", 1)
    for sequence, trade_id in ((1, "10"), (2, "15")):
        trade = Trade("SIM", "BTCUSDT", 1, 2, "1.5", "2", "buy", trade_id)
        assert ring.append(sequence, 1, encoder.encode(sequence, 77, [trade]))
    wait_until(lambda: told, LIMIT_S, "the hole")
    receiver.report_open_holes()
    wait_until(lambda: len(told) == 2, LIMIT_S, "the hole, a second time")
    assert told == [("c", 11, 14)] * 2
    receiver.abandon()
    assert engine.stop(LIMIT_S).clean
    receiver.close()
    ring.close()


def test_updates_before_the_snapshot_are_handed_over_where_that_is_configured(
    make_bench: Any, make_twin: Any, tmp_path: Path
) -> None:
    bench = make_bench()
    a = make_twin(bench, "a")
    a.commit(events=[book_whole(10), book_change(11)])
    used_up(a)
    bench.engine.stop(LIMIT_S)
    bench.receiver.close()
    a.commit(events=[book_change(12)], sent=False)
    successor = make_bench(folder=tmp_path, book_updates="deliver")
    wait_until(lambda: successor.asked, LIMIT_S, "the book to be requested")
    a.commit(events=[book_change(13), book_whole(13), book_change(14)], sent=False)
    used_up(a)
    shown = [(type(event), event.last_id) for event in successor.seen]
    assert shown == [(BookDelta, "12"), (BookDelta, "13"), (BookSnapshot, "13"), (BookDelta, "14")]
    account = successor.receiver.accounts(0.0)["c.a"]
    assert (account.applied_total, account.superseded_total) == (4, 0)


def test_a_stream_whose_identifiers_leap_is_demoted_and_counted(make_bench: Any, make_twin: Any) -> None:
    bench = make_bench()
    a = make_twin(bench, "a")
    for number in range(0, 400, 4):
        a.commit(number)
    used_up(a)
    assert a.account.demoted_total == 1
    assert len(bench.holes) == LEAPS_MAX
    assert bench.receiver.violations_total == 0


def forge(folder: Path, worker: str, incarnation: int, trade_id: str) -> RingWriter:
    """A ring with one trade, as any process of the user can write it."""
    ring = RingWriter(str(folder), worker, incarnation, CAPACITY_MIN)
    trade = Trade("SIM", "BTCUSDT", 1, 2, "1.50", "2", "buy", trade_id)
    assert ring.append(1, 1, BatchEncoder(worker, incarnation).encode(1, 77, [trade]))
    return ring


def test_rings_of_workers_that_no_supervisor_has_started_are_refused(
    make_bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foxtrot_supervisor.engine.delivery.started.UNKNOWN_WAIT_S", 0.2)
    started = StartedWorkers()
    started.add({"w": 1})
    bench = make_bench(ringless=False, started=started)
    # an unknown worker; a later incarnation of a known one, which would pass for the successor of the living one
    rings = [forge(tmp_path, "forged", 1, "666"), forge(tmp_path, "w", 2, "667"), forge(tmp_path, "w", 1, "7")]
    wait_until(lambda: bench.receiver.malformed_total == 2, LIMIT_S, "both to be refused")
    wait_until(lambda: bench.trade_ids() == ["7"], LIMIT_S, "the known ring to be read")
    bench.push.send(BatchEncoder("forged", 1).encode(2, 77, [Trade("S", "X", 1, 2, "1", "1", "buy", "668")]))
    wait_until(lambda: bench.receiver.malformed_total == 3, LIMIT_S, "the forged batch to be refused")
    assert list(bench.receiver.sources.workers) == ["w"]
    assert list(bench.receiver.sources.workers["w"].rings) == [1]
    for ring in rings:
        ring.close()


def test_a_ring_that_is_there_before_the_word_of_its_worker_is_read_after_it(make_bench: Any, tmp_path: Path) -> None:
    started = StartedWorkers()
    started.add({})
    bench = make_bench(ringless=False, started=started)
    ring = forge(tmp_path, "w", 1, "7")
    bench.send(1, 1, "7")
    wait_until(lambda: ("w", 1) in started._unknown_since, LIMIT_S, "the ring to be seen")
    assert bench.seen == []
    started.add({"w": 1})
    wait_until(lambda: bench.trade_ids() == ["7"], LIMIT_S, "the ring to be read")
    assert bench.receiver.malformed_total == 0
    ring.close()


def test_nothing_is_read_before_the_supervisor_has_named_its_workers(make_bench: Any, tmp_path: Path) -> None:
    started = StartedWorkers()
    ring = forge(tmp_path, "w", 1, "7")
    bench = make_bench(ringless=False, started=started)
    bench.send(1, 1, "7")
    time.sleep(0.2)
    assert not bench.receiver._begun
    started.add({"w": 1}, more=True)
    started.add({"v": 1})
    bench.engine.wake()
    wait_until(lambda: bench.trade_ids() == ["7"], LIMIT_S, "the ring to be read")
    ring.close()
