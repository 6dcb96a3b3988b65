"""Policy for an engine that does not keep up: backpressure for a limited time, then drop and announce. Pure."""

from __future__ import annotations

import enum

from foxtrot_protocol.events import EVENT_TYPES, BookDelta, BookSnapshot, Gap, MarketEvent, Quote, Trade

__all__ = ["TOO_LARGE", "TOO_SLOW", "Backpressure", "DroppedEvents", "Pressure"]

TOO_SLOW = "engine too slow: events were dropped"
TOO_LARGE = "an event too large for the ring was dropped"

ID_CHARACTERS_MAX = 200
CAUSE_CHARACTERS_MAX = 400
"""Limits of texts in a gap, which must fit into the smallest ring. A longer identifier is treated as unknown."""


class Pressure(enum.Enum):
    """How a full ring is treated."""

    FLOWING = "flowing"
    HOLDING = "holding"
    """Backpressure: the socket is not read."""
    DROPPING = "dropping"
    """Backpressure has lasted as long as allowed: read, drop, announce."""


class Backpressure:
    """Decides by the fill level of the ring and the bytes that wait for space in it.

    Args:
        ring_bytes: size of the ring.
        full_wait_s: longest time in seconds in which the socket is not read.
    """

    def __init__(self, ring_bytes: int, full_wait_s: float) -> None:
        self._enough_bytes = ring_bytes // 2
        self._full_wait_s = full_wait_s
        self._held_since = 0.0
        self.state = Pressure.FLOWING

    def judge(self, used_bytes: int, waiting_bytes: int, now: float) -> Pressure:
        """Return the state from now on.

        Backpressure begins as soon as anything waits, and ends when nothing does and half of the ring is free: a socket
        must not be paused and resumed for each batch.

        Args:
            used_bytes: bytes in the ring that are not acknowledged.
            waiting_bytes: bytes that found no space in it.
            now: monotonic seconds.
        """
        if self.state is Pressure.FLOWING:
            if waiting_bytes:
                self.state = Pressure.HOLDING
                self._held_since = now
        elif not waiting_bytes and used_bytes <= self._enough_bytes:
            self.state = Pressure.FLOWING
        elif self.state is Pressure.HOLDING and now - self._held_since >= self._full_wait_s:
            self.state = Pressure.DROPPING
        return self.state


class _DroppedRange:
    __slots__ = ("cause", "end_ns", "exchange", "first_id", "last_id", "start_ns")

    def __init__(self, exchange: str, first_id: str | None, start_ns: int, cause: str) -> None:
        self.cause = cause
        self.exchange = exchange
        self.first_id = first_id
        self.last_id = first_id
        self.start_ns = start_ns
        self.end_ns = start_ns


class DroppedEvents:
    """Dropped events, coalesced to one gap for each symbol and stream until it is committed.

    The worker commits nothing between a drop and its gap, so that the dropped events of a stream are contiguous and
    coalescing is exact. Size: at most the number of subscribed streams.
    """

    def __init__(self) -> None:
        self._ranges: dict[tuple[str, str], _DroppedRange] = {}
        self.total = 0
        """Events dropped so far."""
        self.pending = 0
        """Events dropped whose gap is not committed."""

    def add(self, events: list[MarketEvent[str]], cause: str = TOO_SLOW) -> None:
        """Record events that will never be sent; a coalesced gap keeps its first `cause`.

        A dropped `Gap` is coalesced into the gap of its stream.
        """
        self.total += len(events)
        self.pending += len(events)
        for event in events:
            if isinstance(event, Gap):
                if not event.filled:  # the events that filled it were dropped too, or need no announcement
                    self._add(event.exchange, event.symbol, event.stream, event.first_id, event.last_id, event)
            else:
                first_id, last_id = _identifiers(event)
                self._add(event.exchange, event.symbol, EVENT_TYPES[type(event)], first_id, last_id, event, cause)

    def take_gaps(self, now_ns: int) -> list[MarketEvent[str]]:
        """Remove and return all gaps; the caller commits each or gives it back."""
        gaps: list[MarketEvent[str]] = [
            Gap(
                exchange=dropped.exchange,
                symbol=symbol,
                exchange_ns=0,
                receive_ns=now_ns,
                stream=stream,
                first_id=dropped.first_id,
                last_id=dropped.last_id,
                start_ns=dropped.start_ns,
                end_ns=dropped.end_ns,
                cause=dropped.cause,
            )
            for (symbol, stream), dropped in self._ranges.items()
        ]
        self._ranges.clear()
        return gaps

    def give_back(self, gaps: list[MarketEvent[str]]) -> None:
        """Keep gaps that found no space for the next `take_gaps`."""
        for gap in gaps:
            assert isinstance(gap, Gap)
            self._add(gap.exchange, gap.symbol, gap.stream, gap.first_id, gap.last_id, gap)

    def announced(self) -> None:
        """Every gap that was taken is committed or waits for space in the ring."""
        self.pending = 0

    def _add(
        self,
        exchange: str,
        symbol: str,
        stream: str,
        first_id: str | None,
        last_id: str | None,
        event: MarketEvent[str],
        cause: str = "",
    ) -> None:
        start_ns = end_ns = event.receive_ns
        if isinstance(event, Gap):
            start_ns, end_ns, cause = event.start_ns, event.end_ns, event.cause[:CAUSE_CHARACTERS_MAX]
        dropped = self._ranges.get((symbol, stream))
        if dropped is None:
            dropped = self._ranges[symbol, stream] = _DroppedRange(exchange, _short(first_id), start_ns, cause)
        dropped.last_id = _short(last_id)
        dropped.end_ns = end_ns


def _short(identifier: str | None) -> str | None:
    return identifier if identifier is None or len(identifier) <= ID_CHARACTERS_MAX else None


def _identifiers(event: MarketEvent[str]) -> tuple[str | None, str | None]:
    if isinstance(event, Trade):
        return event.trade_id, event.trade_id
    if isinstance(event, BookDelta | BookSnapshot):
        return event.first_id, event.last_id
    if isinstance(event, Quote):
        return event.update_id or None, event.update_id or None
    return None, None
