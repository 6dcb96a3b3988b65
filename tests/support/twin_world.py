"""Two workers of one connection and engines that die at any store, in one process and without waiting.

The receiver, the rings and the file of positions are the real ones; the exchange, the workers and the clock are made
up. A *store* is one write to a mapped word of a ring, one write to the file of positions, or one call of a handler: an
engine that dies at the n-th of them leaves everything as a SIGKILL there would.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from foxtrot_protocol import endpoints
from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.events import EVENT_GAP, EVENT_MARKET_TRADE, Gap, Trade
from foxtrot_protocol.ring_layout import CAPACITY_MIN, RingFigures
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.delivery import accounts, apply, receiver, rings
from foxtrot_supervisor.engine.delivery.positions import PositionFile
from foxtrot_supervisor.engine.delivery.receiver import EventReceiver, remove_ring
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_workers.feed.ring_writer import RingWriter

__all__ = ["SYMBOLS", "Handled", "Killed", "Silent", "TwinWorld"]

SYMBOLS = ("X", "Y")
CONNECTION = "c"
RULES = {EVENT_MARKET_TRADE: "sequence"}

Handled = tuple[int, bool, bool, int]
"""Trade id, redelivered, backfilled, number of the engine."""


class Killed(BaseException):
    """The engine ends here, with no further word."""


class Silent:
    """A log for nobody."""

    def info(self, event: str, **fields: Any) -> None: ...

    warning = error = debug = info


class _Fuse:
    """Counts stores; blows at the one it was set to, and from then on at each."""

    def __init__(self) -> None:
        self.left: int | None = None

    def burn(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed


class _Watched:
    """A mapped memory whose writes are stores."""

    def __init__(self, memory: Any, fuse: _Fuse) -> None:
        self._memory = memory
        self._fuse = fuse

    def __getitem__(self, place: Any) -> Any:
        return self._memory[place]

    def __setitem__(self, place: Any, value: Any) -> None:
        self._fuse.burn()
        self._memory[place] = value

    def __len__(self) -> int:
        return len(self._memory)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._memory, name)


class Clock:
    """Stands in for `time` in the receiver."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return int(self.now * 1e9)


class Worker:
    """One incarnation: hears what the exchange makes while it lives, commits it in batches."""

    def __init__(self, folder: Path, side: str, incarnation: int) -> None:
        self.side = side
        self.incarnation = incarnation
        self.name = f"{CONNECTION}.{side}"
        self.ring = RingWriter(
            str(folder), self.name, incarnation, CAPACITY_MIN * 4, connection=CONNECTION, side=side, rules=RULES
        )
        self.encoder = BatchEncoder(self.name, incarnation)
        self.heard: list[Trade[str]] = []
        self.sequence = 0

    def commit(self, count: int) -> list[Trade[str]]:
        """Put so many of what was heard into the ring, if there is room; what was committed."""
        events = self.heard[:count]
        if not events or not self.ring.append(
            self.sequence + 1, len(events), self.encoder.encode(self.sequence + 1, 7, events)
        ):
            return []
        self.sequence += 1
        del self.heard[:count]
        return events


