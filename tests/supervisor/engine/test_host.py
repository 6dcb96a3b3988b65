"""Watching for slow handlers; the rest of a host is tested by the processes that have one."""

from __future__ import annotations

import asyncio
import functools
import threading
from pathlib import Path
from typing import Any

import pytest
import structlog

from foxtrot_protocol.codec import encode_control
from foxtrot_protocol.commands import Heartbeat
from foxtrot_supervisor.config.schema import EngineConfig
from foxtrot_supervisor.core.targets import engine_settings
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.host import DispatchEnded, DispatchWatch, EngineHost
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


async def test_a_heartbeat_arrives_whatever_handlers_and_owners_are_called(tmp_path: Path) -> None:
    settings = engine_settings(EngineConfig(), str(tmp_path), "")
    engine, kept = EventEngine(), []
    for number in range(200):
        handler = functools.partial(print, "x" * 100_000)
        owners = [engine.owner(f"{number}-{index}" + "y" * 10_000) for index in range(3)]
        kept.append(owners)
        for owner in owners:
            owner.register(f"e{number}" + "z" * 10_000, handler)
    host = EngineHost(engine, settings, str(tmp_path), structlog.get_logger(), lambda _: None)
    filled = host.fill(Heartbeat("engine", 1, 0.0, 1, 1, 1, 1))
    assert len(filled.handlers) == 30
    assert len(encode_control(filled)) < 100_000
    host.withdraw()
    host.withdraw()
    assert "market-folds" not in engine.owners()
    host.receiver.close()
