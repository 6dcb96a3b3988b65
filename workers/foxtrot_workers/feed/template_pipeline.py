"""The hot path in its compiled form: frames that match a learned template become bytes of the batch at once.

Every other frame is parsed by the adapter, as `pipeline` does, and its events are added to the same batch, in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import msgspec

from foxtrot_protocol import compiled
from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.stream_ranges import book_step, bounds_of
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.book_chain import MATCHER
from foxtrot_workers.feed import pipeline as pipeline_module
from foxtrot_workers.feed.pipeline import SAMPLE_BYTES, BatchOutput, Pipeline
from foxtrot_workers.templates.store import Difference, TemplateStore

__all__ = ["TemplatePipeline", "make_pipeline"]


def make_pipeline(
    adapter: Adapter,
    outflow: BatchOutput,
    ring_bytes: int,
    log: ChildLog,
    rules: Mapping[str, str],
    **callbacks: Any,
) -> Pipeline:
    """Return the pipeline of a connection, compiled where that form is used; the arguments are those of `Pipeline`.

    `rules`: identity rules by event type.
    """
    native = compiled.load(MATCHER)
    if native is None:
        return Pipeline(adapter, outflow, ring_bytes, log, **callbacks)
    return TemplatePipeline(adapter, outflow, ring_bytes, log, native=native, rules=rules, **callbacks)


class TemplatePipeline(Pipeline):
    """A `Pipeline` with templates."""

    def __init__(
        self, adapter: Adapter, *arguments: Any, native: ModuleType, rules: Mapping[str, str], **callbacks: Any
    ) -> None:
        """Make one; `native`: the compiled module, `rules`: identity rules by event type, the rest as `Pipeline`."""
        super().__init__(adapter, *arguments, **callbacks)
        self._built = native.BatchBuilder(msgspec.msgpack.Encoder().encode, bounds_of, book_step(rules))
        self._batch_events_max = pipeline_module.BATCH_EVENTS_MAX
        self._templates = TemplateStore(native, adapter, self._built, self._batch_events_max)

    @property
    def pending(self) -> int:
        return len(self._built) + len(self.events)

    @property
    def templated_total(self) -> int:
        return self._templates.events_total

    @property
    def templates_off_total(self) -> int:
        return self._templates.switched_off_total

    def flush(self) -> None:
        """Commit the batch."""
        self._absorb()
        self.events_total += len(self._built)
        self._outflow.send(self._built.take())

    def _absorb(self) -> None:
        """Add the events that Python has made to the built batch."""
        add = self._built.add
        for event in self.events:
            add(event)
        self.events = []

    def _parse_all(self, frames: list[bytes], receive_ns: int) -> None:
        run, built = self._templates.run, self._built
        index, count = 0, len(frames)
        while True:
            if self.events:
                self._absorb()
            if len(built) >= self._batch_events_max:
                self.flush()
            if index < count:
                index = run(frames, index, receive_ns)
            elif not self.events:
                return
            if index < count and len(built) < self._batch_events_max:
                self._parse_by_python(frames[index], receive_ns)
                index += 1

    def _parse_by_python(self, frame: bytes, receive_ns: int) -> None:
        """Parse a frame that no template took, or that is due to be compared; learn from it."""
        templates = self._templates
        preview = templates.preview(frame, receive_ns)
        parsed = self._parse_one(frame, receive_ns)
        if preview is not None:
            only_events = parsed and not self._notices
            difference = templates.compare(preview, frame, self.events, only_events=only_events)
        else:
            difference = templates.learn(frame, receive_ns, self.events) if parsed else None
        if difference is not None:
            self._report(difference)
        if self._notices:
            self._on_notices()

    def _report(self, difference: Difference) -> None:
        self._log.warning(
            "template_switched_off",
            template=difference.label,
            switched_off_total=self._templates.switched_off_total,
            sample=difference.frame[:SAMPLE_BYTES].decode(errors="replace"),
            template_events=difference.template_events[:SAMPLE_BYTES].hex(),
            python_events=difference.python_events[:SAMPLE_BYTES].hex(),
        )
