"""What sinks read of others' files, as targets of `fuzzing`: a spool's segments, and rings beside the engine."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.events import Gap, Trade
from foxtrot_protocol.ring_layout import HEADER_BYTES, Word
from foxtrot_supervisor.sinks.intake import Intake
from foxtrot_supervisor.sinks.ring_marks import RingMark
from foxtrot_supervisor.sinks.sink import SinkRow
from foxtrot_supervisor.sinks.spool import Spool
from foxtrot_supervisor.sinks.spool_layout import HEAD_AT, encode_row, read_block
from foxtrot_supervisor.sinks.spool_reader import SpoolReader
from foxtrot_supervisor.sinks.spool_writer import SpoolWriter
from foxtrot_workers.feed.ring_writer import RingWriter
from tests.support.fuzzing import Broken, Target

__all__ = ["SINK_TARGETS", "SinkRings", "SpoolSegments"]

SPOOL_BYTES = 64 * 1024
ROWS = 250
RING_BYTES = 4096
RING_TRADES = 21


def _folder() -> str:
    # in memory, as run directories are: a disk that has other things to do would take most of the time
    return tempfile.mkdtemp(prefix="foxtrot-fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)


def _trade(number: int) -> Trade[str]:
    return Trade("SIM", "BTCUSDT", number, number + 1, f"{100 + number}.50", "2.0", "buy", str(number))


class SpoolSegments(Target):
    """One damaged segment of a spool: rows are right and in order, what is missing is counted, or reading refuses."""

    name: ClassVar[str] = "spool"
    share: ClassVar[float] = 0.2

    def __init__(self) -> None:
        self._folder = _folder()
        spool = Spool(self._folder, SPOOL_BYTES)
        writer = SpoolWriter(spool)
        writer.begin_run("run")
        for number in range(1, ROWS + 1):
            writer.commit([encode_row(f"key-{number}", "one", _trade(number))], [RingMark("w.a", 1, number, number)])
        writer.close()
        self._whole = [Path(segment.path).read_bytes() for segment in spool.segments()]
        self._names = [os.path.basename(segment.path) for segment in spool.segments()]
        self._used = [
            HEADER_BYTES + int.from_bytes(each[HEAD_AT : HEAD_AT + 8], "little", signed=False) for each in self._whole
        ]
        self._ends = [self._block_ends(each, used) for each, used in zip(self._whole, self._used, strict=True)]
        spool.close()

    def close(self) -> None:
        shutil.rmtree(self._folder)

    def samples(self) -> Sequence[bytes]:
        return [whole[:used] for whole, used in zip(self._whole, self._used, strict=True)]

    def feed(self, data: bytes, chance: random.Random) -> bool:
        place = self._place_of(data, chance)
        is_last = place == len(self._whole) - 1
        whole = self._whole[place]
        for name, content in zip(self._names, self._whole, strict=True):
            Path(self._folder, name).write_bytes(content)
        # as long as it was, mostly: a file that is cut raises at once
        cut = chance.random() < 0.1
        struck = bytearray(data if cut else data + whole[len(data) :])
        if chance.random() < 0.05:  # says that fewer blocks were committed
            struck = bytearray(whole)
            struck[HEAD_AT : HEAD_AT + 8] = chance.choice(self._ends[place]).to_bytes(8, "little")
        Path(self._folder, self._names[place]).write_bytes(struck)
        os.unlink(os.path.join(self._folder, "acknowledged.map"))
        spool = Spool(self._folder, SPOOL_BYTES)
        try:
            return self._read(spool, is_last=is_last)
        except MalformedMessage:
            return False
        finally:
            spool.close()

    @staticmethod
    def _block_ends(whole: bytes, used: int) -> list[int]:
        ends, data = [0], memoryview(whole)[HEADER_BYTES:]
        while (record := read_block(data, ends[-1], used - HEADER_BYTES)) is not None:
            ends.append(record.end)
        return ends

    def _place_of(self, data: bytes, chance: random.Random) -> int:
        for place, (whole, used) in enumerate(zip(self._whole, self._used, strict=True)):
            if data == whole[:used]:
                return place
        near = [sum(a == b for a, b in zip(data[:64], whole[:64], strict=False)) for whole in self._whole]
        return near.index(max(near)) if chance.random() < 0.9 else int(chance.random() * len(self._whole))

    def _read(self, spool: Spool, *, is_last: bool) -> bool:
        reader = SpoolReader(spool, 1)
        rows: list[SinkRow] = []
        try:
            while taken := reader.take(100, 1 << 20):
                rows += taken
                if len(rows) > ROWS:
                    raise Broken("more rows are read than were written")
        finally:
            reader.close()
        before = 0
        for row in rows:
            if row.number <= before or row.key != f"key-{row.number}" or row.event != _trade(row.number):
                raise Broken(f"row {row.number} is not what was written, or comes out of order")
            before = row.number
        # the word at the end of the last segment is all that says how many rows it has
        missing = (before if is_last else ROWS) - len(rows)
        if missing > reader.damaged_rows:
            raise Broken(f"{missing} rows are missing, {reader.damaged_rows} are counted")
        writer = SpoolWriter(spool)
        if writer.run_id not in ("run", ""):
            raise Broken(f"a damaged run was taken: {writer.run_id}")
        writer.close()
        return len(rows) == ROWS


class _Log:
    def __init__(self) -> None:
        self.events: set[str] = set()

    def _note(self, event: str, /, **fields: object) -> None:
        self.events.add(event)

    debug = info = warning = error = _note


class SinkRings(Target):
    """A damaged ring that a sink reads: its rows are right and in order, what is missing is reported."""

    name: ClassVar[str] = "sink_rings"
    share: ClassVar[float] = 0.2

    def __init__(self) -> None:
        self._folder = _folder()
        self._links = os.path.join(self._folder, "sinks", "tape")
        os.makedirs(self._links)
        os.mkdir(os.path.join(self._folder, "spool"))
        self._spool = Spool(os.path.join(self._folder, "spool"), 1 << 20)
        self._log: Any = _Log()
        self._intake = Intake(self._links, "run", self._spool, self._log)
        self._reader = SpoolReader(self._spool, 1)
        self._now = 1000.0
        self._incarnation = 0
        self._used = 0

    def close(self) -> None:
        self._reader.close()
        self._intake.close()
        self._spool.close()
        shutil.rmtree(self._folder)

    def samples(self) -> Sequence[bytes]:
        return [bytes(RING_BYTES)]

    def feed(self, data: bytes, chance: random.Random) -> bool:
        """Each input is a ring of its own; `chance` says where it is struck."""
        self._incarnation += 1
        first = 100 * self._incarnation
        path = self._write(first)
        if self._incarnation > 1:
            self._strike(path, chance)
        self._log.events.clear()
        self._intake.started.add({"w.a": self._incarnation})
        self._intake.fence("w.a", self._incarnation)
        for _ in range(100):
            self._now += 0.2
            self._intake.pump(self._now)
            if not os.path.exists(path):
                break
        else:
            raise Broken(f"the ring is never drained: {sorted(self._log.events)}")
        rows = self._reader.take(10_000, 1 << 24)
        self._spool.acknowledge(self._spool.last_row)
        given = [msgspec.structs.replace(row.event, publish_ns=0) for row in rows if isinstance(row.event, Trade)]
        wanted = [_trade(number) for number in range(first, first + RING_TRADES)]
        left = iter(wanted)
        if not all(event in left for event in given):
            raise Broken(f"given: {[event.trade_id for event in given]}")
        reported = any(isinstance(row.event, Gap) for row in rows) or self._log.events & {
            "account_violated",
            "ring_removed_unread",
            "ring_unreadable",
        }
        if len(given) < len(wanted) and not reported:
            raise Broken(f"{len(wanted) - len(given)} events are missing, and nothing says so")
        return len(given) == len(wanted)

    def _write(self, first: int) -> str:
        """Write a ring of batches of 1 to 6 trades, numbered from `first`; return its link."""
        writer = RingWriter(self._folder, "w.a", self._incarnation, RING_BYTES, readers=[self._links])
        encoder = BatchEncoder("w.a", self._incarnation)
        for sequence in range(1, 7):
            trades = [_trade(first + number) for number in range(sequence)]
            first += sequence
            writer.append(sequence, sequence, encoder.encode(sequence, 77, trades))
        self._used = writer.used_bytes
        writer.close()
        os.unlink(writer.path)
        return os.path.join(self._links, os.path.basename(writer.path))

    def _strike(self, path: str, chance: random.Random) -> None:
        words = [8 * word + byte for word in Word for byte in range(8)]
        with open(path, "r+b") as file:
            for _ in range(1 + int(chance.random() * 3)):
                where = chance.random()
                if where < 0.6:
                    at = HEADER_BYTES + int(chance.random() * self._used)
                elif where < 0.9:
                    at = words[int(chance.random() * len(words))]
                else:
                    at = int(chance.random() * 64)
                file.seek(at)
                (byte,) = file.read(1)
                file.seek(at)
                file.write(bytes([byte ^ (1 << int(chance.random() * 8))]))


SINK_TARGETS: dict[str, type[Target]] = {target.name: target for target in (SpoolSegments, SinkRings)}
"""Targets by name."""
