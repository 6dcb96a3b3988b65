"""The templates of one connection: learned, proved, used by the compiled matcher, switched off.

Joins `learner`, which decides, and the compiled module, which matches. One frame in `CHECK_EVERY` of each template is
parsed by Python too, and the results are compared: a difference switches the kind of frames off.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.frame_kinds import FrameKind
from foxtrot_workers.adapter.rest_book import STEADY_DELTAS
from foxtrot_workers.templates.learner import Learned, Learner

if TYPE_CHECKING:
    from foxtrot_workers.templates._matcher import BatchBuilder, Matcher, StreamTable, Template

__all__ = ["CHECK_EVERY", "Difference", "Preview", "TemplateStore"]

CHECK_EVERY = 1_000
"""One of so many frames of a template is parsed by Python too."""

_encode = msgspec.msgpack.Encoder().encode


class Preview(Struct, frozen=True):
    """What a template makes of a frame that Python parses as well."""

    template: Template
    events: bytes


class Difference(Struct, frozen=True):
    """A template's events differ from Python's: its kind of frames was switched off."""

    label: str
    frame: bytes
    template_events: bytes
    python_events: bytes


class TemplateStore:
    """The templates of one connection.

    Args:
        native: the compiled module.
        adapter: declares kinds of frames; its `last_data_ns` is kept current for frames that are matched.
        builder: receives the events of matched frames.
        events_max: events in the batch at which `run` returns.
    """

    def __init__(self, native: ModuleType, adapter: Adapter, builder: BatchBuilder, events_max: int) -> None:
        self._native = native
        self._kinds = adapter.frame_kinds
        self._version = -1
        self._learner = Learner(self._kinds)
        self._matcher: Matcher = native.Matcher(builder, adapter.last_data_ns, events_max, CHECK_EVERY, STEADY_DELTAS)
        self._tables: dict[FrameKind, StreamTable] = {}
        self._templates: dict[tuple[FrameKind, object], Template] = {}
        self._match = self._matcher.run
        self.switched_off_total = 0
        """Kinds of frames that were switched off."""
        self.checks_total = 0
        """Frames whose events were compared."""

    @property
    def frames_total(self) -> int:
        """Frames taken by templates."""
        return self._matcher.frames_total

    @property
    def events_total(self) -> int:
        """Events made by templates."""
        return self._matcher.events_total

    def run(self, frames: list[bytes], start: int, receive_ns: int) -> int:
        """Take frames from the one at `start` on, as `Matcher.run` does. The hot path."""
        if self._kinds.version != self._version:
            self._refresh()
        index: int = self._match(frames, start, receive_ns)
        return index

    def preview(self, frame: bytes, receive_ns: int) -> Preview | None:
        """Return what the template makes of the frame at which `run` stopped, if it is due to be compared."""
        if self._matcher.due is None:
            return None
        found = self._matcher.preview(frame, receive_ns, True)
        return None if found is None else Preview(*found)

    def rehearse(self, frame: bytes, times: int) -> bool:
        """Match `frame` and write its events so many times, without any effect; False if no template matches."""
        return self._matcher.rehearse(frame, 1, times)

    def compare(self, preview: Preview, frame: bytes, events: Sequence[Any], *, only_events: bool) -> Difference | None:
        """Compare with what Python made of the frame; `only_events`: it left no notices and raised nothing."""
        self.checks_total += 1
        python = b"".join(map(_encode, events))
        template = preview.template
        if only_events and python == preview.events:
            self._matcher.checked(template)
            return None
        kind = next(kind for (kind, _), each in self._templates.items() if each is template)
        self._switch_off(kind)
        return Difference(template.label, frame, preview.events, python)

    def learn(self, frame: bytes, receive_ns: int, events: Sequence[Any]) -> Difference | None:
        """Learn from a frame that matched no template, and the events that Python made of it."""
        learned = self._learner.offer(frame, receive_ns, events)
        return None if learned is None else self._use(learned)

    def _use(self, learned: Learned) -> Difference | None:
        kind, place = learned.kind, (learned.kind, learned.shape)
        old = self._templates.pop(place, None)
        if old is not None:
            self._matcher.remove(old)
        if learned.program is None:
            return None
        table = self._tables.get(kind)
        if table is None:
            tag = kind.event.__struct_config__.tag  # type: ignore[attr-defined]
            table = self._tables[kind] = self._native.StreamTable(tag, kind.exchange, kind.chained)
            self._fill(kind, table)
        template = self._matcher.add(table, learned.program)
        self._templates[place] = template
        for sample in learned.samples:
            found = self._matcher.preview(sample.frame, sample.receive_ns, False)
            if found is not None and found[1] != sample.events:
                self._switch_off(kind)
                return Difference(template.label, sample.frame, found[1], sample.events)
        return None

    def _switch_off(self, kind: FrameKind) -> None:
        self.switched_off_total += 1
        self._learner.switch_off(kind)
        for place in [place for place in self._templates if place[0] is kind]:
            self._matcher.remove(self._templates.pop(place))

    def _refresh(self) -> None:
        """Streams were declared or withdrawn."""
        self._version = self._kinds.version
        for kind, table in self._tables.items():
            self._fill(kind, table)

    def _fill(self, kind: FrameKind, table: StreamTable) -> None:
        table.fill([(each.key, each.symbol, each.wire, each.chain) for each in kind.streams.values()])
