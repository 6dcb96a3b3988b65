"""Which sides of a connection may still bring something, and for how long a batch waits for them. Pure."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from foxtrot_supervisor.engine.delivery.streams import Side, Stream

__all__ = ["CARRY_NS", "HOLE_WAIT_NS", "HOLE_WAIT_S", "OpenSides", "Wait"]

HOLE_WAIT_S: Final = 1.0
"""Longest wait of a batch for another side to bring what precedes it."""

HOLE_WAIT_NS: Final = int(HOLE_WAIT_S * 1e9)
"""A side that has brought events received this much later than an event brings nothing from before it any more."""

CARRY_NS: Final = 10_000_000_000
"""A side that has brought events of other streams for this long, and none of this one, does not carry it."""


class Wait(Struct, frozen=True):
    """What a batch waits for: something of `stream` before `number`, at `received_ns` or a little later.

    `carriers`: where sides have brought this stream before, only from those. `reset`: until all sides have reached the
    sequence reset that this batch begins with.
    """

    stream: Stream
    number: int
    received_ns: int
    carriers: bool = False
    reset: bool = False


class OpenSides:
    """Sides by name; each with the incarnations that are alive or not yet read to the end."""

    def __init__(self) -> None:
        self._open: dict[str, set[int]] = {}
        self._slow: set[str] = set()
        """Sides that others have waited for without result, and that have brought nothing since."""
        self._began_ns: dict[str, int] = {}
        self.reached_ns: dict[str, int] = {}
        """Receive time of the last event that a side has brought, of any stream; the caller keeps it."""
        self.attention = False
        """Whether `progressed` has anything to do."""
        self._waits: dict[str, Wait] = {}

    def __len__(self) -> int:
        return len(self._open)

    def is_open(self, name: str) -> bool:
        """Whether something of this side may still come."""
        return name in self._open

    def has(self, side: Side) -> bool:
        """Whether something of this incarnation may still come."""
        return side[1] in self._open.get(side[0], ())

    def opened(self, side: Side) -> None:
        """Record that events of this incarnation may come from now on."""
        self._open.setdefault(side[0], set()).add(side[1])
        self.attention = True

    def closed(self, side: Side) -> None:
        """Record that nothing more comes of this incarnation."""
        name = side[0]
        incarnations = self._open.get(name, set())
        incarnations.discard(side[1])
        if not incarnations:
            self._open.pop(name, None)
            self._slow.discard(name)
        self._began_ns.pop(name, None)
        self.reached_ns.pop(name, None)
        self.attention = True

    def progressed(self, name: str) -> None:
        """Record that a batch of this side was applied; needed only with `attention`."""
        self._waits.pop(name, None)
        self._slow.discard(name)
        self._began_ns.setdefault(name, self.reached_ns.get(name, 0))
        self.attention = bool(self._waits or self._slow or len(self._began_ns) < len(self._open))

    def may_bring(self, name: str, wait: Wait) -> bool:
        """Whether a side other than `name` may still bring what `wait` says."""
        stream = wait.stream
        carrying = {side[0] for side in stream.state.sides}
        # a side that already carries the stream brings all of it; without one, any new side may have more
        only_carriers = wait.carriers and bool(carrying - {name})
        for other in self._open:
            if other == name or other in self._slow or stream.heads.get(other, -1) >= wait.number:
                continue
            reached_ns = self.reached_ns.get(other)
            if reached_ns is not None and reached_ns >= wait.received_ns + HOLE_WAIT_NS:
                continue
            if other in carrying:
                return True
            if not only_carriers and (
                reached_ns is None or reached_ns - self._began_ns.get(other, reached_ns) < CARRY_NS
            ):
                return True
        return False

    def hold(self, name: str, wait: Wait) -> None:
        """Record why the next batch of this side waits."""
        self._waits[name] = wait
        self.attention = True

    def give_up(self, name: str) -> None:
        """Stop the wait of `name`: it waits for no side again until that side has brought more."""
        self._slow.update(other for other in self._open if other != name)
        self.attention = True

    def can_go_on(self, name: str) -> bool:
        """Whether the waiting batch of this side may be decided differently now."""
        wait = self._waits.get(name)
        if wait is None or wait.reset or wait.stream.window is not None:
            return True
        return wait.stream.last >= wait.number - 1 or not self.may_bring(name, wait)
