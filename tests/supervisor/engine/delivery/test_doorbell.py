"""The doorbell: what is rung is read at once, what is not rung is read all the same, and nobody is believed."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from foxtrot_protocol import endpoints
from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.events import EVENT_MARKET_TRADE, Trade
from foxtrot_protocol.ring_layout import CAPACITY_MIN, ring_name
from foxtrot_protocol.spec import Idle
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.delivery import doorbell as doorbell_module
from foxtrot_supervisor.engine.delivery import receiver as receiver_module
from foxtrot_supervisor.engine.delivery.doorbell import FULL_COUNT, RINGS_WATCHED_MAX, Doorbell
from foxtrot_supervisor.engine.delivery.receiver import EventReceiver, remove_ring
from foxtrot_supervisor.engine.delivery.started import StartedWorkers
from foxtrot_workers.feed import doorbell as worker_doorbell
from foxtrot_workers.feed.early_bell import EarlyBell
from foxtrot_workers.feed.ring_writer import RingWriter
from tests.support.looks import hold_looks
from tests.support.waiting import wait_until

LIMIT_S = 5.0


class World:
    """An engine that reads rings at the doorbell, and looks at all of them only if a test lets it."""

    def __init__(self, folder: Path, started: StartedWorkers | None = None, idle: Idle = "sleep") -> None:
        self.folder = folder
        self.engine = EventEngine(idle=idle)
        endpoint = endpoints.data_endpoint(str(folder), "ring")
        self.path = Path(endpoints.doorbell_path(endpoint) or "")
        self.receiver = EventReceiver(
            endpoint,
            "float",
            self.engine,
            structlog.get_logger(),
            lambda _: None,
            run_dir=str(folder),
            on_drained=lambda _, path: remove_ring(path),
            started=started,
        )
        self.trade_ids: list[str] = []
        self.engine.register(EVENT_MARKET_TRADE, lambda event: self.trade_ids.append(event.data.trade_id))
        self.engine.attach(self.receiver)
        self.engine.start()
        wait_until(lambda: self.receiver._begun, LIMIT_S, "the first look")

    @property
    def doorbell(self) -> Doorbell:
        assert isinstance(self.receiver._arrivals, Doorbell)
        return self.receiver._arrivals

    def send(self, name: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as anyone:
            anyone.sendto(name, str(self.path))

    def close(self) -> None:
        self.engine.stop(LIMIT_S)
        self.receiver.close()


class Worker:
    """A ring and the worker's end of the doorbell."""

    def __init__(self, folder: Path, name: str = "w.a", incarnation: int = 1) -> None:
        self.ring = RingWriter(str(folder), name, incarnation, CAPACITY_MIN * 16)
        self.encoder = BatchEncoder(name, incarnation)
        path = endpoints.doorbell_path(endpoints.data_endpoint(str(folder), "ring"))
        assert path is not None
        self.early_bell = EarlyBell()
        self.bell = worker_doorbell.Doorbell(path, ring_name(name, incarnation), self.early_bell.fileno())
        self.sequence = 0

    def commit(self, trade_id: str, *, ring_bell: bool = True) -> None:
        self.sequence += 1
        trade = Trade("SIM", "BTCUSDT", 1, 2, "1.5", "2", "buy", trade_id)
        data = self.encoder.encode(self.sequence, 77, [trade])
        assert self.ring.append(self.sequence, 1, data)
        if ring_bell:
            self.bell.committed(data)

    def close(self) -> None:
        self.bell.close()
        self.early_bell.close()
        self.ring.close()


@pytest.fixture
def closing() -> Iterator[list[Any]]:
    things: list[Any] = []
    yield things
    for thing in reversed(things):
        thing.close()


def make(closing: list[Any], folder: Path) -> tuple[World, Worker]:
    world = World(folder)
    worker = Worker(folder)
    closing.extend((world, worker))
    return world, worker


@pytest.fixture
def no_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_module, "LOOK_S", 1000.0)


def test_what_is_rung_is_read_at_once_also_of_a_new_ring(closing: list[Any], tmp_path: Path, no_looks: None) -> None:
    world, worker = make(closing, tmp_path)
    for number in range(200):
        worker.commit(str(number))
    wait_until(lambda: len(world.trade_ids) == 200, LIMIT_S, "200 trades")
    wait_until(lambda: worker.ring.used_bytes == 0, LIMIT_S, "the ring to be free")
    assert world.trade_ids == [str(number) for number in range(200)]
    assert world.receiver.malformed_total == 0


def test_a_lost_ringing_costs_the_time_until_the_next_look(closing: list[Any], tmp_path: Path) -> None:
    world, worker = make(closing, tmp_path)
    worker.commit("1", ring_bell=False)
    wait_until(lambda: world.trade_ids == ["1"], LIMIT_S, "the trade")


