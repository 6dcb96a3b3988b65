"""The batch being decided, and what the decisions add to it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from foxtrot_supervisor.engine.delivery.streams import Hole, Side, Stream, StreamKey
from foxtrot_supervisor.engine.delivery.waiting import OpenSides, Wait

__all__ = ["Turn"]

_stamp = msgspec.structs.force_setattr


class Turn:
    """One batch of one side; reused for every batch."""

    __slots__ = (
        "before",
        "deliver_updates",
        "demoted",
        "holes",
        "late",
        "marked",
        "may_wait",
        "name",
        "side",
        "sides",
        "wait",
    )

    def __init__(self, sides: OpenSides, *, deliver_updates: bool) -> None:
        """`deliver_updates`: hand over updates of books that handlers have no snapshot of."""
        self.sides = sides
        self.deliver_updates = deliver_updates
        self.side: Side = ("", 0)
        self.name = ""
        self.may_wait = False
        self.before: list[Any] = []
        """Gaps and states to hand over before the current event."""
        self.holes: list[tuple[StreamKey, Hole]] = []
        """Holes that were announced, to be filled."""
        self.demoted: list[Stream] = []
        self.late: list[Stream] = []
        """Streams of which this batch brings events of an announced hole."""
        self.marked: list[tuple[Any, str]] = []
        """Events that were marked, and the name of the mark."""
        self.wait: Wait | None = None
        """Why the batch has to wait."""

    def clear(self) -> None:
        """Forget the batch before; what was handed over with an admission is never cleared."""
        self.before = []
        self.holes = []
        self.late = []
        self.demoted.clear()
        self.marked.clear()

    def undo(self) -> None:
        """Undo the changes of a batch that has to wait."""
        for event, mark in self.marked:
            _stamp(event, mark, False)
        self.demoted.clear()

    def mark(self, event: Any, mark: str) -> None:
        """Set the flag `mark` ("backfilled", "redelivered") of `event`."""
        if not getattr(event, mark):
            _stamp(event, mark, True)
            self.marked.append((event, mark))

    def others_bring(self, stream: Stream) -> bool:
        """Whether another side brings this stream too."""
        return any(name != self.name for name, _ in stream.state.sides)

    def has_to_wait(
        self, stream: Stream, number: int, event: Any, *, carriers: bool = False, reset: bool = False
    ) -> bool:
        """Whether another side may still bring something of `stream` before `number` (see `Wait`)."""
        if not self.may_wait or len(self.sides) < 2:
            return False
        wait = Wait(stream, number, event.receive_ns, carriers, reset)
        if not self.sides.may_bring(self.name, wait):
            return False
        self.wait = wait
        return True

    def names_of(self, stream: Stream) -> Sequence[str]:
        """Other open sides that bring this stream."""
        return [name for name, _ in stream.state.sides if name != self.name and self.sides.is_open(name)]
