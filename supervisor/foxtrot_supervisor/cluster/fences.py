"""Which lanes are fenced because another node holds their shard now. Pure; times in monotonic seconds.

A holder that was taken over without a hand-over may live on without NATS. What it had published before it lost the
shard counts; what it publishes later is late. So an entry fences at the position that the stream had when the entry
was seen, and a moment later, in which what was on its way arrives.
"""

from __future__ import annotations

from msgspec import Struct

from foxtrot_supervisor.cluster.model import Holder
from foxtrot_supervisor.cluster.names import EPOCH_STEP

__all__ = ["FENCE_DELAY_S", "Fences", "epoch_of"]

FENCE_DELAY_S = 0.5
"""Time between the sight of an entry and its fence."""


class _Fence(Struct, frozen=True):
    below: int
    """Epochs lower than this are fenced."""
    position: int
    """Stream sequence that has to be read before."""
    at: float


class Fences:
    """The latest fence of each shard, by connection and side."""

    def __init__(self) -> None:
        self._fences: dict[tuple[str, str], _Fence] = {}

    def is_news(self, holder: Holder) -> bool:
        """Whether this entry fences more than is known."""
        below = _below(holder)
        known = self._fences.get((holder.connection, holder.side))
        return below > 0 and (known is None or below > known.below)

    def add(self, holder: Holder, position: int, now: float) -> None:
        """Take an entry; `position`: the last stream sequence at this moment or a little later."""
        if self.is_news(holder):
            key = holder.connection, holder.side
            self._fences[key] = _Fence(_below(holder), position, now + FENCE_DELAY_S)

    def covers(self, connection: str, ring_side: str, incarnation: int, position: int, now: float) -> bool:
        """Whether a lane is fenced.

        Args:
            connection: of its ring.
            ring_side: of its ring, ``a0.a``.
            incarnation: in the whole cluster.
            position: stream sequence that has been read.
            now: the time.
        """
        fence = self._fences.get((connection, ring_side[:1]))
        return (
            fence is not None and epoch_of(incarnation) < fence.below and position >= fence.position and now >= fence.at
        )


def epoch_of(incarnation: int) -> int:
    """Return the epoch of an incarnation in the whole cluster; 0: no cluster has placed that worker."""
    return incarnation // EPOCH_STEP


def _below(holder: Holder) -> int:
    """Return the epoch below which an entry fences, 0 if it fences nothing."""
    if holder.state == "gone":
        return holder.epoch + 1
    return holder.epoch if holder.previous is None else 0
