"""Kill this worker between two given steps of its work: for fault tests, called by `chaos.boot` only.

A signal from outside arrives anywhere; the places where something could be lost are a few instructions wide. So the
worker sends itself a real SIGKILL in the middle of the real code, of which one step is wrapped. In a worker without
a plan nothing is wrapped.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any, NoReturn

from foxtrot_protocol.chaos import ARMED_POINTS, KillPoint

__all__ = ["HANDSHAKE_S", "Trap", "die", "set_up"]

HANDSHAKE_S = 0.002
"""From the start of the connect to the kill: the exchange has just received the request, or not quite."""


def die() -> NoReturn:
    """Send SIGKILL to this process."""
    while True:
        os.kill(os.getpid(), signal.SIGKILL)


class Trap:
    """Counts how often a place is passed, once it is armed."""

    def __init__(self, passes: int, *, armed: bool = False) -> None:
        self._left = passes
        self._armed = armed

    def arm(self) -> None:
        """Count passes from now on."""
        self._armed = True

    def passed(self) -> None:
        """Note that the place is passed; does not return if the count is reached."""
        if not self._armed:
            return
        if self._left <= 0:
            die()
        self._left -= 1


def set_up(point: KillPoint, passes: int) -> Trap:
    """Wrap the step at `point`, in this process, before its worker is made."""
    trap = Trap(passes) if point in ARMED_POINTS else Trap(0, armed=True)
    if point == "handshake":
        _in_the_handshake(trap)
    elif point == "parse":
        _after_a_frame(trap)
    elif point in ("record", "mark"):
        _around_the_mark(trap, before=point == "record")
    elif point in ("send", "drain"):
        _before_sending(trap, point)
    return trap


def _in_the_handshake(trap: Trap) -> None:
    from foxtrot_workers.feed import worker as feed_worker
    from foxtrot_workers.websocket import client as connection

    make_client = connection.make_client

    def make(*arguments: Any) -> connection.Client:
        client = make_client(*arguments)
        connect = client.connect

        async def connect_and_die() -> None:
            connecting = asyncio.ensure_future(connect())
            await asyncio.wait({connecting}, timeout=HANDSHAKE_S)
            trap.passed()

        client.connect = connect_and_die  # type: ignore[method-assign]  # of this client only
        return client

    feed_worker.make_client = make  # type: ignore[assignment, attr-defined]  # the name it is called by


def _after_a_frame(trap: Trap) -> None:
    from foxtrot_workers.adapter import catalog
    from foxtrot_workers.adapter.adapter import Adapter
    from foxtrot_workers.adapter.frame_kinds import FrameKinds

    adapter_class = catalog.adapter_class

    def wrapped_class(name: str) -> Any:
        class Trapped(adapter_class(name)):  # type: ignore[misc]  # any adapter class
            # templates would let one frame in a thousand pass `parse`: what is declared for them is thrown away
            @property
            def frame_kinds(self) -> FrameKinds:
                return FrameKinds()

            @frame_kinds.setter
            def frame_kinds(self, _: FrameKinds) -> None:
                pass

            parse_burst = Adapter.parse_burst  # leaves each frame to `parse`

            def parse(self, *arguments: Any) -> None:
                super().parse(*arguments)
                trap.passed()

        return Trapped

    catalog.adapter_class = wrapped_class


def _around_the_mark(trap: Trap, *, before: bool) -> None:
    from foxtrot_workers.feed import ring_writer

    pack_mark: Callable[..., None] = ring_writer._pack_mark

    def pack(*arguments: Any) -> None:
        if before:
            trap.passed()
        pack_mark(*arguments)
        if not before:
            trap.passed()

    ring_writer._pack_mark = pack


def _before_sending(trap: Trap, point: KillPoint) -> None:
    from foxtrot_workers.feed.batch_push import BatchPush
    from foxtrot_workers.feed.doorbell import Doorbell
    from foxtrot_workers.feed.event_sender import EventSender

    if point == "drain":
        _wrap(trap, EventSender, "drain")
    else:
        for carrier in (BatchPush, Doorbell):
            _wrap(trap, carrier, "committed")


def _wrap(trap: Trap, owner: type, name: str) -> None:
    step = getattr(owner, name)

    def wrapped(*arguments: Any) -> Any:
        trap.passed()
        return step(*arguments)

    setattr(owner, name, wrapped)
