"""What to do when the engine does not keep up: hold back the exchange for a bounded time, then drop and say so.

Pure: told the backlog and the time, answers with what to do next.
"""

from __future__ import annotations

import enum

from foxtrot_protocol.events import EVENT_TYPES, BookDelta, BookSnapshot, Gap, MarketEvent, Quote, Trade

__all__ = ["Backpressure", "DroppedEvents", "Pressure"]


class Pressure(enum.Enum):
    """The three ways to treat a full backlog."""

    FLOWING = "flowing"
    HOLDING = "holding"
    """The exchange is held back: the socket is not read."""
    DROPPING = "dropping"
    """It was held back for as long as allowed: read on, drop, announce."""


class Backpressure:
    """Decides between the three; leaves HOLDING or DROPPING when the backlog is below half its limit."""

    def __init__(self, limit_bytes: int, full_wait_s: float) -> None:
        self._limit_bytes = limit_bytes
        self._full_wait_s = full_wait_s
        self._held_since: float | None = None
        self.state = Pressure.FLOWING

    def judge(self, backlog_bytes: int, now: float) -> Pressure:
        """The treatment from now on; `now` in monotonic seconds."""
        if backlog_bytes <= self._limit_bytes // 2:
            self.state = Pressure.FLOWING
            self._held_since = None
        elif self.state is Pressure.FLOWING and backlog_bytes >= self._limit_bytes:
            self.state = Pressure.HOLDING
            self._held_since = now
        elif (
            self.state is Pressure.HOLDING
            and self._held_since is not None
            and now - self._held_since >= self._full_wait_s
        ):
            self.state = Pressure.DROPPING
        return self.state


class _Hole:
    __slots__ = ("end_ns", "exchange", "first_id", "last_id", "start_ns")

    def __init__(self, exchange: str, first_id: str | None, start_ns: int) -> None:
        self.exchange = exchange
        self.first_id = first_id
        self.last_id = first_id
        self.start_ns = start_ns
        self.end_ns = start_ns


class DroppedEvents:
    """Remembers what was dropped as one hole for each symbol and stream; bounded by the subscribed topics."""

    def __init__(self) -> None:
        self._holes: dict[tuple[str, str], _Hole] = {}
        self.total = 0

    def add(self, events: list[MarketEvent[str]]) -> None:
        """These events will never be sent."""
        self.total += len(events)
        for event in events:
            stream = EVENT_TYPES[type(event)]
            first_id, last_id = _identifiers(event)
            hole = self._holes.get((event.symbol, stream))
            if hole is None:
                hole = self._holes[event.symbol, stream] = _Hole(event.exchange, first_id, event.receive_ns)
            hole.last_id = last_id
            hole.end_ns = event.receive_ns

    def take_gaps(self, now_ns: int) -> list[MarketEvent[str]]:
        """One `Gap` for each hole since the last call."""
        gaps: list[MarketEvent[str]] = [
            Gap(
                exchange=hole.exchange,
                symbol=symbol,
                exchange_ns=0,
                receive_ns=now_ns,
                stream=stream,
                first_id=hole.first_id,
                last_id=hole.last_id,
                start_ns=hole.start_ns,
                end_ns=hole.end_ns,
                cause="engine too slow: events were dropped",
            )
            for (symbol, stream), hole in self._holes.items()
        ]
        self._holes.clear()
        return gaps


def _identifiers(event: MarketEvent[str]) -> tuple[str | None, str | None]:
    if isinstance(event, Trade):
        return event.trade_id, event.trade_id
    if isinstance(event, BookDelta | BookSnapshot | Gap):
        return event.first_id, event.last_id
    if isinstance(event, Quote):
        return event.update_id or None, event.update_id or None
    return None, None
