"""A worker's rings and one life after another of a sink's first stage, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.events import EVENT_BBO, EVENT_MARKET_TRADE, Gap, Quote, Trade
from foxtrot_protocol.ring_layout import CAPACITY_MIN
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_supervisor.sinks.intake import Intake
from foxtrot_supervisor.sinks.sink import SinkRow
from foxtrot_supervisor.sinks.spool import Spool
from foxtrot_supervisor.sinks.spool_reader import SpoolReader
from foxtrot_workers.feed.ring_writer import RingWriter
from tests.support.twin_world import Silent

__all__ = ["SinkFeed", "SinkProcess", "quote", "trade"]

_RULES = {EVENT_MARKET_TRADE: "sequence", EVENT_BBO: "content"}


class SinkFeed:
    """A connection whose workers write their rings, and an engine that frees them at once."""

    def __init__(self, folder: Path, capacity: int = CAPACITY_MIN * 16) -> None:
        self.folder = folder
        self.capacity = capacity
        self.links = folder / "sinks" / "tape"
        self.links.mkdir(parents=True)
        self.workers: dict[str, tuple[RingWriter, BatchEncoder, RingReader, list[int]]] = {}
        self.incarnations: dict[str, int] = {}
        self.sent_ns = 76
        """When the last batch was sent."""

    def start(self, worker: str) -> int:
        incarnation = self.incarnations[worker] = self.incarnations.get(worker, 0) + 1
        side = worker.rpartition(".")[2]
        ring = RingWriter(
            str(self.folder),
            worker,
            incarnation,
            self.capacity,
            connection="c",
            side=side,
            rules=_RULES,
            readers=[str(self.links)],
        )
        assert ring.refused_links == {}
        engine = RingReader.open(str(self.folder), worker, incarnation)
        assert engine is not None
        self.workers[worker] = ring, BatchEncoder(worker, incarnation), engine, [0]
        return incarnation

    def end(self, worker: str) -> int:
        ring, _, engine, _ = self.workers.pop(worker)
        engine.close()
        Path(ring.path).unlink()  # the engine's link
        return self.incarnations[worker]

    def write(self, worker: str, *events: Any) -> None:
        ring, encoder, engine, sequence = self.workers[worker]
        sequence[0] += 1
        self.sent_ns += 1
        assert ring.append(sequence[0], len(events), encoder.encode(sequence[0], self.sent_ns, list(events)))
        record = engine.next()
        assert record is not None
        engine.consume_to(record.end)


class SinkProcess:
    """One life of the sink's process after another."""

    def __init__(self, feed: SinkFeed, folder: Path, spool_bytes: int = 1 << 20) -> None:
        self.feed = feed
        self.folder = folder
        self.spool_bytes = spool_bytes
        folder.mkdir()
        self.now = 1000.0
        self.fenced: list[tuple[str, int]] = []
        self.start()

    def start(self, run_id: str = "run") -> None:
        self.spool = Spool(str(self.folder), self.spool_bytes)
        self.intake = Intake(str(self.feed.links), run_id, self.spool, Silent())
        self.intake.started.add(self.feed.incarnations)
        for fence in self.fenced:
            self.intake.fence(*fence)

    def fence(self, worker: str, incarnation: int) -> None:
        self.fenced.append((worker, incarnation))
        self.intake.fence(worker, incarnation)

    def pump(self, times: int = 3) -> None:
        for _ in range(times):
            self.now += 0.2
            while self.intake.pump(self.now):
                pass

    def rows(self) -> list[SinkRow]:
        reader = SpoolReader(self.spool, 1)
        rows = reader.take(1 << 20, 1 << 30)
        reader.close()
        assert [row.number for row in rows] == [*range(1, len(rows) + 1)]
        return rows

    def trades(self) -> list[str]:
        return [row.event.trade_id for row in self.rows() if isinstance(row.event, Trade)]

    def gaps(self) -> list[str]:
        return [row.event.cause for row in self.rows() if isinstance(row.event, Gap)]


def trade(number: int) -> Trade[str]:
    return Trade("SIM", "X", number, number, "1.10", "2", "buy", str(number))


def quote(number: int) -> Quote[str]:
    return Quote("SIM", "X", number, number, "1", "2", "3", "4", "")
