"""The conformance suite for sinks: checks that any kind keeps the contract of `foxtrot_supervisor.sinks.sink`.

::

    class TestMySink(SinkChecks):
        def make(self, context): return MySink(MySettings(url=...), context)
        async def stored_keys(self): return [key for key in the_store]
        async def make_unavailable(self): the_server.kill()
        async def make_available(self): the_server.start()

Run it with pytest and pytest-asyncio (``asyncio_mode = auto``). Each check begins with an empty store. A store that
cannot be made unavailable, or that refuses nothing, leaves those methods out: their checks are skipped.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from foxtrot_protocol.events import (
    Bar,
    BookDelta,
    BookSnapshot,
    FeedStatus,
    Funding,
    Gap,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_supervisor.sinks.keys import EventKeys
from foxtrot_supervisor.sinks.sink import (
    KINDS_OF_EVENTS,
    Sink,
    SinkContext,
    SinkMisconfigured,
    SinkRefuses,
    SinkRow,
    SinkUnavailable,
)
from foxtrot_supervisor.system.ending import insistent_timeout

__all__ = ["SinkChecks", "SinkContext", "all_events", "rows_of", "trades"]

CALL_S: Final = 60.0
"""Longest call of a sink in a check."""

_FIRST_ROW: Final = 1_700_000_000_000_000
_HOUR_NS: Final = 3_600_000_000_000
_AT_NS: Final = 472_222 * _HOUR_NS
_COUNT_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


class _Log:
    """Takes log lines and drops them."""

    def info(self, event: str, /, **fields: Any) -> None: ...

    debug = warning = error = info


def trades(count: int, first: int = 1) -> list[Trade[str]]:
    """Return trades with ascending identifiers."""
    return [
        Trade("SIM", "BTCUSDT", _AT_NS + number, _AT_NS + number + 5, "64000.10", "0.00050", "buy", str(number))
        for number in range(first, first + count)
    ]


def all_events() -> list[Any]:
    """Return one event or more of each kind, with the values that stores have trouble with."""
    at, seen, symbol = _AT_NS, _AT_NS + 5, "BTC-USD/Ünï'\";--"
    huge = "123456789012345678901234567890.123456789012345678901234567890"
    levels = [(f"{price}.50", "0.00000001") for price in range(2000)]
    return [
        Trade("SIM", symbol, at, seen, huge, "1e-8", "sell", "018b5f1e-0000-7000-8000-00000000abcd", count=3),
        Trade("SIM", "X", 0, seen, "1.10", "2", "buy", ""),
        Quote("SIM", "X", at, seen, None, None, "2.0", "1", "", backfilled=True, redelivered=True),
        BookSnapshot("SIM", "X", at, seen, levels, levels, None, "7", 4294967295),
        BookDelta("SIM", "X", at, seen, [("1.0", "0")], [], "8", "9", -5),
        Ticker("SIM", "X", at, seen, "1", None, None, None, None, None),
        Bar("SIM", "X", at, seen, "1m", at, "1", "2", "0.5", "1.50", "10", closed=True),
        Funding("SIM", "X", at, seen, "-0.0001", 0),
        MarkPrice("SIM", "X", at, seen, "1"),
        OpenInterest("SIM", "X", at, seen, huge),
        Liquidation("SIM", "X", at, seen, "sell", "1", "2"),
        FeedStatus("SIM", "X", 0, seen, "x@trade", "stale", 12.5),
        Gap("", "", 0, seen, "", None, None, 0, 0, "batches 1 to 2 of sim.a#1 were\nlost\x00 \\N \t"),
        Gap("SIM", "X", 0, seen, "eMarketTrade.", "1", huge, at, seen, "lost", filled=True),
    ]


def rows_of(events: Sequence[Any], first: int = _FIRST_ROW, keys: EventKeys | None = None) -> list[SinkRow]:
    """Return the rows of events, as a sink is given them."""
    made = keys or EventKeys()
    return [
        SinkRow(
            first + place, made.key(event), "sim", event.exchange, KINDS_OF_EVENTS[type(event)], event.symbol, event
        )
        for place, event in enumerate(events)
    ]


class SinkChecks:
    """Base of a test class for one kind of sink; a subclass provides the store."""

    order_matters: bool = True
    """Whether `stored_keys` returns keys in the order in which they were written."""

    # ---- for the subclass

    def make(self, context: SinkContext) -> Sink:
        """Return a sink that writes into the store of this check; several may be made, one after the other."""
        raise NotImplementedError

    async def stored_keys(self) -> list[str]:
        """Return the key of every row that the store holds, as often as it holds it."""
        raise NotImplementedError

    async def make_unavailable(self) -> None:
        """Make the store unreachable."""
        pytest.skip("this store cannot be made unavailable")

    async def make_available(self) -> None:
        """Make it reachable again, with what it held."""

    def refused_event(self) -> Any:
        """Return an event that the store refuses."""
        pytest.skip("this store refuses nothing")

    # ---- checks

    @pytest.fixture
    def context(self, tmp_path: Path) -> SinkContext:
        """What the sink is given; its directory is kept between the lives of one check."""
        directory = tmp_path / "sink-state"
        directory.mkdir(mode=0o700)
        run_dir = tmp_path / "run"
        run_dir.mkdir(mode=0o700)
        return SinkContext("tape", str(run_dir), str(directory), _Log(), "0123456789abcdef")

    async def test_every_kind_of_event_is_stored_once(self, context: SinkContext) -> None:
        rows = rows_of(all_events())
        sink = await self._opened(context)
        await self._write_all(sink, rows)
        await self._expect([row.key for row in rows])
        await sink.close()

    async def test_rows_written_again_change_nothing(self, context: SinkContext) -> None:
        rows = rows_of(trades(50))
        sink = await self._opened(context)
        await self._write_all(sink, rows)
        await self._write_all(sink, rows[20:])
        await self._expect([row.key for row in rows])
        await sink.close()

    async def test_rows_written_again_by_a_new_process_change_nothing(self, context: SinkContext) -> None:
        rows = rows_of(trades(50))
        first = await self._opened(context)
        await self._call(first.write(rows[:30]))  # and then the process is killed: nothing is closed
        second = await self._opened(context)
        await self._write_all(second, rows[10:])
        await second.close()
        await first.close()
        await self._expect([row.key for row in rows[10:]], missing_allowed=[row.key for row in rows[:10]])

    async def test_numbers_of_durable_rows_only_rise_and_reach_the_last_row(self, context: SinkContext) -> None:
        rows = rows_of(trades(60))
        sink = await self._opened(context)
        durable = 0
        for first in range(0, 60, 7):
            part = rows[first : first + 7]
            number = await self._call(sink.write(part))
            assert number <= part[-1].number, "rows that were not given yet cannot be durable"
            durable = max(durable, number)
        assert await self._call(sink.flush()) in (0, rows[-1].number), "flush makes everything durable, or says nothing"
        await sink.close()
        await self._expect([row.key for row in rows])

    async def test_flush_and_close_may_come_at_any_time(self, context: SinkContext) -> None:
        sink = await self._opened(context)
        await self._call(sink.flush())
        await self._call(sink.close())
        await self._call(sink.close())
        await self._call(sink.open())
        rows = rows_of(trades(3))
        await self._write_all(sink, rows)
        await sink.close()
        await self._expect([row.key for row in rows])

    async def test_counts_are_whole_numbers_with_plain_names(self, context: SinkContext) -> None:
        sink = self.make(context)
        before = sink.counts()
        await self._call(sink.open())
        await self._write_all(sink, rows_of(trades(3)))
        for counts in (before, sink.counts()):
            assert len(counts) <= 20
            assert all(_COUNT_NAME.fullmatch(name) for name in counts)
            assert all(isinstance(count, int) for count in counts.values())
        await sink.close()

    async def test_while_the_store_is_away_it_says_so_and_nothing_is_lost(self, context: SinkContext) -> None:
        rows = rows_of(trades(40))
        sink = await self._opened(context)
        written = await self._call(sink.write(rows[:10]))
        await self.make_unavailable()
        with pytest.raises((SinkUnavailable, SinkMisconfigured)):
            await self._fails_at_last(sink, rows[10:])
        await self._call(sink.close())
        await self.make_available()
        await self._until_open(sink)
        first = max(0, written - rows[0].number + 1)
        await self._write_all(sink, rows[first:])
        await sink.close()
        await self._expect([row.key for row in rows])

    async def test_open_says_that_the_store_is_away(self, context: SinkContext) -> None:
        await self.make_unavailable()
        sink = self.make(context)
        with pytest.raises((SinkUnavailable, SinkMisconfigured)) as caught:
            await self._call(sink.open())
        assert caught.value.reason
        await self._call(sink.close())
        await self.make_available()
        await self._until_open(sink)
        await sink.close()

    async def test_refused_rows_are_named_and_all_others_are_stored(self, context: SinkContext) -> None:
        good, bad = trades(20), self.refused_event()
        rows = rows_of([*good[:10], bad, *good[10:]])
        sink = await self._opened(context)
        with pytest.raises(SinkRefuses) as caught:
            await self._write_all(sink, rows)
        assert [row.key for row, _ in caught.value.rows] == [rows[10].key]
        assert all(reason for _, reason in caught.value.rows)
        await self._write_all(sink, [row for row in rows if row is not rows[10]])
        await sink.close()
        await self._expect([row.key for row in rows if row is not rows[10]])

    def test_settings_are_declared(self) -> None:
        kind: Any = type(self.make(SinkContext("tape", "/", "/", _Log())))
        assert issubclass(kind.settings, msgspec.Struct)
        assert callable(kind.problems)

    # ---- helpers

    async def _opened(self, context: SinkContext) -> Sink:
        sink = self.make(context)
        await self._call(sink.open())
        return sink

    async def _write_all(self, sink: Sink, rows: Sequence[SinkRow]) -> None:
        """Write and flush, as at the end of a run."""
        durable = await self._call(sink.write(rows))
        durable = max(durable, await self._call(sink.flush()))
        assert durable >= rows[-1].number, "after flush, every row is durable"

    async def _fails_at_last(self, sink: Sink, rows: Sequence[SinkRow]) -> None:
        """Write until the sink notices that its store is away: it may take some rows first."""
        for _ in range(20):
            await self._call(sink.write(rows))
            await self._call(sink.flush())

    async def _until_open(self, sink: Sink) -> None:
        deadline = time.monotonic() + CALL_S
        while True:
            try:
                await self._call(sink.open())
                return
            except (SinkUnavailable, SinkMisconfigured):
                await self._call(sink.close())
                assert time.monotonic() < deadline, "the store is there again, and the sink does not open"
                await asyncio.sleep(0.05)

    async def _expect(self, keys: list[str], missing_allowed: Sequence[str] = ()) -> None:
        stored = await self.stored_keys()
        found = [key for key in stored if key not in missing_allowed]
        compare: Callable[[list[str]], list[str]] = list if self.order_matters else sorted
        assert compare(found) == compare(keys)
        assert len(set(stored)) == len(stored), "nothing twice"

    async def _call(self, call: Any) -> Any:
        async with insistent_timeout(CALL_S):
            return await call
