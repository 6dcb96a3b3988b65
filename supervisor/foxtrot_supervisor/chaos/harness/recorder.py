"""A handler for fault tests that records each trade, book event and gap with one system call.

The record survives a SIGKILL of its process: a row is in the kernel before the next event is handled.
`chaos.rules.delivery_judge` defines the rows and reads them.
"""

from __future__ import annotations

import os
import time
from typing import Any

from msgspec import Struct

from foxtrot_protocol.events import EVENT_BOOK, EVENT_GAP, EVENT_MARKET_TRADE, BookSnapshot
from foxtrot_supervisor.chaos.harness.book_check import BookCheck
from foxtrot_supervisor.chaos.rules import delivery_judge as chaos_judge
from foxtrot_supervisor.chaos.rules.delivery_judge import (
    BACKFILLED,
    DELTA,
    FILLED,
    GAP,
    IMPOSSIBLE,
    REDELIVERED,
    SNAPSHOT,
    TIMED,
    TRADE,
    pack_row,
    trade_number,
)
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine

__all__ = ["Nap", "Recorder", "handlers_module"]

_STREAMS = {EVENT_MARKET_TRADE: chaos_judge.TRADE_STREAM, EVENT_BOOK: chaos_judge.BOOK_STREAM}


class Nap(Struct, frozen=True):
    """Block after each `every` trades, `times` times, for `seconds`: as a handler does that waits for something."""

    every: int = 0
    seconds: float = 0.0
    times: int = 0


class Recorder:
    """Registers itself; `close` is called by the engine at its end."""

    def __init__(self, engine: EventEngine, path: str, nap: Nap = Nap()) -> None:  # noqa: B008 - frozen
        """Appends to the file at `path`, and what gaps say to one beside it."""
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # for people who have to find out why
        self._causes = os.open(f"{path}-gaps", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._pid = os.getpid()
        self._books = BookCheck()
        self._nap, self._until_nap, self._naps_left = nap, nap.every, nap.times
        engine.register(EVENT_MARKET_TRADE, self.on_trade)
        engine.register(EVENT_BOOK, self.on_book)
        engine.register(EVENT_GAP, self.on_gap)

    def on_trade(self, event: Event) -> None:
        """The hot path of a fault test."""
        trade: Any = event.data
        flags = REDELIVERED * trade.redelivered + BACKFILLED * trade.backfilled
        last = trade_number(trade.trade_id)
        first = last - (trade.count or 1) + 1
        os.write(self._file, pack_row(TRADE, 1, self._pid, trade.symbol, first, last, trade.publish_ns, flags))
        if self._naps_left:
            self._until_nap -= 1
            if not self._until_nap:
                self._until_nap, self._naps_left = self._nap.every, self._naps_left - 1
                time.sleep(self._nap.seconds)

    def on_book(self, event: Event) -> None:
        """Snapshots and deltas, by their identifiers."""
        book: Any = event.data
        kind = SNAPSHOT if isinstance(book, BookSnapshot) else DELTA
        flags = REDELIVERED * book.redelivered + BACKFILLED * book.backfilled
        first, last = _number(book.first_id), _number(book.last_id)
        if last < 0 and not book.redelivered and not self._books.take(book):
            flags |= IMPOSSIBLE
        os.write(self._file, pack_row(kind, 2, self._pid, book.symbol, first, last, book.publish_ns, flags))

    def on_gap(self, event: Event) -> None:
        """A hole, or the word that one was filled."""
        gap: Any = event.data
        stream = _STREAMS.get(gap.stream, chaos_judge.OTHER_STREAM)
        first, last, flags = _number(gap.first_id), _number(gap.last_id), FILLED * gap.filled
        if min(first, last) < 0 < min(gap.start_ns, gap.end_ns):
            first, last, flags = gap.start_ns, gap.end_ns, flags | TIMED
        os.write(self._file, pack_row(GAP, stream, self._pid, gap.symbol, first, last, 0, flags))
        os.write(self._causes, f"{gap}\n".encode())

    def close(self) -> None:
        """The engine ends."""
        os.close(self._file)
        os.close(self._causes)


def handlers_module(path: str, nap: Nap = Nap()) -> str:  # noqa: B008 - frozen
    """The text of a module whose `setup` is the handler to configure: it cannot be told otherwise where to write."""
    return (
        "from foxtrot_supervisor.chaos.harness.recorder import Nap, Recorder\n\n\n"
        f"def setup(engine):\n    return Recorder(engine, {path!r}, {nap!r})\n"
    )


def _number(identifier: str | None) -> int:
    return int(identifier) if identifier else -1
