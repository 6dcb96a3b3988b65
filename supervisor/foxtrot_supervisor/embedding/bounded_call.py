"""Calls other people's code and waits for it only so long.

Each on a thread of its own, which cannot be ended if the call never returns; so it is a daemon thread: left behind,
told of, and no reason for the interpreter not to exit. Not `concurrent.futures`, whose threads are waited for at exit.
While the interpreter exits, some versions of Python start no thread any more: then the call is made here, unbounded.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

__all__ = ["CallOutcome", "call_within", "calls_within"]


class CallOutcome(Struct, frozen=True):
    """How a call went."""

    finished: bool
    """False: it has not returned in time, and may still run."""
    error: BaseException | None = None
    """What it raised."""
    took_s: float = 0.0


def call_within(call: Callable[[], Any], timeout_s: float, name: str) -> CallOutcome:
    """Call `call` and wait `timeout_s` at most; `name` is for whoever looks at threads. Raises nothing of it."""
    return calls_within({name: call}, timeout_s)[name]


def calls_within(calls: Mapping[str, Callable[[], Any]], timeout_s: float) -> dict[str, CallOutcome]:
    """Call all side by side and wait `timeout_s` at most, together; names are also those of the threads."""
    begun = time.monotonic()
    running = {name: _Call(call, name) for name, call in calls.items()}
    return {name: call.outcome(begun, timeout_s) for name, call in running.items()}


class _Call:
    def __init__(self, call: Callable[[], Any], name: str) -> None:
        self._call = call
        self._error: BaseException | None = None
        self._ended = 0.0
        # in the caller's context, or what is registered within had no owner
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._run,), name=name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # the interpreter is exiting: Python 3.12 starts no thread any more. Called without a bound then
            self._run()

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:  # told to the caller, whatever it is
            self._error = error
        finally:
            self._ended = time.monotonic()

    def outcome(self, begun: float, timeout_s: float) -> CallOutcome:
        if self._thread.ident is not None:
            self._thread.join(max(0.0, begun + timeout_s - time.monotonic()))
        if self._thread.is_alive():
            return CallOutcome(False, None, time.monotonic() - begun)
        return CallOutcome(True, self._error, self._ended - begun)
