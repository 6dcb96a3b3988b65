"""The supervisor's watch over its own event loop."""

from __future__ import annotations

import time
from unittest.mock import Mock

from foxtrot_supervisor.runtime.loop_watch import LoopWatch
from foxtrot_supervisor.runtime.timers import Timers
from foxtrot_supervisor.telemetry.loop_lag import LATE_S, PERIOD_S, LoopLagFigures
from tests.support.waiting import wait_until_async


async def test_a_blocked_loop_is_measured_and_logged_once() -> None:
    timers, log = Timers(), Mock()
    watch = LoopWatch(timers, log)
    assert watch.figures() == LoopLagFigures()
    watch.start()
    for total in (1, 2):
        time.sleep(LATE_S + 2 * PERIOD_S)  # noqa: ASYNC251 - this is what is measured
        await wait_until_async(lambda total=total: watch.figures().late_total >= total, what="the lateness")
    timers.close()
    assert watch.figures().max_ms >= LATE_S * 1e3
    log.warning.assert_called_once()
    assert log.warning.call_args.args == ("supervisor_late",)
