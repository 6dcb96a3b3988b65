"""Signals of the operating system, really sent."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from foxtrot_supervisor.runtime.signals import STOP_SIGNALS, SignalInputs
from tests.support.waiting import wait_until_async


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOP_SIGNALS)
async def test_each_signal_is_reported_by_name_each_time(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_DFL)  # it may be ignored where the tests were started
    told: list[str] = []
    inputs = SignalInputs(asyncio.get_running_loop(), told.append, told.append)
    os.kill(os.getpid(), number)
    await wait_until_async(lambda: told == [number.name], what="the first")
    os.kill(os.getpid(), number)
    await wait_until_async(lambda: told == [number.name] * 2, what="the second")
    inputs.close()
    os.kill(os.getpid(), number)  # being stopped already: ignored
    assert signal.getsignal(number) == signal.SIG_IGN


async def test_nohup_is_respected() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    told: list[str] = []
    inputs = SignalInputs(asyncio.get_running_loop(), told.append, told.append)
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGTERM)
    await wait_until_async(lambda: told, what="SIGTERM")
    assert told == ["SIGTERM"]
    inputs.close()


async def test_hangup_asks_for_a_reload_as_long_as_no_terminal_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """That a closed terminal stops a supervisor is shown on a real one: tests/integration/test_reload.py."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    stops: list[str] = []
    reloads: list[str] = []
    has_terminal = [True]
    monkeypatch.setattr("foxtrot_supervisor.runtime.signals._has_terminal", lambda: has_terminal[0])
    inputs = SignalInputs(asyncio.get_running_loop(), stops.append, reloads.append)
    os.kill(os.getpid(), signal.SIGHUP)
    await wait_until_async(lambda: reloads == ["SIGHUP"], what="the reload")
    has_terminal[0] = False
    os.kill(os.getpid(), signal.SIGHUP)
    await wait_until_async(lambda: stops == ["SIGHUP"], what="the stop")
    inputs.close()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    inputs = SignalInputs(asyncio.get_running_loop(), stops.append, reloads.append)  # without any terminal: a service
    os.kill(os.getpid(), signal.SIGHUP)
    await wait_until_async(lambda: reloads == ["SIGHUP"] * 2, what="the second reload")
    assert stops == ["SIGHUP"]
    inputs.close()
