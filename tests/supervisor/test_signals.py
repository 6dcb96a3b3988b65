"""Signals of the operating system, really sent."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from foxtrot_supervisor.signals import STOP_SIGNALS, SignalInputs
from tests.support.waiting import wait_until_async


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOP_SIGNALS)
async def test_each_is_told_by_name_each_time(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_DFL)  # whoever runs the tests may have had it ignored
    told: list[str] = []
    inputs = SignalInputs(asyncio.get_running_loop(), told.append)
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
    inputs = SignalInputs(asyncio.get_running_loop(), told.append)
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGTERM)
    await wait_until_async(lambda: told, what="SIGTERM")
    assert told == ["SIGTERM"]
    inputs.close()
