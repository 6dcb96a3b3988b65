"""What the bucket of holders shows in a campaign of node kills: where shards are, and how long each was away. Pure.

Times are seconds since 1970, as the NATS server has stamped each entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from foxtrot_supervisor.cluster.model import Holder
from foxtrot_supervisor.cluster.placement import twin_of

__all__ = ["SERVED_S", "Holdings", "Takeover", "judge_takeovers"]

SERVED_S: Final = 5.0
"""Promised time from the kill of a node to the service of each of its shards elsewhere, with `ack_wait_s` 2 s."""


class Takeover(Struct, frozen=True):
    """One shard of a killed node; None: not yet."""

    shard: str
    taken_s: float | None
    """From the kill until another node has written itself as its holder."""
    served_s: float | None
    """From the kill until its worker there runs."""


class Holdings:
    """The entries of all shards, in the order in which they were written."""

    def __init__(self) -> None:
        self.latest: dict[str, Holder] = {}
        self._written: dict[str, list[tuple[float, Holder]]] = {}

    def take(self, shard: str, holder: Holder, at: float) -> None:
        """Take one entry."""
        self.latest[shard] = holder
        self._written.setdefault(shard, []).append((at, holder))

    def held_by(self, node: str) -> list[str]:
        """Return the shards of a node."""
        return sorted(shard for shard, holder in self.latest.items() if holder.node == node and holder.state != "gone")

    def unsettled(self, shards: Iterable[str]) -> str:
        """Return why another kill could hit both sides of one of `shards`; "" if it cannot."""
        for shard in shards:
            holder = self.latest.get(shard)
            if holder is None or holder.state != "serving":
                return f"{shard} is {'nowhere' if holder is None else holder.state}"
            if holder.previous is not None:
                return f"{shard} is still served by {holder.previous.node} too"
            twin = self.latest.get(twin_of(shard))
            if twin is not None and twin.host == holder.host:
                return f"both sides of {holder.connection} are on {holder.host}"
        return ""

    def takeover(self, shard: str, instance: str, killed_at: float) -> Takeover:
        """Return what became of a shard whose holder, of this run, was killed."""
        after = [
            (at - killed_at, holder)
            for at, holder in self._written.get(shard, ())
            if at >= killed_at and holder.instance != instance
        ]
        taken = next((at for at, _ in after), None)
        served = next((at for at, holder in after if holder.state == "serving"), None)
        return Takeover(shard, taken, served)


def judge_takeovers(takeovers: Sequence[Takeover], patience: float = 1.0) -> list[str]:
    """The promise, if it was broken, as text for people."""
    limit_s = SERVED_S * patience
    late = [each for each in takeovers if each.served_s is None or each.served_s > limit_s]
    if not late:
        return []
    worst = max(float("inf") if each.served_s is None else each.served_s for each in late)
    return [f"{len(late)} of {len(takeovers)} shards were served elsewhere later than {limit_s:g} s, worst {worst:.1f}"]
