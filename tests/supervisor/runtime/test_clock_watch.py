"""What is logged of clocks that are off."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from foxtrot_supervisor.runtime import clock_watch
from foxtrot_supervisor.runtime.clock_watch import ClockWatch
from foxtrot_supervisor.runtime.timers import Timers
from tests.support.waiting import wait_until_async


async def test_each_change_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_watch, "LOOK_S", 0.001)
    clock: dict[str, Any] = {"exchange": "x", "offset_ms": 2000.0, "error_ms": 1.0, "source": "rest"}
    looks: list[None] = []

    def clocks() -> list[dict[str, Any]]:
        looks.append(None)
        return [clock]

    timers, log = Timers(), Mock()
    ClockWatch(clocks, timers, log).start()
    await wait_until_async(lambda: len(looks) >= 3, what="three looks")
    (warned,) = log.warning.call_args_list
    assert warned.args == ("clock_off",)
    assert warned.kwargs["reason"] == "this machine's clock is 2.0 s ahead of that of x"
    clock["offset_ms"] = 10.0
    await wait_until_async(lambda: log.info.called, what="the end")
    timers.close()
    assert [call.args for call in log.info.call_args_list] == [("clock_in_step",)]
