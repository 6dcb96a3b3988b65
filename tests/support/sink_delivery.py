"""Hands rows to a sink as its process does: again after an error, from the first row that is not durable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from foxtrot_supervisor.sinks.sink import RefusedRow, Sink, SinkRefuses, SinkRow, SinkUnavailable

__all__ = ["PAUSE_S", "deliver", "open_at_last"]

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
