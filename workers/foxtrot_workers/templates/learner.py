"""Decides which frames are learned from, and which templates are in use. Pure.

Taking a frame apart costs as much as parsing fifty, so only some of those that no template matched are learned from: a
budget first, then few. A template whose result differed once from Python's is never made again, nor any other of
its kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from foxtrot_protocol.events import BookDelta, BookSnapshot
from foxtrot_workers.adapter.frame_kinds import DeclaredStream, FrameKind
from foxtrot_workers.templates.frame_layout import Layout, take_apart
from foxtrot_workers.templates.message_fields import MessageFields, read_fields
from foxtrot_workers.templates.program import Program
from foxtrot_workers.templates.shape import Shape, UnlearnableShape, signature

__all__ = ["BUDGET_FRAMES", "FRAME_BYTES_MAX", "REST_SHARE", "SHAPES_MAX", "Learned", "Learner", "Sample"]

BUDGET_FRAMES = 400
"""Frames of each kind that are learned from without a pause."""

REST_SHARE = 256
"""Of further frames that no template matched, one in so many is learned from."""

FRAME_BYTES_MAX = 16 * 1024
"""Longest frame that is learned from."""

SHAPES_MAX = 8
"""Shapes of one kind that are learned; frames of others are always parsed by Python."""

SAMPLES_KEPT = 8
"""Latest samples of a shape on which a new template must prove itself."""

_encode = msgspec.msgpack.Encoder().encode


class Sample(Struct, frozen=True):
    """A frame, and the bytes of the events that Python made of it."""

    frame: bytes
    receive_ns: int
    events: bytes


class Learned(Struct, frozen=True):
    """What the samples of one shape have led to: the template to use from now on, None: none; and its proof."""

    kind: FrameKind
    shape: object
    program: Program | None
    samples: Sequence[Sample]


class _Growing:
    """A shape in the making."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.program: Program | None = None
        self.samples: list[Sample] = []


class _KindState:
    def __init__(self, kind: FrameKind) -> None:
        self.kind = kind
        self.message: MessageFields = read_fields(kind.decoder, levels=kind.event in (BookDelta, BookSnapshot))
        self.budget = BUDGET_FRAMES
        self.offered = 0
        self.shapes: dict[object, _Growing] = {}
        self.off = False


class Learner:
    """Learns from the frames of one connection.

    Args:
        kinds: the declarations of its adapter; more may come while it runs.
    """

    def __init__(self, kinds: Iterable[FrameKind]) -> None:
        self._kinds = kinds
        self._states: dict[int, _KindState] = {}

    def offer(self, frame: bytes, receive_ns: int, events: Sequence[Any]) -> Learned | None:
        """Learn from a frame of which Python made `events`; return what changes by that, None for nothing."""
        if not events or len(frame) > FRAME_BYTES_MAX:
            return None
        event = type(events[0])
        for kind in self._kinds:
            if kind.event is event:
                state = self._state(kind)
                if self._may_learn(state) and (learned := self._learn(state, frame, receive_ns, events)) is not None:
                    return learned
        return None

    def switch_off(self, kind: FrameKind) -> None:
        """Never make a template of this kind again."""
        self._state(kind).off = True

    def _state(self, kind: FrameKind) -> _KindState:
        state = self._states.get(id(kind))
        if state is None:
            state = self._states[id(kind)] = _KindState(kind)
        return state

    def _may_learn(self, state: _KindState) -> bool:
        if state.off:
            return False
        if state.budget:
            state.budget -= 1
            return True
        state.offered += 1
        return state.offered % REST_SHARE == 0

    def _learn(self, state: _KindState, frame: bytes, receive_ns: int, events: Sequence[Any]) -> Learned | None:
        layout = take_apart(frame, state.message.lists)
        if layout is None:
            return None
        stream = _stream_of(state.kind, layout)
        mark = signature(layout, events)
        if stream is None or mark is None or any(event.symbol != stream.symbol for event in events):
            return None
        growing = state.shapes.get(mark)
        if growing is None:
            if len(state.shapes) == SHAPES_MAX:
                return None
            growing = state.shapes[mark] = _Growing(Shape(state.kind, state.message, layout))
        growing.shape.learn(layout, stream, receive_ns, events)
        growing.samples = [
            *growing.samples[1 - SAMPLES_KEPT :],
            Sample(frame, receive_ns, b"".join(map(_encode, events))),
        ]
        before = growing.program
        try:
            growing.program = growing.shape.program()
        except UnlearnableShape:
            growing.program = None
        if growing.program == before:
            return None
        return Learned(state.kind, mark, growing.program, growing.samples)


def _stream_of(kind: FrameKind, layout: Layout) -> DeclaredStream | None:
    """Return the stream that the key of the frame names; None where it is of another kind."""
    rows = [field for fields, _ in layout.rows or () for field in fields]
    fields = [*layout.head, *rows, *layout.tail]
    texts = {field.path: field.text.decode() for field in fields}
    keys = {field.text for field in fields if field.path == kind.key}
    if len(keys) != 1 or any(texts.get(path) != text for path, text in kind.fixed):
        return None
    return kind.streams.get(keys.pop().decode())
