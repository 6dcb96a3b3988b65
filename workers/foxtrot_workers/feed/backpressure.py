"""What to do when the engine does not keep up: hold back the exchange for a bounded time, then drop and say so.

Pure: told how full the ring is and the time, answers with what to do next.
"""

from __future__ import annotations

import enum

from foxtrot_protocol.events import EVENT_TYPES, BookDelta, BookSnapshot, Gap, MarketEvent, Quote, Trade

__all__ = ["TOO_LARGE", "TOO_SLOW", "Backpressure", "DroppedEvents", "Pressure"]

TOO_SLOW = "engine too slow: events were dropped"
TOO_LARGE = "an event too large for the ring was dropped"

ID_CHARACTERS_MAX = 200
CAUSE_CHARACTERS_MAX = 400
"""Of each text in a gap: it has to fit into the smallest ring. A longer identifier counts as unknown."""


class Pressure(enum.Enum):
    """The three ways to treat a full ring."""

    FLOWING = "flowing"
    HOLDING = "holding"
    """The exchange is held back: the socket is not read."""
    DROPPING = "dropping"
    """It was held back for as long as allowed: read on, drop, announce."""


class Backpressure:
    """Decides between the three, by what stands in the ring and what waits for room in it."""

    def __init__(self, ring_bytes: int, full_wait_s: float) -> None:
        self._enough_bytes = ring_bytes // 2
        self._full_wait_s = full_wait_s
        self._held_since = 0.0
        self.state = Pressure.FLOWING

    def judge(self, used_bytes: int, waiting_bytes: int, now: float) -> Pressure:
        """The treatment from now on; `now` in monotonic seconds.

        Held back as soon as anything has to wait, until nothing does and half of the ring is free: a
        socket that is paused and resumed for each batch would do little else.
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


class _Hole:
    __slots__ = ("cause", "end_ns", "exchange", "first_id", "last_id", "start_ns")

    def __init__(self, exchange: str, first_id: str | None, start_ns: int, cause: str) -> None:
        self.cause = cause
        self.exchange = exchange
        self.first_id = first_id
        self.last_id = first_id
        self.start_ns = start_ns
        self.end_ns = start_ns


class DroppedEvents:
    """What was dropped, as one hole for each symbol and stream until its gap is committed.

    The worker commits nothing between a drop and its gap, so that all that falls into a hole is contiguous: coalescing
    is exact. Bounded by the streams of the subscribed topics.
    """

    def __init__(self) -> None:
        self._holes: dict[tuple[str, str], _Hole] = {}
        self.total = 0
        """Events dropped, ever."""
        self.pending = 0
        """Events dropped whose gap is not committed."""

    def add(self, events: list[MarketEvent[str]], cause: str = TOO_SLOW) -> None:
        """Record events that will never be sent; the first `cause` of a hole names it.

        A dropped `Gap` is part of the hole of the stream that it concerns.
        """
        self.total += len(events)
        self.pending += len(events)
        for event in events:
            if isinstance(event, Gap):
                if not event.filled:  # what had filled it was dropped too, or needs no announcement
                    self._add(event.exchange, event.symbol, event.stream, event.first_id, event.last_id, event)
            else:
                first_id, last_id = _identifiers(event)
                self._add(event.exchange, event.symbol, EVENT_TYPES[type(event)], first_id, last_id, event, cause)

    def take_gaps(self, now_ns: int) -> list[MarketEvent[str]]:
        """Return one `Gap` for each hole and forget them: the caller commits each, or gives it back."""
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
                cause=hole.cause,
            )
            for (symbol, stream), hole in self._holes.items()
        ]
        self._holes.clear()
        return gaps

    def give_back(self, gaps: list[MarketEvent[str]]) -> None:
        """Keep the gaps that found no room for the next `take_gaps`."""
        for gap in gaps:
            assert isinstance(gap, Gap)
            self._add(gap.exchange, gap.symbol, gap.stream, gap.first_id, gap.last_id, gap)

    def announced(self) -> None:
        """Every gap that was taken is committed, or waits for room in the ring."""
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
        hole = self._holes.get((symbol, stream))
        if hole is None:
            hole = self._holes[symbol, stream] = _Hole(exchange, _short(first_id), start_ns, cause)
        hole.last_id = _short(last_id)
        hole.end_ns = end_ns


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
