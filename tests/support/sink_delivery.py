"""Hands rows to a sink as its process does: again after an error, from the first row that is not durable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from foxtrot_supervisor.sinks.sink import RefusedRow, Sink, SinkRefuses, SinkRow, SinkUnavailable
from tests.support.sink_rows import trade_rows
from tests.support.store_servers import StoreServer
from tests.support.waiting import wait_until_async

__all__ = ["PAUSE_S", "check_that_a_hang_ends_in_time", "deliver", "deliver_over_kills", "open_at_last"]

PAUSE_S = 0.05

LIMIT_S = 60.0


async def deliver(sink: Sink, rows: Sequence[SinkRow], batch_rows: int = 100) -> list[RefusedRow]:
    """Write all rows through `sink`, which is not open, and close it; return the refused ones."""
    refused: dict[int, RefusedRow] = {}
    durable = rows[0].number - 1
    deadline = time.monotonic() + LIMIT_S
    while durable < rows[-1].number:
        assert time.monotonic() < deadline, f"durable are {durable - rows[0].number + 1} of {len(rows)} rows"
        written = durable
        try:
            await sink.open()
            while written < rows[-1].number:
                place = written + 1 - rows[0].number
                batch = [row for row in rows[place : place + batch_rows] if row.number not in refused]
                written = min(written + batch_rows, rows[-1].number)
                try:
                    durable = max(durable, await sink.write(batch)) if batch else durable
                except SinkRefuses as refusal:
                    refused |= {row.number: (row, reason) for row, reason in refusal.rows}
                    written = durable
            durable = max(durable, await sink.flush())
            while durable + 1 in refused:
                durable += 1
        except SinkUnavailable:
            await asyncio.sleep(PAUSE_S)
        finally:
            await sink.close()
    return list(refused.values())


async def open_at_last(sink: Sink) -> None:
    """Open `sink`, again while its store is too slow for its limit, as on a busy machine."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        try:
            return await sink.open()
        except SinkUnavailable:
            await sink.close()
            assert time.monotonic() < deadline


async def deliver_over_kills(sink: Sink, rows: Sequence[SinkRow], server: StoreServer) -> list[RefusedRow]:
    """As `deliver`; `server` is killed and started again after 1,000 and after 3,000 rows."""
    delivery = asyncio.create_task(deliver(sink, rows, batch_rows=500))
    for number in (1000, 3000):
        await wait_until_async(lambda number=number: sink.counts()["rows_total"] >= number, 30, "rows")
        server.kill()
        await asyncio.to_thread(server.start)
    return await delivery


async def check_that_a_hang_ends_in_time(sink: Sink, server: StoreServer, reason: str | None = None) -> None:
    """`sink` gives up a call when `server` is suspended, with `reason` (a pattern), and cannot be opened then."""
    await open_at_last(sink)
    server.pause()
    try:
        with pytest.raises(SinkUnavailable, match=reason):
            await sink.write(trade_rows(1, 10))
        await sink.close()
        with pytest.raises(SinkUnavailable):
            await sink.open()
        await sink.close()
    finally:
        server.resume()
