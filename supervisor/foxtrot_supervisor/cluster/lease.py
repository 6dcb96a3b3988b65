"""Leases on shards: who may run a shard, for how long, and what a delivery means (pure).

A delivery of a shard's message from the work queue is an invitation, never a proof that nobody holds the shard: after a
restart of the NATS server every message is delivered a second time, and a holder that was paused may go on. Therefore
the delivery count is a fencing token. The new holder writes it to the shard's key with compare-and-set; a holder that
finds a higher one there has lost the shard.

Two times: after `ack_wait_s` without renewal a shard is delivered to others. `lease_s` after its last contact with NATS
a node has stopped its shards, since by then others have them; `Leases.stop_s` before that it begins to stop them.
Between the two a node runs on, so that an outage of NATS itself, in which nobody can take over, interrupts nothing.
Times are seconds on the monotonic clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from foxtrot_supervisor.cluster.model import Desired, Holder
from foxtrot_supervisor.cluster.names import local_name, part_of

__all__ = ["RENEWALS", "Delivery", "HeldShard", "Leases", "Verdict", "judge", "next_part", "patience_s", "request_s"]

RENEWALS: Final = 4
"""Renewals in the time after which a shard is delivered to others."""

STOP_SHARE: Final = 0.25
"""Share of a lease in which the shards are stopped, so that none is left at its end."""

STOP_S_MAX: Final = 3.0
"""Longest stop within a lease."""

Verdict: TypeAlias = Literal["outdated", "keep", "ask", "place"]
"""What to do about a delivery: nothing, a later one is known; go on as its holder; ask the holder whether it lives;
find a node for it."""


class Delivery(Struct, frozen=True, kw_only=True):
    """One delivery of a shard's message."""

    shard: str
    token: int
    ack: str
    """Subject of acknowledgements."""


class HeldShard(Struct, kw_only=True):
    """A shard that this node holds, or hands over."""

    desired: Desired
    token: int
    epoch: int
    part: str
    ack: str
    revision: int
    """Of the holder's entry, for compare-and-set."""
    entry: Holder
    """As it was written last."""
    leaving_since: float | None = None
    """When the hand-over began; it serves until its successor does."""
    renewed_at: float = 0.0

    @property
    def local_name(self) -> str:
        """Name of the local connection."""
        return local_name(self.desired.connection, self.part, self.epoch)


def judge(delivery: Delivery, holder: Holder | None, node: str, instance: str, *, held: bool) -> Verdict:
    """Return what to do about a delivery to `node`, whose present run is `instance`.

    Args:
        delivery: what has come.
        holder: the entry of the shard; None: it has none.
        node: this node.
        instance: this run of it.
        held: whether this run holds the shard.
    """
    if holder is not None and holder.token >= delivery.token:
        return "outdated"
    if holder is None or holder.state in ("gone", "leaving"):
        return "place"
    if holder.node == node:
        return "keep" if held and holder.instance == instance else "place"
    return "ask"


def patience_s(ack_wait_s: float, connected_for_s: float) -> float:
    """Return how long to ask a holder that does not answer, before its shard is taken over.

    A moment after this node's own connection was made, the other one may not have come back yet.
    """
    return max(ack_wait_s / RENEWALS, ack_wait_s - connected_for_s)


def request_s(ack_wait_s: float) -> float:
    """Return for how long a request for shards stays open at the server.

    A machine that loses its power leaves its connections open, and a shard that the server gives to its open request is
    lost for another `ack_wait_s`. So the requests of a dead node end before its own shards are given to others, which
    is `ack_wait_s` after its last renewal.
    """
    return ack_wait_s / 2


def next_part(side: str, before: Holder | None) -> str:
    """Return the part of a new holder: other than that of the holder before, which may still serve."""
    slot = 0 if before is None else 1 - int(before.part[1])
    return part_of(side, slot)


class Leases:
    """The shards that this node holds."""

    def __init__(self, lease_s: float, ack_wait_s: float, now: float) -> None:
        self.lease_s = lease_s
        self.ack_wait_s = ack_wait_s
        self.shards: dict[str, HeldShard] = {}
        self._contact = now

    @property
    def renew_s(self) -> float:
        """Interval of renewals."""
        return self.ack_wait_s / RENEWALS

    def contact(self, sent_at: float) -> None:
        """NATS has answered what was sent at `sent_at`: the lease counts from there, not from the answer."""
        self._contact = max(self._contact, sent_at)

    @property
    def ends_at(self) -> float:
        """When no process of a shard may be left, unless there is contact before."""
        return self._contact + self.lease_s

    @property
    def stop_s(self) -> float:
        """So many seconds before `ends_at` the stop of the shards begins."""
        return min(STOP_S_MAX, self.lease_s * STOP_SHARE)

    def running(self, now: float) -> dict[str, HeldShard]:
        """Return the shards that are to run: all, or none once their stop has begun."""
        return self.shards if now < self.ends_at - self.stop_s else {}

    def is_silent(self, now: float) -> bool:
        """Whether NATS has been silent for so long that others may have taken the shards over."""
        return now - self._contact > self.ack_wait_s

    def due(self, now: float) -> Iterator[HeldShard]:
        """Yield the shards that are due for a renewal, and count them as renewed."""
        for held in self.shards.values():
            if held.leaving_since is None and now - held.renewed_at >= self.renew_s:
                held.renewed_at = now
                yield held

    def claim(self, delivery: Delivery, *, back: bool = False) -> bool:
        """Return whether this node holds a shard that another has received, and goes on under that token.

        `back`: also if it was to be handed over.
        """
        held = self.shards.get(delivery.shard)
        if held is None or (held.leaving_since is not None and not back):
            return False
        held.leaving_since = None
        if delivery.token > held.token:
            held.token, held.ack = delivery.token, delivery.ack
        return True

    def is_lost(self, shard: str, holder: Holder | None, instance: str) -> bool:
        """Return whether the shard's entry says that this run has lost it.

        While it hands the shard over it has lost it when the successor serves.
        """
        held = self.shards[shard]
        if holder is None:
            return False
        if holder.instance == instance and holder.epoch == held.epoch:
            return False
        if holder.token < held.token:
            return False
        return held.leaving_since is None or holder.state == "serving"

    def expire(self, now: float) -> list[str]:
        """Return the shards that have been stopped because the lease is over, and forget them."""
        if self.shards and now >= self.ends_at:
            lost = list(self.shards)
            self.shards.clear()
            return lost
        return []