@pytest.mark.parametrize("count", [1, RINGS_WATCHED_MAX, RINGS_WATCHED_MAX + 1])
def test_an_engine_that_spins_sees_a_batch_before_it_is_rung(
    closing: list[Any], tmp_path: Path, no_looks: None, count: int
) -> None:
    world = World(tmp_path, idle="spin")
    workers = [Worker(tmp_path, f"w{number}.a") for number in range(count)]
    closing.extend((world, *workers))
    for worker in workers:
        worker.commit("1")
    wait_until(lambda: len(world.trade_ids) == count, LIMIT_S, "all rings to be known")
    if count <= RINGS_WATCHED_MAX:
        for worker in workers:
            worker.commit("2", ring_bell=False)
        wait_until(lambda: len(world.trade_ids) == 2 * count, LIMIT_S, "batches that were not rung")
    else:  # looking at so many rings would take longer than asking the kernel
        assert not world.doorbell.is_waiting()
    for worker in workers:
        worker.commit("3")  # its ringing names a ring that may have been read already
    wait_until(lambda: world.trade_ids.count("3") == count, LIMIT_S, "the last batches")
    assert world.receiver.malformed_total == 0


def test_after_a_full_socket_all_rings_are_read(closing: list[Any], tmp_path: Path, no_looks: None) -> None:
    world, worker = make(closing, tmp_path)
    other = Worker(tmp_path, "v.a")
    closing.append(other)
    for each in (worker, other):
        each.commit("1")
    wait_until(lambda: len(world.trade_ids) == 2, LIMIT_S, "both rings to be known")
    other.commit("2", ring_bell=False)  # as if it had been refused
    # several at once: the engine is held while they are sent
    world.engine.register(EVENT_MARKET_TRADE, lambda _: time.sleep(0.2))
    worker.commit("2")
    wait_until(lambda: len(world.trade_ids) == 3, LIMIT_S, "the handler to be entered")
    for _ in range(FULL_COUNT):
        worker.bell.committed(b"")
    wait_until(lambda: len(world.trade_ids) == 4, LIMIT_S, "the other ring to be read")


def test_a_few_ringings_are_no_full_socket(
    closing: list[Any], tmp_path: Path, no_looks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbell_module, "FULL_COUNT", 1000)
    monkeypatch.setattr(sys.modules[__name__], "LIMIT_S", 1.0)
    with pytest.raises(AssertionError, match="the other ring"):
        test_after_a_full_socket_all_rings_are_read(closing, tmp_path, no_looks)


@pytest.mark.parametrize("name", [b"", b"ring-x-1", b"ring-w.a-2", b"ring-../w-1", b"\xff\xfe", b"x" * 3000])
def test_a_ring_that_this_run_does_not_have_is_refused(closing: list[Any], tmp_path: Path, name: bytes) -> None:
    world, worker = make(closing, tmp_path)
    worker.commit("1")
    wait_until(lambda: world.trade_ids == ["1"], LIMIT_S, "the first")
    world.send(name)
    wait_until(lambda: world.receiver.malformed_total == 1, LIMIT_S, "the count")
    worker.commit("2")
    wait_until(lambda: world.trade_ids == ["1", "2"], LIMIT_S, "the next")
    assert list(world.receiver.accounts(0.0)) == ["w.a"], "nothing is remembered of it"


