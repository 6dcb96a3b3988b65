"""How far a start is, and how long it will still take. Pure.

The remaining time is the longer of two: by the pace so far, and by the exchanges' rate limits for the handshakes that
are still missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

__all__ = ["StartProgress", "remaining_s"]


class StartProgress(Struct, frozen=True):
    """One start. `remaining_s`: seconds, None while nothing is known."""

    workers: int
    serving: int
    elapsed_s: float
    remaining_s: float | None


def remaining_s(workers: int, serving: int, elapsed_s: float, accounts: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the seconds until all `workers` serve, of which `serving` do after `elapsed_s`; None: unknown.

    Args:
        workers: of the whole run.
        serving: of them.
        elapsed_s: since the start.
        accounts: the rate limits, as in ``budgets`` of the status.
    """
    missing = workers - serving
    if missing <= 0:
        return 0.0
    by_pace = elapsed_s / serving * missing if serving else None
    by_limits = max((_limited_s(account) for account in accounts if account["kind"] == "connect"), default=0.0)
    known = [each for each in (by_pace, by_limits or None) if each is not None]
    return round(max(known), 1) if known else None


def _limited_s(account: Mapping[str, Any]) -> float:
    """Return how long the requests that wait at an account have to wait at least."""
    wait_s = float(account["closed_s"])
    free = account["limit"] - account["used"]
    if account["limit"] and account["waiting"] > max(0, free):
        periods = math.ceil((account["waiting"] - max(0, free)) / account["limit"])
        wait_s = max(wait_s, (periods - 1) * account["period_s"])
    return wait_s
