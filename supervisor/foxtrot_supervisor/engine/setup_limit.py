"""Time limit for the set-up of handlers, enforced by a thread while the set-up blocks the main thread.

The set-up runs a user's code in the main thread, so the event loop does not run and the supervisor gets no message.
Another thread can still see which line that code has reached.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from types import TracebackType

from foxtrot_protocol.crash_report import TRACE_CHARS_MAX, place_in

__all__ = ["SetupLimit"]


class SetupLimit:
    """Calls ``expire(cause, trace)`` once, on a thread of its own, if the block takes longer than `limit_s` seconds.

    Create and enter it on the thread that does the set-up. `begin` names the next handler.
    """

    def __init__(self, limit_s: float, expire: Callable[[str, str], object]) -> None:
        self._limit_s = limit_s
        self._expire = expire
        self._doing = ""
        self._worker = threading.get_ident()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="setup-limit", daemon=True)

    def begin(self, handler: str) -> None:
        """Name the handler that is set up from now on."""
        self._doing = handler

    def __enter__(self) -> SetupLimit:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        if self._done.wait(self._limit_s):
            return
        frame = sys._current_frames().get(self._worker)
        stack = traceback.extract_stack(frame)
        place = place_in([(entry.filename, entry.lineno or 0, entry.name) for entry in stack])
        where = f"it stands at {place[0]}:{place[1]} in {place[2]}" if place is not None else "it stands nowhere"
        if not self._done.is_set():
            self._expire(
                f"handler {self._doing!r} was not set up within handlers_s = {self._limit_s:g} s: {where}",
                "".join(stack.format())[-TRACE_CHARS_MAX:],
            )
