"""Watching for slow handlers; the rest of a host is tested by the processes that have one."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from foxtrot_supervisor.engine_host import DispatchEnded, DispatchWatch
from foxtrot_supervisor.event_engine import Event, EventEngine
from tests.support.waiting import wait_until_async

LIMIT_S = 5.0


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def warning(self, event: str, /, **fields: Any) -> None:
        self.lines.append((event, fields))


async def test_a_slow_handler_is_reported_once_with_its_stack_while_it_runs() -> None:
    log, release = Log(), threading.Event()
    engine = EventEngine(own_watch=False, slow_handler_ms=100.0, log=log)  # type: ignore[arg-type]  # only warnings

    def dawdle(_: Event) -> None:
        release.wait(LIMIT_S)

    engine.register("e", dawdle)
    engine.start()
    task = asyncio.create_task(DispatchWatch(engine).run())
    engine.put(Event("e"))
    await wait_until_async(lambda: log.lines, LIMIT_S, "the report")
    event, fields = log.lines[0]
    assert event == "slow_handler"
    assert "dawdle" in fields["stack"]
    release.set()
    assert engine.slow_calls_total == 1
    await asyncio.to_thread(engine.stop, LIMIT_S)
    with pytest.raises(DispatchEnded):
        await asyncio.wait_for(task, LIMIT_S)
