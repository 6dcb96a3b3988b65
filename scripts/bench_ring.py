"""What the ring costs: nanoseconds an event for a worker to commit, and for the engine to read or to skip.

    .venv/bin/python scripts/bench_ring.py [--runs N]

Batches are encoded beforehand: only the ring's own work is timed. The tail follows at once, so the same part of the
file stays in the caches, as with an engine that keeps up.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time

from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.events import Trade
from foxtrot_supervisor.ring_reader import RingReader
from foxtrot_workers.ring_writer import RingWriter

CAPACITY = 4 * 1024 * 1024
EVENTS = 200_000


def batch(size: int) -> bytes:
    trades = [
        Trade("SIM", "BTCUSDT", 1_700_000_000_000_000_000, 1_700_000_000_000_000_200, "64000.10", "0.50", "buy", str(n))
        for n in range(size)
    ]
    return BatchEncoder("sim.a", 1).encode(1, 1_700_000_000_000_000_300, trades)


def measure(folder: str, incarnation: int, size: int) -> tuple[float, float, float]:
    """ns an event: to append, to mark as applied, to read back with its checksum."""
    writer = RingWriter(folder, "sim.a", incarnation, CAPACITY)
    reader = RingReader.open(folder, "sim.a", incarnation)
    assert reader is not None
    data, count = batch(size), EVENTS // size
    clock = time.perf_counter_ns
    append = take = read = 0
    for sequence in range(1, 2 * count + 1):
        began = clock()
        done = writer.append(sequence, size, data)
        append += clock() - began
        assert done
        if sequence <= count:  # it came over ZeroMQ
            began = clock()
            reader.taking(sequence)
            reader.took(sequence, reader.end_of(len(data)), sequence * size, 0, 0)
            take += clock() - began
        else:
            began = clock()
            record = reader.next()
            assert record is not None
            reader.taking(sequence)
            reader.took(sequence, record.end, sequence * size, 0, 0)
            read += clock() - began
    reader.close()
    writer.close()
    events = count * size
    return append / (2 * events), take / events, read / events


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    print(f"ring of {CAPACITY >> 20} MiB, {EVENTS} events a run, {runs} runs: median (min to max), ns an event")
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
