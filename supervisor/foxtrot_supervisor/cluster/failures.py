"""Nodes on which a shard's worker has failed for good, and when they may try again (pure).

A node gives a shard back when its supervisor has given the worker up: it crashes again and again, or its settings
cannot be used there. The entry of the shard remembers where that was, so that the shard goes to a node where it has not
failed. A shard that fails everywhere waits: each node may try again after a time that doubles with each failure.
Another connection table forgets all failures. Times are seconds since 1970: they are compared across machines, and are
long against the difference of their clocks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from foxtrot_supervisor.cluster.model import Failure

__all__ = ["FIRST_S", "FORGOTTEN_S", "LONGEST_S", "avoided", "describe", "given_up", "noted"]

FIRST_S: Final = 60.0
"""Time after the first failure on a node."""

LONGEST_S: Final = 3600.0
"""Longest time between two attempts of one node."""

FORGOTTEN_S: Final = 2 * LONGEST_S
"""Age at which a failure is forgotten."""

REASON_CHARACTERS_MAX: Final = 200

_ENDED = ("FATAL", "EXITED", "STOPPED")


def given_up(workers: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return why the supervisor has given the workers of one shard up, None if it has not; state and cause by name."""
    if any(worker["state"] not in _ENDED for worker in workers.values()):
        return None
    fatal = [str(worker["cause"]) for worker in workers.values() if worker["state"] == "FATAL"]
    return (fatal[0] or "it has failed")[:REASON_CHARACTERS_MAX] if fatal else None


def noted(
    failed: Mapping[str, Failure], node: str, reason: str, table: Mapping[str, Any], now: float
) -> dict[str, Failure]:
    """Return the failures with one more; those of another table, and old ones, are left out."""
    fingerprint = _fingerprint(table)
    kept = {
        name: failure
        for name, failure in failed.items()
        if failure.table == fingerprint and now - failure.at < FORGOTTEN_S
    }
    before = kept[node].count if node in kept else 0
    return kept | {node: Failure(now, before + 1, reason[:REASON_CHARACTERS_MAX], fingerprint)}


def avoided(failed: Mapping[str, Failure], table: Mapping[str, Any], now: float) -> dict[str, float]:
    """Return the nodes that may not try again yet, with the seconds until they may."""
    if not failed:
        return {}
    fingerprint = _fingerprint(table)
    waits = {name: _retry_s(failure, now) for name, failure in failed.items() if failure.table == fingerprint}
    return {name: wait_s for name, wait_s in waits.items() if wait_s > 0}


def describe(failed: Mapping[str, Failure], table: Mapping[str, Any], now: float) -> str:
    """Return where and why the shard has failed, as text for people; "" if it has not."""
    waits = avoided(failed, table, now)
    return "; ".join(
        f"failed on {name}: {failed[name].reason} (again there in {wait_s:.0f} s)"
        for name, wait_s in sorted(waits.items())
    )


def _retry_s(failure: Failure, now: float) -> float:
    # a clock that was far ahead must not keep a shard away for longer than the longest time
    wait_s = min(LONGEST_S, FIRST_S * 2.0 ** min(failure.count - 1, 16))
    return min(wait_s, failure.at + wait_s - now)


def _fingerprint(table: Mapping[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(table, order="deterministic")).hexdigest()[:16]
