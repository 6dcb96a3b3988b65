"""Offset between this machine's clock and each exchange's, from what workers and the engine report. Pure.

Two sources: the exchange's time by REST, known up to half a round trip, and the shortest time from an event's time to
its receipt, which is offset and delay together. Latencies and signed requests depend on the offset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from foxtrot_protocol.commands import Heartbeat, SourceCounters

__all__ = ["OFF_MS", "clock_of", "clock_problem", "clocks_by_exchange"]

OFF_MS: Final = 500.0
"""Offset in milliseconds beyond which a clock is reported."""

Clock = Mapping[str, Any]


def clock_of(beat: Heartbeat | None, source: SourceCounters | None) -> dict[str, Any] | None:
    """Return ``offset_ms``, ``error_ms`` and ``source`` of one worker's exchange; None while nothing is known.

    ``source`` is ``rest``, or ``events``: then ``offset_ms`` is an upper bound, and ``error_ms`` is None.
    """
    if beat is not None and beat.clock_offset_ms is not None:
        return {
            "offset_ms": round(beat.clock_offset_ms, 1),
            "error_ms": round(beat.clock_error_ms, 1),
            "source": "rest",
        }
    if source is not None and source.clock_lag_ms is not None:
        return {"offset_ms": round(source.clock_lag_ms, 1), "error_ms": None, "source": "events"}
    return None


def clocks_by_exchange(clocks: Iterable[tuple[str, Clock | None]]) -> list[dict[str, Any]]:
    """Return the best estimate for each exchange; `clocks` are exchange and clock of each worker.

    The most precise one by REST, else the lowest by events.
    """
    best: dict[str, Clock] = {}
    for exchange, clock in clocks:
        if clock is not None and (exchange not in best or _rank(clock) < _rank(best[exchange])):
            best[exchange] = clock
    return [{"exchange": exchange, **best[exchange]} for exchange in sorted(best)]


def _rank(clock: Clock) -> tuple[int, float]:
    return (0, clock["error_ms"]) if clock["source"] == "rest" else (1, clock["offset_ms"])


def clock_problem(clock: Clock) -> str:
    """Return what is wrong with the clock of an element of ``clocks`` in the status; "" if nothing is.

    An offset by REST is reported if it is beyond `OFF_MS` for sure.
    """
    offset_ms, exchange = clock["offset_ms"], clock["exchange"]
    if clock["source"] == "rest":
        if abs(offset_ms) - clock["error_ms"] <= OFF_MS:
            return ""
        where = "ahead of" if offset_ms > 0 else "behind"
        return f"this machine's clock is {abs(offset_ms) / 1e3:.1f} s {where} that of {exchange}"
    if offset_ms < -OFF_MS:
        return f"this machine's clock is at least {-offset_ms / 1e3:.1f} s behind that of {exchange}"
    if offset_ms > OFF_MS:
        return (
            f"events of {exchange} are {offset_ms / 1e3:.1f} s old when they arrive, or this machine's clock is ahead"
        )
    return ""
