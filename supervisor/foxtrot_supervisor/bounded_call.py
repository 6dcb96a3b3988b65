"""Calls other people's code and waits for it only so long.

On a thread of its own, which cannot be ended if the call never returns; so it is a daemon thread: left behind, told of,
and no reason for the interpreter not to exit. Not `concurrent.futures`, whose threads are waited for at exit.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any

from msgspec import Struct

__all__ = ["CallOutcome", "call_within"]


class CallOutcome(Struct, frozen=True):
    """How a call went."""

    finished: bool
    """False: it has not returned in time, and may still run."""
    error: BaseException | None = None
    """What it raised."""
    took_s: float = 0.0


def call_within(call: Callable[[], Any], timeout_s: float, name: str) -> CallOutcome:
    """Call `call` and wait `timeout_s` at most; `name` is for whoever looks at threads. Raises nothing of it."""
    error: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as raised:  # told to the caller, whatever it is
            error.append(raised)

    begun = time.monotonic()
    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name=name, daemon=True)
    thread.start()
    thread.join(max(0.0, timeout_s))
    took_s = time.monotonic() - begun
    return CallOutcome(not thread.is_alive(), error[0] if error else None, took_s)
