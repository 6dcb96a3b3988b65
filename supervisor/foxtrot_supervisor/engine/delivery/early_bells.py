"""The engine's end of early bells: the kernel rings them when the exchange of a worker sends something.

A worker passes the descriptor of an epoll that watches its exchange's socket (`foxtrot_workers.feed.early_bell`). So
the engine wakes while the worker does, asks for a batch again and again for a moment, and sleeps again if none comes.
Nothing depends on a bell: what is committed becomes known as without one.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Hashable, Iterable, Sequence

from msgspec import Struct

from foxtrot_supervisor.engine.bus.event import Poller
from foxtrot_supervisor.engine.delivery.bell_habit import BellHabit, expected_s
from foxtrot_supervisor.engine.delivery.sources import WORKERS_MAX

__all__ = ["BELLS_MAX", "PASSED_BYTES", "EarlyBells", "passed_descriptor"]

BELLS_MAX = WORKERS_MAX
"""Most bells at a time; further ones are not heard."""

PASSED_BYTES = socket.CMSG_SPACE(struct.calcsize("=i"))
"""Room for one passed descriptor, or two by alignment; the kernel closes what has no room."""


class _Bell(Struct, eq=False):
    """A descriptor of ours, and what has followed its rings."""

    key: Hashable
    descriptor: int
    habit: BellHabit


def passed_descriptor(ancillary: Iterable[tuple[int, int, bytes]]) -> int | None:
    """Return the first descriptor that came with a message, None without one; the caller owns it. Closes others."""
    passed: list[int] = []
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            passed += (number for (number,) in struct.iter_unpack("=i", data[: len(data) & -4]))
    for descriptor in passed[1:]:
        os.close(descriptor)
    return passed[0] if passed else None


class EarlyBells:
    """All bells of one engine; used on its dispatch thread (`event.EarlyNotice`)."""

    def __init__(self) -> None:
        self.rung_total = 0
        """Times that the engine woke because a bell rang."""
        self.vain_total = 0
        """Of these, times that nothing followed in the time that was expected (`bell_habit.expected_s`)."""
        self._bells: dict[Hashable, _Bell] = {}
        self._by_descriptor: dict[int, _Bell] = {}
        self._muted: set[Hashable] = set()
        self._rung_at = 0.0
        self._rung: Sequence[tuple[int, int]] = ()
        self._poller: Poller | None = None

    def __len__(self) -> int:
        return len(self._bells)

    def join(self, poller: Poller) -> None:
        self.leave()
        self._poller = poller
        for bell in self._bells.values():
            if bell.habit.muted_until is None:
                self._register(bell)

    def leave(self) -> None:
        for bell in self._bells.values():
            self._unregister(bell)
        self._poller = None

    def put(self, key: Hashable, descriptor: int) -> None:
        """Hear the bell `descriptor` of `key`, in place of its last one; the descriptor is ours from now on."""
        self.drop(key)
        if len(self._bells) >= BELLS_MAX:
            os.close(descriptor)
            return
        self._bells[key] = self._by_descriptor[descriptor] = bell = _Bell(key, descriptor, BellHabit())
        self._register(bell)

    def drop(self, key: Hashable) -> None:
        """Forget the bell of `key`, if it has one."""
        bell = self._bells.pop(key, None)
        if bell is None:
            return
        del self._by_descriptor[bell.descriptor]
        self._muted.discard(key)
        self._unregister(bell)
        os.close(bell.descriptor)

    def owners(self) -> list[Hashable]:
        """Return whose bells are heard."""
        return list(self._bells)

    def is_all(self, found: Sequence[tuple[int, int]]) -> bool:
        bells = self._by_descriptor
        for descriptor, _ in found:  # noqa: SIM110 - a generator costs more than everything else here
            if descriptor not in bells:
                return False
        return True

    def rung(self, found: Sequence[tuple[int, int]]) -> float:
        self._rung = found
        self.rung_total += 1
        now = time.monotonic()
        since_s, self._rung_at = now - self._rung_at, now
        return expected_s(since_s)

    def followed(self, came: bool) -> None:
        if not came:
            self.vain_total += 1
        now = time.monotonic()
        for descriptor, _ in self._rung:
            bell = self._by_descriptor.get(descriptor)
            if bell is not None and bell.habit.followed(came, now):
                self._unregister(bell)
                self._muted.add(bell.key)

    def look(self, now: float) -> None:
        """Hear those again that were muted for long enough; `now` in monotonic seconds."""
        for key in [key for key in self._muted if self._bells[key].habit.due(now)]:
            self._muted.discard(key)
            self._register(self._bells[key])

    def close(self) -> None:
        """Close all descriptors."""
        for bell in self._bells.values():
            os.close(bell.descriptor)
        self._bells.clear()
        self._by_descriptor.clear()
        self._muted.clear()

    def _register(self, bell: _Bell) -> None:
        if self._poller is not None:
            with contextlib.suppress(OSError, ValueError):  # a file that cannot be waited on; a poller that is closed
                # edge-triggered: one wake-up each time, also while the worker has not read what came
                self._poller.register(bell.descriptor, select.EPOLLIN | select.EPOLLET)

    def _unregister(self, bell: _Bell) -> None:
        if self._poller is not None:
            with contextlib.suppress(OSError, ValueError):  # it is muted; the poller is closed
                self._poller.unregister(bell.descriptor)
