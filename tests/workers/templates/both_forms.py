"""Runs the same frames through the pure pipeline and through the one with templates, and compares everything."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from foxtrot_protocol import compiled
from foxtrot_protocol.codec import BATCH_BYTES_MAX, BatchEncoder
from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.adapter.book_chain import MATCHER
from foxtrot_workers.feed.backpressure import Pressure
from foxtrot_workers.feed.batches import Batch, EitherEncoder, events_of
from foxtrot_workers.feed.pipeline import Pipeline
from foxtrot_workers.feed.template_pipeline import TemplatePipeline

__all__ = ["Form", "Forms", "native", "needs_compiled", "recordings"]


def native() -> ModuleType | None:
    """The compiled module, whichever form this run uses."""
    return compiled.load(MATCHER)


needs_compiled = pytest.mark.skipif(native() is None, reason="the compiled form is not used")

_encode = msgspec.msgpack.Encoder().encode


class _Silent:
    """A log that nobody reads: damaged frames would fill it."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


class _Outflow:
    state = Pressure.FLOWING
    used_bytes = 0

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def send(self, batch: Batch) -> None:
        self.batches.append(batch)

    def announce(self) -> bool:
        return True


class Form:
    """One form of the hot path over one adapter."""

    def __init__(self, adapter: Adapter, module: ModuleType | None) -> None:
        self.adapter = adapter
        self.outflow = _Outflow()
        outflow: Any = self.outflow
        self.said: list[tuple[int, str]] = []
        """Notices, and after how many events each came."""
        calls: dict[str, Any] = {
            "call_soon": lambda call: None,
            "on_notices": self._take_notices,
            "on_failure": lambda error: None,
        }
        log: Any = _Silent()
        rules = adapter.identity_rules([])
        self.pipeline: Pipeline
        if module is None:
            self.pipeline = Pipeline(adapter, outflow, 1 << 20, log, **calls)
        else:
            self.pipeline = TemplatePipeline(adapter, outflow, 1 << 20, log, native=module, rules=rules, **calls)
        self._reference = BatchEncoder("w.a", 1, rules=rules)
        self._encoder = EitherEncoder("w.a", 1, BATCH_BYTES_MAX)

    def _take_notices(self) -> None:
        count = self.pipeline.events_total + self.pipeline.pending
        self.said += [(count, repr(notice)) for notice in self.adapter.notices]
        self.adapter.notices.clear()

    def receive(self, frames: list[bytes], now_ns: int) -> None:
        """Parse frames that were received together at a time, as `Pipeline.on_frames` does."""
        self.pipeline.frames_total += len(frames)
        self.pipeline._parse_all(frames, now_ns)

    def take(self) -> list[MarketEvent[str]]:
        """The events since the last call; what was built must be what Python would have encoded."""
        if self.pipeline.pending:
            self.pipeline.flush()
        made: list[MarketEvent[str]] = []
        for batch in self.outflow.batches:
            events = events_of(batch)
            if not isinstance(batch, list):
                assert len(batch) == len(events)
                assert self._encoder.encode(7, 8, batch) == self._reference.encode(7, 8, events)
            made += events
        self.outflow.batches.clear()
        return made


class Forms:
    """Both forms, fed with the same frames at the same times."""

    def __init__(self, pure: Adapter, compiled: Adapter) -> None:
        """`pure`, `compiled`: two adapters in the same state."""
        module = native()
        assert module is not None
        self.pure, self.compiled = Form(pure, None), Form(compiled, module)
        self._now_ns = 1_700_000_000_000_000_000

    def feed(self, frames: Iterable[bytes], step_ns: int = 1_000_000) -> list[MarketEvent[str]]:
        """Feed frames that come together; compare; return the events."""
        frames = list(frames)
        self._now_ns += step_ns
        for form in (self.pure, self.compiled):
            form.receive(frames, self._now_ns)
        return self._compare(frames)

    def answer(self, path: str, body: bytes) -> None:
        """Answer a REST request of both."""
        for form in (self.pure, self.compiled):
            form.adapter.on_rest(path, 200, body, self._now_ns, form.pipeline.events)
            if form.adapter.notices:
                form._take_notices()
        self._compare([path.encode()])

    def _compare(self, frames: list[bytes]) -> list[MarketEvent[str]]:
        pure, quick = self.pure, self.compiled
        events, others = pure.take(), quick.take()
        if list(map(_encode, events)) != list(map(_encode, others)):
            for index, (one, other) in enumerate(zip(events, others, strict=False)):
                assert other == one, (index, frames)
            assert len(others) == len(events), frames
        assert quick.said == pure.said, frames
        assert quick.adapter.last_data_ns == pure.adapter.last_data_ns
        assert quick.adapter.held_ns == pure.adapter.held_ns
        assert quick.pipeline.rejected_total == pure.pipeline.rejected_total, frames
        return events


def recordings(root: Path) -> list[Path]:
    """All recordings below `root`."""
    return [
        path
        for path in sorted(root.glob("*/*.jsonl.gz"))
        if not path.name.endswith((".expected.jsonl.gz", "-instruments.jsonl.gz")) and path.parent.name != "load"
    ]
