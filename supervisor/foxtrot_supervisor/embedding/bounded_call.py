"""Calls of foreign code with a time limit.

Each call has a daemon thread of its own. A call that never returns is left behind and reported, and does not prevent
interpreter exit, as the threads of `concurrent.futures` would. During interpreter exit some versions of Python start no
more threads: then the call is made on the calling thread, without a limit.
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
    """Result of a call."""

    finished: bool
    """False: it did not return in time, and may still run."""
    error: BaseException | None = None
    """The exception that it raised."""
    took_s: float = 0.0


def call_within(call: Callable[[], Any], timeout_s: float, name: str) -> CallOutcome:
    """Call `call` and wait up to `timeout_s` seconds; its exceptions are in the result. `name`: of the thread."""
    return calls_within({name: call}, timeout_s)[name]


def calls_within(calls: Mapping[str, Callable[[], Any]], timeout_s: float) -> dict[str, CallOutcome]:
    """Make all calls in parallel and wait up to `timeout_s` seconds in total; the keys name the threads."""
    begun = time.monotonic()
    running = {name: _Call(call, name) for name, call in calls.items()}
    return {name: call.outcome(begun, timeout_s) for name, call in running.items()}


class _Call:
    def __init__(self, call: Callable[[], Any], name: str) -> None:
        self._call = call
        self._error: BaseException | None = None
        self._ended = 0.0
        # in the caller's context, which holds the owner of handlers that the call registers
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._run,), name=name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # the interpreter is exiting: Python 3.12 starts no more threads
            self._run()

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:  # of any kind is returned to the caller
            self._error = error
        finally:
            self._ended = time.monotonic()

    def outcome(self, begun: float, timeout_s: float) -> CallOutcome:
        if self._thread.ident is not None:
            self._thread.join(max(0.0, begun + timeout_s - time.monotonic()))
        if self._thread.is_alive():
            return CallOutcome(False, None, time.monotonic() - begun)
        return CallOutcome(True, self._error, self._ended - begun)
