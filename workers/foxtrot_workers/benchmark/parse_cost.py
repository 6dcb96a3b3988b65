"""Measures what parsing costs: ``python -m foxtrot_workers.benchmark.parse_cost [RECORDING]...`` prints JSON.

For each exchange and kind of frame (the tags of the events that it becomes): the time in which Python parses a frame
and encodes its events, and that in which a template matches it and writes them. Without recordings, frames are made as
Binance sends them.
"""

from __future__ import annotations

import gc
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from foxtrot_protocol import compiled
from foxtrot_protocol.events import MarketEvent
from foxtrot_protocol.stream_ranges import bounds_of
from foxtrot_workers.adapter import catalog
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.book_chain import MATCHER
from foxtrot_workers.adapter.notices import UnrecognizedFrame
from foxtrot_workers.benchmark.load_frames import SNAPSHOT_ID, depth_snapshot, payloads, primer_payload
from foxtrot_workers.replay.recording import RecordedFrame, read_recording
from foxtrot_workers.replay.replay import guess_exchange
from foxtrot_workers.templates.store import TemplateStore

__all__ = ["FrameCost", "main", "measure"]

REHEARSALS = 200
"""Times that a template matches each frame."""

MEASURED_MAX = 300
"""Frames of each kind that templates are measured on."""

_encode = msgspec.msgpack.Encoder().encode


class FrameCost(Struct, frozen=True):
    """One kind of frames of one exchange; times in nanoseconds, medians."""

    exchange: str
    events: str
    frames: int
    frame_bytes: int
    python_ns: float
    template_ns: float | None


def measure(exchange: str, adapter: Adapter, frames: Iterator[RecordedFrame]) -> list[FrameCost]:
    """Measure one connection's frames, in the order of receipt."""
    native = compiled.load(MATCHER)
    store = None
    if native is not None:
        store = TemplateStore(native, adapter, native.BatchBuilder(_encode, bounds_of, -1), 1)
    overhead_ns = _overhead_ns()
    python_ns: dict[str, list[float]] = defaultdict(list)
    kinds: dict[str, list[bytes]] = defaultdict(list)
    url = ""
    for frame in frames:
        events: list[MarketEvent[str]] = []
        if frame.direction == "http":
            adapter.on_rest(frame.url, 200, frame.payload, frame.line, events)
        if frame.direction != "in":
            continue
        if frame.url != url:
            url = frame.url
            adapter.address(url)
        began = time.perf_counter_ns()
        try:
            adapter.parse(frame.payload, frame.line, events)
        except (msgspec.DecodeError, UnrecognizedFrame):
            continue
        for event in events:
            _encode(event)
        took = time.perf_counter_ns() - began
        adapter.notices.clear()
        if events:
            kind = " ".join(dict.fromkeys(_tag(event) for event in events))
            python_ns[kind].append(max(0.0, took - overhead_ns))
            kinds[kind].append(frame.payload)
            if store is not None:
                store.learn(frame.payload, frame.line, events)
    return [
        FrameCost(
            exchange,
            kind,
            len(payloads),
            round(statistics.median(map(len, payloads))),
            round(statistics.median(python_ns[kind])),
            None if store is None else _template_ns(store, payloads[-MEASURED_MAX:]),
        )
        for kind, payloads in sorted(kinds.items())
    ]


def _template_ns(store: TemplateStore, frames: Sequence[bytes]) -> float | None:
    """Return the median over frames that a template matches; None where most do not match."""
    found = []
    for frame in frames:
        began = time.perf_counter_ns()
        if store.rehearse(frame, REHEARSALS):
            found.append((time.perf_counter_ns() - began) / REHEARSALS)
    return round(statistics.median(found)) if 2 * len(found) > len(frames) else None


def _tag(event: Any) -> str:
    tag: str = event.__struct_config__.tag
    return tag


def _overhead_ns() -> float:
    """Return what reading the clock twice takes."""
    times = []
    for _ in range(1_000):
        began = time.perf_counter_ns()
        times.append(time.perf_counter_ns() - began)
    return statistics.median(times)


def _made_frames() -> Iterator[RecordedFrame]:
    """Return frames of one symbol as Binance sends them, with the snapshot of its book."""
    yield RecordedFrame(1, 0, "in", "", primer_payload("BTCUSDT"))
    path = "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000"
    yield RecordedFrame(2, 0, "http", path, depth_snapshot(SNAPSHOT_ID))
    for line, text in enumerate(payloads("mixed", "BTCUSDT", random.Random(1)), 3):
        yield RecordedFrame(line, 0, "in", "", text.encode())


def main(paths: Sequence[str]) -> bytes:
    """Return the costs as JSON."""
    gc.disable()
    costs: list[FrameCost] = []
    if not paths:
        costs = measure("binance", catalog.adapter_class("binance")(adopt=True), _made_frames())
    for path in map(Path, paths):
        name = guess_exchange(path)
        costs += measure(name, catalog.adapter_class(name)(adopt=True), read_recording(path))
    return msgspec.json.encode(costs)


if __name__ == "__main__":
    sys.stdout.buffer.write(main(sys.argv[1:]))
