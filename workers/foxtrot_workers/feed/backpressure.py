"""What to do when the engine does not keep up: hold back the exchange for a bounded time, then drop and say so.

Pure: told how full the ring is and the time, answers with what to do next.
"""

from __future__ import annotations

import enum

from foxtrot_protocol.events import EVENT_TYPES, BookDelta, BookSnapshot, Gap, MarketEvent, Quote, Trade

__all__ = ["TOO_LARGE", "TOO_SLOW", "Backpressure", "DroppedEvents", "Pressure"]

TOO_SLOW = "engine too slow: events were dropped"
TOO_LARGE = "an event too large for the ring was dropped"


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
    """Remembers what was dropped as one hole for each symbol and stream; bounded by the subscribed topics."""

    def __init__(self) -> None:
        self._holes: dict[tuple[str, str], _Hole] = {}
        self.total = 0

    def __bool__(self) -> bool:
        """Whether there is anything to announce."""
        return bool(self._holes)

    def add(self, events: list[MarketEvent[str]], cause: str = TOO_SLOW) -> None:
        """These events will never be sent; `cause` of the first names the hole."""
        self.total += len(events)
        for event in events:
            stream = EVENT_TYPES[type(event)]
            first_id, last_id = _identifiers(event)
            hole = self._holes.get((event.symbol, stream))
            if hole is None:
                hole = self._holes[event.symbol, stream] = _Hole(event.exchange, first_id, event.receive_ns, cause)
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
                cause=hole.cause,
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
