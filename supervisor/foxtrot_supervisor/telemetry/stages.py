"""Latencies of events by stage, as counts that only grow. Pure.

Stages: from the exchange's time to receipt by the worker, from there to publication, from there until handlers have
returned. One event of each batch is measured and counts for all of them: no clock is read for it.

Buckets have fixed upper bounds, 16 us times powers of two up to 67 s, so that counts of processes and incarnations can
be added. On the wire and in ``status`` only the used range of buckets is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from foxtrot_protocol.commands import StageCounts

__all__ = ["BOUNDS_S", "STAGES", "Stages", "added", "cumulated"]

STAGES: Final = ("exchange_received", "received_published", "published_handled")

_FIRST_NS: Final = 16_000
_BOUNDS: Final = 23
BOUNDS_S: Final = tuple(_FIRST_NS * 2**power / 1e9 for power in range(_BOUNDS))
"""Upper bounds of the buckets in seconds; what is longer is in one more bucket."""

_LAST: Final = _BOUNDS
_LENGTHS: Final = 64


class Stages:
    """Counts of one worker's events by stage, written by one thread and read by any."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        # one bucket for each length of a number of 64 bits: no bound is checked where a batch is recorded
        self._counts = (*([0] * _LENGTHS for _ in STAGES), [0] * len(STAGES))
        """Events by bucket for each stage, then the sums of the stages in nanoseconds."""

    def record(self, event: Any, ended_ns: int, count: int) -> None:
        """Add a batch of `count` events, whose last one is `event`; handlers returned at `ended_ns`.

        Times are nanoseconds since 1970 UTC. A negative duration (clocks that differ) counts as 0. Without an exchange
        time, and for an event that was backfilled, the first stage is left out.
        """
        received, published = event.receive_ns, event.publish_ns
        first, second, third, sums = self._counts
        sent = event.exchange_ns
        if sent and not event.backfilled:
            if (took := received - sent) > 0:
                first[(took // _FIRST_NS).bit_length()] += count
                sums[0] += took * count
            else:
                first[0] += count
        if (took := published - received) > 0:
            second[(took // _FIRST_NS).bit_length()] += count
            sums[1] += took * count
        else:
            second[0] += count
        if (took := ended_ns - published) > 0:
            third[(took // _FIRST_NS).bit_length()] += count
            sums[2] += took * count
        else:
            third[0] += count

    def counts(self) -> list[StageCounts]:
        """Return the counts of each stage, in the order of `STAGES`."""
        *stages, sums = self._counts
        return [
            _trimmed([*counts[:_LAST], sum(counts[_LAST:])], total / 1e9)
            for counts, total in zip(stages, sums, strict=True)
        ]


def added(parts: Iterable[Sequence[StageCounts]]) -> list[StageCounts]:
    """Return the sums of counts, stage by stage; [] if no part has any."""
    parts = [part for part in parts if part]
    if not parts:
        return []
    counts = [[0] * (_BOUNDS + 1) for _ in STAGES]
    sums = [0.0] * len(STAGES)
    for part in parts:
        for stage, each in enumerate(part[: len(STAGES)]):
            sums[stage] += each.sum_s
            for place, count in enumerate(each.counts, each.first):
                if 0 <= place <= _LAST:
                    counts[stage][place] += count
    return [_trimmed(each, total) for each, total in zip(counts, sums, strict=True)]


def cumulated(stage: Mapping[str, Any]) -> tuple[list[tuple[float, int]], int]:
    """Return upper bound in seconds and count of all events up to it, for each bucket, and the count of all.

    `stage`: `StageCounts` as ``status`` shows it.
    """
    counts = [0] * (_BOUNDS + 1)
    for place, count in enumerate(stage["counts"], stage["first"]):
        if 0 <= place <= _LAST:
            counts[place] += count
    seen, found = 0, []
    for bound, count in zip(BOUNDS_S, counts, strict=False):
        seen += count
        found.append((bound, seen))
    return found, seen + counts[_LAST]


def _trimmed(counts: Sequence[int], sum_s: float) -> StageCounts:
    used = [place for place, count in enumerate(counts) if count]
    if not used:
        return StageCounts(0, [], sum_s)
    return StageCounts(used[0], list(counts[used[0] : used[-1] + 1]), sum_s)