def test_a_ring_of_a_worker_that_was_not_started_is_not_read(
    closing: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foxtrot_supervisor.engine.delivery.started.UNKNOWN_WAIT_S", 0.1)
    started = StartedWorkers()
    started.add({"w.a": 1})
    world = World(tmp_path, started)
    forged, worker = Worker(tmp_path, "w.a", 2), Worker(tmp_path)
    closing.extend((world, forged, worker))
    forged.commit("666")
    worker.commit("1")
    wait_until(lambda: world.trade_ids == ["1"], LIMIT_S, "the known one")
    wait_until(lambda: world.receiver.malformed_total == 1, LIMIT_S, "the ring to be refused")
    forged.commit("667")
    wait_until(lambda: world.receiver.malformed_total == 2, LIMIT_S, "its ringing to be refused")
    assert world.trade_ids == ["1"]


def test_datagrams_of_another_user_are_counted_and_ignored(
    closing: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, worker = make(closing, tmp_path)
    monkeypatch.setattr(world.doorbell, "_uid", os.geteuid() + 1)
    worker.commit("1")
    wait_until(lambda: world.receiver.malformed_total == 1, LIMIT_S, "the count")
    wait_until(lambda: world.trade_ids == ["1"], LIMIT_S, "the look at all rings")
    assert world.doorbell._known == {}
    assert stat.S_IMODE(world.path.stat().st_mode) == 0o600, "the kernel lets nobody else connect"


def test_a_removed_socket_is_made_again_and_rung(closing: list[Any], tmp_path: Path) -> None:
    world, worker = make(closing, tmp_path)
    worker.commit("1")
    world.path.unlink()
    wait_until(world.path.exists, LIMIT_S, "the file")
    hold_looks(world.engine, world.receiver)
    worker.commit("2")
    wait_until(lambda: world.trade_ids == ["1", "2"], LIMIT_S, "the trade after it")


def test_the_next_engine_takes_the_place_of_one_that_was_killed(closing: list[Any], tmp_path: Path) -> None:
    world, worker = make(closing, tmp_path)
    worker.commit("1")
    wait_until(lambda: world.trade_ids == ["1"], LIMIT_S, "the first")
    world.engine.stop(LIMIT_S)
    world.doorbell._socket.close()  # as the kernel does: the file stays
    worker.commit("2")
    successor = World(tmp_path)
    closing.append(successor)
    hold_looks(successor.engine, successor.receiver)
    worker.commit("3")
    wait_until(lambda: successor.trade_ids == ["2", "3"], LIMIT_S, "both")


def test_what_is_rung_before_reading_begins_is_read_then(closing: list[Any], tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    closing.append(worker)
    worker.commit("1")
    world = World(tmp_path)
    closing.append(world)
    for _ in range(3):
        world.doorbell.ignore()
    wait_until(lambda: world.trade_ids == ["1"], LIMIT_S, "the trade")
    assert world.doorbell.wait(0) is False


def test_the_file_goes_with_the_engine(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.path.exists()
    world.receiver.abandon()
    world.close()
    assert not world.path.exists()


def open_epolls() -> int:
    """Early bells, and the poller of an engine; unlike all descriptors, no file that a look has just opened."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(f"/proc/self/fd/{name}") == "anon_inode:[eventpoll]"
    return found


def test_each_engine_gets_the_early_bell_of_each_worker_once(closing: list[Any], tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    closing.append(worker)
    worker.commit("0")  # there is no engine yet
    for _ in range(3):
        before = open_epolls()
        world = World(tmp_path)
        try:
            for _ in range(3):
                worker.commit("1")
            early = world.receiver.early
            wait_until(early.owners, LIMIT_S, "the bell")
            wait_until(lambda: worker.ring.used_bytes == 0, LIMIT_S, "the batches")
            assert early.owners() == ["w.a"]
            assert open_epolls() == before + 2, "the engine's poller and one bell"
        finally:
            world.close()
        assert open_epolls() == before, "closed with the engine"


def test_an_early_bell_that_comes_before_reading_begins_is_kept(closing: list[Any], tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    closing.append(worker)
    engine = EventEngine()
    endpoint = endpoints.data_endpoint(str(tmp_path), "ring")
    receiver = EventReceiver(
        endpoint,
        "float",
        engine,
        structlog.get_logger(),
        lambda _: None,
        run_dir=str(tmp_path),
        on_drained=lambda _, path: remove_ring(path),
        started=StartedWorkers(),  # of which nothing is known yet
    )
    engine.attach(receiver)
    engine.start()
    try:
        worker.commit("1")
        wait_until(lambda: receiver.early.owners() == ["w.a"], LIMIT_S, "the bell")
        assert not receiver._begun
    finally:
        engine.stop(LIMIT_S)
        receiver.close()


def test_the_bells_of_workers_that_are_gone_are_closed_in_time(
    closing: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbell_module, "BELLS_SPARE", 3)
    world, worker = make(closing, tmp_path)
    worker.commit("1")
    wait_until(lambda: world.receiver.early.owners() == ["w.a"], LIMIT_S, "the bell")
    other = EarlyBell()
    closing.append(other)
    path = str(world.path)
    for number in range(30):  # names of no ring: each is refused, and its bell forgotten when there are too many
        stranger = worker_doorbell.Doorbell(path, f"ring-x{number}.a-1", other.fileno())
        stranger.committed(b"")
        stranger.close()
        wait_until(lambda n=number: world.receiver.malformed_total > n, LIMIT_S, "it to be taken")  # type: ignore[misc]
    assert len(world.receiver.early) <= 2 + 3 + 1
    assert "w.a" in world.receiver.early.owners()


def test_an_early_bell_of_another_user_or_without_a_ring_is_closed(
    closing: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, worker = make(closing, tmp_path)
    worker.commit("1")
    wait_until(lambda: world.receiver.early.owners() == ["w.a"], LIMIT_S, "the bell")
    other = EarlyBell()
    closing.append(other)
    before = open_epolls()
    nameless = worker_doorbell.Doorbell(str(world.path), "no ring", other.fileno())
    nameless.committed(b"")
    wait_until(lambda: world.receiver.malformed_total == 1, LIMIT_S, "the first to be refused")
    monkeypatch.setattr(world.doorbell, "_uid", os.geteuid() + 1)
    nameless._connect()
    nameless.committed(b"")
    wait_until(lambda: world.receiver.malformed_total == 2, LIMIT_S, "the second to be refused")
    nameless.close()
    assert world.receiver.early.owners() == ["w.a"]
    assert open_epolls() == before
