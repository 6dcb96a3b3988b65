"""What the ring costs: nanoseconds an event for a worker to commit, and for the engine to match or to read.

    .venv/bin/python scripts/bench_ring.py [--runs N]

Batches are encoded beforehand: only the ring's own work is timed. The engine follows 64 KiB behind.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time

from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.events import Trade
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_workers.feed.ring_writer import RingWriter

CAPACITY = 4 * 1024 * 1024
EVENTS = 200_000
STRETCH_BYTES = 64 * 1024


def batch(size: int) -> bytes:
    trades = [
        Trade("SIM", "BTCUSDT", 1_700_000_000_000_000_000, 1_700_000_000_000_000_200, "64000.10", "0.50", "buy", str(n))
        for n in range(size)
    ]
    return BatchEncoder("sim.a", 1).encode(1, 1_700_000_000_000_000_300, trades)


def measure(folder: str, incarnation: int, size: int) -> tuple[float, float, float]:
    """CPU ns an event: to append, to mark as applied, to read back with its checksum."""
    writer = RingWriter(folder, "sim.a", incarnation, CAPACITY)
    reader = RingReader.open(folder, "sim.a", incarnation)
    assert reader is not None
    data, count = batch(size), EVENTS // size
    stretch = max(1, STRETCH_BYTES // len(data))
    clock = time.thread_time_ns
    spent = {"append": 0, "match": 0, "read": 0}
    sequence = 0
    for turn in range(2 * (count // stretch)):
        first, last = sequence + 1, sequence + stretch
        began = clock()
        for sequence in range(first, last + 1):
            writer.append(sequence, size, data)
        spent["append"] += clock() - began
        began = clock()
        if turn % 2:  # as if it had come over ZeroMQ
            for sequence in range(first, last + 1):
                end = reader.holds(sequence, data)
                assert end is not None
                reader.begin(sequence)
                reader.acknowledge(sequence, end, sequence * size, 0, 0)
        else:
            for sequence in range(first, last + 1):
                record = reader.next()
                assert record is not None
                reader.begin(sequence)
                reader.acknowledge(sequence, record.end, sequence * size, 0, 0)
        spent["match" if turn % 2 else "read"] += clock() - began
    reader.close()
    writer.close()
    events = sequence * size
    return spent["append"] / events, 2 * spent["match"] / events, 2 * spent["read"] / events


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    print(f"ring of {CAPACITY >> 20} MiB, {EVENTS} events a run, {runs} runs: median (min to max), CPU ns an event")
    print(
        f"{'events a batch':>15} {'bytes a batch':>14}   "
        f"{'worker: append':>22}   {'engine: moved on':>22}   {'engine: read':>22}"
    )
    with tempfile.TemporaryDirectory() as folder:
        incarnation = 0
        for size in (1, 4, 16, 64, 256):
            results = []
            for _ in range(runs):
                incarnation += 1
                results.append(measure(folder, incarnation, size))
                os.unlink(f"{folder}/ring-sim.a-{incarnation}")
            columns = "   ".join(
                f"{statistics.median(column):8.0f} ({min(column):.0f} to {max(column):.0f})".rjust(22)
                for column in zip(*results, strict=True)
            )
            print(f"{size:>15} {len(batch(size)):>14}   {columns}")


if __name__ == "__main__":
    main()
