"""Delivery: at least once, in order, with pauses; refused rows are put aside; nothing a sink does loses a row."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from foxtrot_protocol.events import Trade
from foxtrot_supervisor.sinks import delivery as module
from foxtrot_supervisor.sinks.dead_letters import DeadLetters
from foxtrot_supervisor.sinks.delivery import Delivery
from foxtrot_supervisor.sinks.sink import SinkMisconfigured, SinkRefuses, SinkRow, SinkUnavailable
from foxtrot_supervisor.sinks.spool import Spool
from foxtrot_supervisor.sinks.spool_layout import encode_row
from foxtrot_supervisor.sinks.spool_writer import SpoolWriter
from tests.support.twin_world import Silent
from tests.support.waiting import wait_until_async

LIMIT_S = 20.0


class _Store:
    """A sink whose store lags behind by `lag` rows until it is flushed, and fails as it is told to."""

    def __init__(self, lag: int = 0) -> None:
        self.lag = lag
        self.flush_s: float | None = module.FLUSH_S
        self.fail: list[Exception | float | None] = []
        """What the next calls of `write` do: raise, sleep, or work."""
        self.refused: set[str] = set()
        self.opens = self.closes = 0
        self.durable: list[str] = []
        self.numbers: list[int] = []
        self.buffered: list[SinkRow] = []
        self.open_fails: list[Exception] = []

    async def open(self) -> None:
        self.opens += 1
        self.buffered = []
        if self.open_fails:
            raise self.open_fails.pop(0)

    async def write(self, rows: Sequence[SinkRow]) -> int:
        numbers = [row.number for row in rows]
        assert numbers == sorted(set(numbers))
        action = self.fail.pop(0) if self.fail else None
        if isinstance(action, float):
            await asyncio.sleep(action)
        elif action is not None:
            raise action
        bad = [(row, "no") for row in rows if row.key in self.refused]
        if bad:
            self.buffered = []
            raise SinkRefuses(bad)
        self.buffered += rows
        return self._settle(self.lag)

    async def flush(self) -> int:
        return self._settle(0)

    async def close(self) -> None:
        self.closes += 1

    def counts(self) -> dict[str, int]:
        return {}

    def _settle(self, lag: int) -> int:
        cut = max(0, len(self.buffered) - lag)
        self.durable += [row.key for row in self.buffered[:cut]]
        self.numbers += [row.number for row in self.buffered[:cut]]
        self.buffered = self.buffered[cut:]
        return self.numbers[-1] if self.numbers else 0


class _World:
    def __init__(
        self, folder: Path, store: _Store, batch_rows: int = 10, wants_room: Callable[[], bool] = lambda: False
    ) -> None:
        self.folder = folder
        self.store = store
        self.spool = Spool(str(folder), 1 << 20, 1000)
        self.writer = SpoolWriter(self.spool)
        self.writer.begin_run("run")
        self.count = 0
        self.delivery = Delivery(
            store, self.spool, DeadLetters(str(folder)), Silent(), batch_rows, lambda: 0.5, wants_room
        )

    def add(self, count: int) -> None:
        for _ in range(count):
            self.count += 1
            trade = Trade("SIM", "X", 1, 1, "1", "1", "buy", str(self.count))
            self.writer.commit([encode_row(f"k{self.count}", "sim", trade)])
        self.delivery.rows_came()

    async def run_until(self, done: Callable[[], bool]) -> None:
        running = asyncio.create_task(self.delivery.run())
        deadline = time.monotonic() + LIMIT_S
        while not done():
            assert time.monotonic() < deadline
            assert not running.done()
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def deliver_all(self) -> None:
        await self.run_until(lambda: not self.spool.pending_rows)

    def names(self, first: int = 1) -> list[str]:
        return [f"k{number}" for number in range(first, self.count + 1)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLUSH_S", 0.05)
    monkeypatch.setattr(module, "LONGEST_S", 0.05)


@pytest.mark.parametrize("lag", [0, 7])
async def test_rows_are_acknowledged_once_they_are_durable(tmp_path: Path, lag: int) -> None:
    world = _World(tmp_path, _Store(lag))
    world.add(35)
    await world.deliver_all()
    assert world.store.durable == world.names()
    assert world.store.numbers == [*range(1000, 1035)]
    assert world.delivery.delivered_total == 35
    assert (world.store.opens, world.delivery.problem) == (1, "")


async def test_a_nearly_full_spool_is_flushed_early(tmp_path: Path) -> None:
    """Else a sink that collects more than its spool holds waits for its age, and the spool for the sink."""
    store = _Store(lag=1_000_000)
    store.flush_s = None
    full: list[bool] = []
    world = _World(tmp_path, store, wants_room=lambda: bool(full))
    world.add(35)
    await world.run_until(lambda: len(store.buffered) == 35)
    assert store.durable == []
    full.append(True)
    await world.deliver_all()
    assert store.durable == world.names()


async def test_rows_that_come_later_are_delivered(tmp_path: Path) -> None:
    world = _World(tmp_path, _Store())
    running = asyncio.create_task(world.delivery.run())
    for _ in range(3):
        world.add(4)
        await wait_until_async(lambda: not world.spool.pending_rows, LIMIT_S, "delivery")
    running.cancel()
    assert world.store.durable == world.names()


@pytest.mark.parametrize(
    "error", [SinkUnavailable("away"), SinkMisconfigured("wrong password"), RuntimeError("a defect")]
)
async def test_after_any_error_the_sink_is_opened_again_and_rows_come_again(tmp_path: Path, error: Exception) -> None:
    store = _Store(lag=3)
    world = _World(tmp_path, store)
    store.open_fails = [error]
    store.fail = [None, error, error]
    world.add(30)
    await world.deliver_all()
    assert store.durable == world.names()
    assert (store.opens, store.closes) == (4, 3)
    assert world.delivery.failures_total == 3
    assert world.delivery.problem == ""


async def test_while_the_store_is_away_the_problem_says_so(tmp_path: Path) -> None:
    store = _Store()
    world = _World(tmp_path, store)
    store.fail = [SinkUnavailable("connection refused")] * 100
    world.add(3)
    await world.run_until(lambda: world.delivery.failures_total >= 2)
    assert world.delivery.problem == "connection refused"
    assert world.spool.pending_rows == 3


async def test_a_call_that_does_not_end_counts_as_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALL_S", 0.1)
    store = _Store()
    world = _World(tmp_path, store)
    store.fail = [1000.0]
    world.add(3)
    await world.deliver_all()
    assert store.durable == world.names()
    assert (store.opens, world.delivery.failures_total) == (2, 1)


@pytest.mark.parametrize("refused", [{"k1"}, {"k12", "k13"}, {"k35"}, {f"k{n}" for n in range(1, 36)}], ids=len)
async def test_refused_rows_are_put_aside_and_all_others_delivered(tmp_path: Path, refused: set[str]) -> None:
    store = _Store()
    world = _World(tmp_path, store)
    store.refused = refused
    world.add(35)
    await world.deliver_all()
    assert store.durable == [key for key in world.names() if key not in refused]
    lines = [json.loads(line) for line in (tmp_path / "refused.jsonl").read_text().splitlines()]
    assert {line["key"] for line in lines} == refused
    assert (world.delivery.refused_total, world.delivery.delivered_total) == (len(refused), 35 - len(refused))
    world.add(2)
    await world.deliver_all()
    assert store.durable[-2:] == ["k36", "k37"]


async def test_at_the_end_everything_is_delivered_and_the_sink_closed(tmp_path: Path) -> None:
    store = _Store(lag=5)
    world = _World(tmp_path, store)
    world.add(35)
    await world.delivery.finish(time.monotonic() + LIMIT_S)
    assert store.durable == world.names()
    assert store.closes == 1
    assert world.spool.pending_rows == 0


async def test_rows_of_a_call_that_the_end_interrupts_are_delivered_all_the_same(tmp_path: Path) -> None:
    store = _Store()
    store.fail = [None, LIMIT_S]
    world = _World(tmp_path, store)
    world.add(35)
    delivering = asyncio.create_task(world.delivery.run())
    await wait_until_async(lambda: len(store.durable) == 10 and not store.fail, LIMIT_S, "the second call")
    delivering.cancel()
    await asyncio.gather(delivering, return_exceptions=True)
    await world.delivery.finish(time.monotonic() + LIMIT_S)
    assert store.durable == world.names()
    assert world.spool.pending_rows == 0
    assert (store.opens, store.closes) == (2, 2)


async def test_at_the_end_rows_stay_in_the_spool_if_the_store_is_away(tmp_path: Path) -> None:
    store = _Store()
    world = _World(tmp_path, store)
    store.fail = [None, *[SinkUnavailable("away")] * 1000]
    world.add(35)
    begun = time.monotonic()
    await world.delivery.finish(begun + module.CLOSE_S + 0.3)
    assert time.monotonic() < begun + module.CLOSE_S + 0.3
    assert (world.spool.pending_rows, world.spool.acknowledged) == (25, 1009)
    again = _World.__new__(_World)
    again.__dict__.update(world.__dict__)
    again.store = later = _Store()
    again.spool = Spool(str(tmp_path), 1 << 20)
    again.writer = SpoolWriter(again.spool)
    again.delivery = Delivery(later, again.spool, DeadLetters(str(tmp_path)), Silent(), 10)
    await again.deliver_all()
    assert later.durable == world.names(first=11)


async def test_a_store_that_forgets_a_cancellation_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """As `asyncio.wait_for` of Python 3.11 does, also in `close`."""

    class Forgetful(_Store):
        forgotten = 0

        async def write(self, rows: Sequence[SinkRow]) -> int:
            while not await self._forgets():
                pass
            return await super().write(rows)

        async def close(self) -> None:
            await super().close()
            self.forgotten = 0
            while not await self._forgets():
                pass

        async def _forgets(self) -> bool:
            try:
                await asyncio.sleep(LIMIT_S)
            except asyncio.CancelledError:
                if self.forgotten:
                    raise
                self.forgotten += 1
                return False
            return True

    world = _World(tmp_path, store := Forgetful())
    world.add(3)
    begun = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CLOSE_S", 0.1)
        await world.delivery.finish(begun + module.CLOSE_S + 0.1)
    assert time.monotonic() < begun + LIMIT_S
    assert (store.forgotten, store.closes, world.spool.pending_rows) == (1, 1, 3)


async def test_a_close_that_fails_is_no_matter(tmp_path: Path) -> None:
    class Broken(_Store):
        async def close(self) -> None:
            raise ValueError("broken")

    world = _World(tmp_path, Broken())
    world.add(3)
    await world.delivery.finish(time.monotonic() + LIMIT_S)
    assert world.spool.pending_rows == 0