class TwinWorld:
    """Its methods make things happen; `check` at the end says whether the promises held."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.fuse = _Fuse()
        self.made = dict.fromkeys(SYMBOLS, 0)
        self.workers: dict[str, Worker] = {}
        self.incarnations = {"a": 0, "b": 0}
        self.unfenced: list[tuple[str, int]] = []
        self.committed: dict[str, set[int]] = {symbol: set() for symbol in SYMBOLS}
        self.handled: dict[str, list[Handled]] = {symbol: [] for symbol in SYMBOLS}
        self.missing: dict[str, set[int]] = {symbol: set() for symbol in SYMBOLS}
        self.filled: dict[str, set[int]] = {symbol: set() for symbol in SYMBOLS}
        self.engines = 0
        self.violations = 0
        self._closers: list[Callable[[], None]] = []
        self.receiver = self._engine()

    def close(self) -> None:
        self.receiver.close()
        for worker in self.workers.values():
            worker.ring.close()

    # ---- the exchange and the workers

    def emit(self, count: int) -> None:
        """The exchange makes trades, of each symbol in turn; who is connected hears them."""
        for number in range(count):
            symbol = SYMBOLS[number % len(SYMBOLS)]
            self.made[symbol] += 1
            made = self.made[symbol]
            for worker in self.workers.values():
                at = made * 1_000_000
                worker.heard.append(Trade("SIM", symbol, at, at + 1, "1", "1", "buy", str(made)))
        self.clock.now += 0.001

    def start(self, side: str) -> None:
        """A worker of this side, if there is none."""
        if side not in self.workers:
            self.incarnations[side] += 1
            self.workers[side] = Worker(self.folder, side, self.incarnations[side])

    def commit(self, side: str, count: int) -> None:
        if side in self.workers:
            for trade in self.workers[side].commit(count):
                self.committed[trade.symbol].add(int(trade.trade_id))

    def kill(self, side: str) -> None:
        """What it heard and has not committed is gone; the engine learns of it later."""
        worker = self.workers.pop(side, None)
        if worker is not None:
            worker.ring.close()
            self.unfenced.append((worker.name, worker.incarnation))

    def fence(self) -> None:
        for worker, incarnation in self.unfenced:
            self.receiver.fence(worker, incarnation)
        self.unfenced.clear()

    # ---- the engine

    def pump(self, *, die_at: int | None = None) -> None:
        """The engine does what there is to do; at the `die_at`-th store from here it dies, and another one begins."""
        self.fuse.left = die_at
        try:
            for _ in range(60):
                self.receiver._look_at = 0.0
                if not self.receiver.pump():
                    break
        except Killed:
            self.replace_engine()
        self.fuse.left = None

    def replace_engine(self) -> None:
        """As after a SIGKILL."""
        self.fuse.left = None
        self.violations += self.receiver.violations_total
        with contextlib.suppress(BufferError):
            self.receiver.close()
        self.receiver = self._engine()
        # fences are told once: the next engine finds out by waiting
        self.clock.now += 0.001

    def expire(self) -> None:
        """Whatever waits has waited for long enough."""
        self.clock.now += 3.0

    def settle(self) -> None:
        """All that was heard is committed, both workers are gone, and the engine has applied everything."""
        for side in ("a", "b"):
            for _ in range(1000):
                worker = self.workers.get(side)
                if worker is None or not worker.heard:
                    break
                self.commit(side, 5)
                self.pump()
                self.clock.now += 1.1
        for side in ("a", "b"):
            self.kill(side)
        for side, incarnation in self.incarnations.items():
            if incarnation:
                self.receiver.fence(f"{CONNECTION}.{side}", incarnation)
        for _ in range(10):
            self.pump()
            self.expire()
        self.pump()
        self.violations += self.receiver.violations_total

    def check(self) -> None:
        """Each trade that anybody committed once, in order; holes exactly what nobody committed."""
        assert list(self.folder.glob("ring-*")) == []
        assert self.violations == 0
        for symbol in SYMBOLS:
            first_time: list[int] = []
            late: set[int] = set()
            engines: dict[int, int] = {}
            for trade_id, redelivered, backfilled, engine in self.handled[symbol]:
                if trade_id in engines:
                    assert redelivered, f"{symbol} {trade_id} came twice and unmarked"
                    assert engine != engines[trade_id], f"{symbol} {trade_id} came twice from one engine"
                else:
                    if backfilled:
                        late.add(trade_id)
                    else:
                        first_time.append(trade_id)
                engines[trade_id] = engine
            assert first_time == sorted(first_time), f"{symbol} out of order"
            # a stream begins with what comes first: what the other worker has of before is a copy of nothing
            start = min(first_time, default=0)
            committed = {trade_id for trade_id in self.committed[symbol] if trade_id >= start}
            assert set(engines) == committed, f"{symbol} lost {committed - set(engines)}"
            if not first_time:
                continue
            holes = set(range(first_time[0], first_time[-1] + 1)) - committed
            announced = self.missing[symbol]
            assert announced - self.filled[symbol] == holes, f"{symbol}: {announced} announced, {holes} missing"
            assert self.filled[symbol] == late, f"{symbol}: {self.filled[symbol]} said to be filled, {late} were"

    def _engine(self) -> EventReceiver:
        self.engines += 1
        log: Any = Silent()
        engine = EventEngine(log=log)
        receiver = EventReceiver(
            endpoints.data_endpoint(str(self.folder)),
            "text",
            engine,
            log,
            lambda data: None,
            run_dir=str(self.folder),
            on_drained=self._drained,
        )
        number = self.engines

        def on_trade(event: Any) -> None:
            self.fuse.burn()
            trade = event.data
            self.handled[trade.symbol].append((int(trade.trade_id), trade.redelivered, trade.backfilled, number))

        def on_gap(event: Any) -> None:
            self.fuse.burn()
            gap: Gap = event.data
            assert gap.first_id is not None, gap
            assert gap.last_id is not None
            target = self.filled if gap.filled else self.missing
            target[gap.symbol].update(range(int(gap.first_id), int(gap.last_id) + 1))

        engine.register(EVENT_MARKET_TRADE, on_trade)
        engine.register(EVENT_GAP, on_gap)
        return receiver

    def _drained(self, ring: RingFigures, path: str) -> None:
        remove_ring(path)

    def install(self, monkeypatch: Any) -> None:
        """Let the receiver live in this world."""
        for module in (accounts, apply, receiver, rings):
            monkeypatch.setattr(module, "time", self.clock)
        fuse, make_reader, open_file = self.fuse, RingReader.open.__func__, PositionFile.open.__func__  # type: ignore[attr-defined]

        def watched_reader(cls: type[RingReader], *details: Any) -> RingReader | None:
            reader: RingReader | None = make_reader(cls, *details)
            if reader is not None:
                reader._words = _Watched(reader._words, fuse)  # type: ignore[assignment]
            return reader

        def watched_file(cls: type[PositionFile], run_dir: str) -> PositionFile:
            file: PositionFile = open_file(cls, run_dir)
            file._map = _Watched(file._map, fuse)  # type: ignore[assignment]
            return file

        monkeypatch.setattr(RingReader, "open", classmethod(watched_reader))
        monkeypatch.setattr(PositionFile, "open", classmethod(watched_file))
