"""Notifications to systemd (sd_notify); without effect where systemd has not started this process.

Protocol: sd_notify(3). Every message is one datagram of ``KEY=value`` lines to the socket named by
``NOTIFY_SOCKET``; a name that begins with @ is in the abstract namespace.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterable, Mapping

from foxtrot_supervisor.runtime import service_state

__all__ = ["STATUS_CHARACTERS_MAX", "Systemd"]

STATUS_CHARACTERS_MAX = 200


class Systemd:
    """The service manager named by `environ` (``NOTIFY_SOCKET``, ``WATCHDOG_USEC``, ``WATCHDOG_PID``)."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_s = _watchdog_s(environ) if self._address is not None else None
        """Longest time in seconds between two calls of `watchdog`; None: no watchdog is configured."""

    @property
    def present(self) -> bool:
        """Whether there is a service manager."""
        return self._address is not None

    def ready(self, status: str) -> None:
        """Notify that all essential parts serve."""
        self._notify("READY=1", _status(status))

    def status(self, text: str) -> None:
        """Send one line for ``systemctl status``."""
        self._notify(_status(text))

    def watchdog(self) -> None:
        """Notify that the control loop turns."""
        self._notify("WATCHDOG=1")

    def reloading(self) -> None:
        """Notify that a reload begins; `ready` ends it."""
        self._notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """Notify that the final stop has begun."""
        self._notify("STOPPING=1", _status(status))

    def extend_timeout(self, seconds: float) -> None:
        """Request `seconds` more from now: there was progress."""
        self._notify(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def tell(self, messages: Iterable[service_state.Message]) -> None:
        """Send what `ServiceState` has decided."""
        for message in messages:
            match message:
                case service_state.Ready():
                    self.ready(message.text)
                case service_state.Status():
                    self.status(message.text)
                case service_state.Reloading():
                    self.reloading()
                case service_state.Stopping():
                    self.stopping(message.text)
                case service_state.Extend():
                    self.extend_timeout(message.seconds)

    def _notify(self, *lines: str) -> None:
        if self._address is None:
            return
        # a manager that is gone or busy must not hold up supervision
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(), self._address)


def _address(text: str) -> bytes | None:
    if text.startswith("@"):
        return b"\0" + text[1:].encode()
    return text.encode() if text.startswith("/") else None


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1_000_000 if microseconds.isdecimal() and int(microseconds) > 0 else None


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())[:STATUS_CHARACTERS_MAX]
