"""Template processes: children that fork workers and engines faster than they could be spawned."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
from collections.abc import Callable, Mapping

from foxtrot_protocol import endpoints
from foxtrot_protocol.codec import decode_from_child
from foxtrot_protocol.commands import Heartbeat
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.nursery_wire import HELLO, READY
from foxtrot_supervisor.core.inputs import HeartbeatReceived, HelloReceived, Input, ReadyReceived
from foxtrot_supervisor.core.records import ChildRecord
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.processes.nursery_link import NurseryFailed, NurseryLink
from foxtrot_supervisor.runtime.processes.processes import Child, Processes, StartFailed
from foxtrot_supervisor.runtime.timers import Timers

__all__ = ["Nurseries"]


class Nurseries:
    """The links to all template processes, by the name of the child that each is.

    Args:
        run_dir: where each link's socket stands.
        processes: adopts what a template process has forked.
        records: the core's records by name.
        put: takes inputs for the core.
        heard: gets each heartbeat, by the name of the template process.
        rejected: gets the reason why a message was rejected.
        sweep: kills and reaps strays.
        heartbeat_s: seconds between two pings.
        timers: for pings.
        log: gets ``nursery_failed``.
    """

    def __init__(
        self,
        run_dir: str,
        processes: Processes,
        records: Mapping[str, ChildRecord],
        *,
        put: Callable[[Input], None],
        heard: Callable[[str, Heartbeat], None],
        rejected: Callable[[str], None],
        sweep: Callable[[], None],
        heartbeat_s: Callable[[], float],
        timers: Timers,
        log: Log,
    ) -> None:
        self._run_dir = run_dir
        self._processes = processes
        self._records = records
        self._put = put
        self._heard = heard
        self._rejected = rejected
        self._sweep = sweep
        self._heartbeat_s = heartbeat_s
        self._timers = timers
        self._log = log
        self._links: dict[str, NurseryLink] = {}

    def __contains__(self, name: str) -> bool:
        """Whether there is a link for the template process `name`."""
        return name in self._links

    def listen(self, name: str) -> None:
        """Wait for the template process `name` to connect. Raises OSError."""
        if name not in self._links:
            path = endpoints.nursery_path(self._run_dir, name)
            loop = asyncio.get_running_loop()
            self._links[name] = NurseryLink(loop, path, functools.partial(self._on_message, name))

    def started(self, name: str, pid: int) -> None:
        """The template process `name` has been spawned as process `pid`: let only that one connect, and ping it."""
        self._links[name].expect(pid)
        self._ping_later()

    def fork_child(self, nursery: str | None, name: str, incarnation: int, spec: bytes) -> Child | None:
        """Fork a child from the template process `nursery`.

        Returns:
            The child; None if there is no such template process, or if it cannot fork now: then the child has to be
            spawned.
        """
        link = self._links.get(nursery) if nursery is not None else None
        if link is None or nursery is None or not link.ready:
            return None
        try:
            return self._processes.adopt(name, incarnation, link.fork_child(spec))
        except (NurseryFailed, StartFailed) as failure:
            self._log.warning("nursery_failed", worker=name, reason=failure.reason)
            if not isinstance(failure, NurseryFailed) or not failure.alive:
                self._kill(nursery)
            return None

    def quit(self, name: str) -> None:
        """Ask the template process `name` to end."""
        self._links[name].quit()

    def sockets(self) -> dict[str, Callable[[], None]]:
        """Return for each socket's file name what makes the socket again."""
        return {
            os.path.basename(endpoints.nursery_path(self._run_dir, name)): link.bind
            for name, link in self._links.items()
        }

    def close(self) -> None:
        """Close all links."""
        for link in self._links.values():
            link.close()

    def _kill(self, name: str) -> None:
        # it does not answer: a child that it may have forked unseen must not live beside the spawned one
        for child in self._processes.living():
            if child.name == name:
                self._processes.signal(child, signal.SIGKILL)
        self._sweep()

    def _ping_later(self) -> None:
        self._timers.call_later("nursery", self._heartbeat_s(), self._ping)

    def _ping(self) -> None:
        for link in self._links.values():
            link.ping()
        self._ping_later()

    def _on_message(self, name: str, kind: bytes, payload: bytes) -> None:
        record = self._records.get(name)
        if record is None:
            return
        if kind == HELLO:
            self._put(HelloReceived(name, record.incarnation))
        elif kind == READY:
            self._put(ReadyReceived(name, record.incarnation))
        else:
            self._take_heartbeat(name, payload)

    def _take_heartbeat(self, name: str, payload: bytes) -> None:
        try:
            heartbeat = decode_from_child(payload)
        except MalformedMessage as error:
            self._rejected(f"{name}: {error.reason}")
            return
        if isinstance(heartbeat, Heartbeat):
            self._heard(name, heartbeat)
            self._put(HeartbeatReceived(name, heartbeat.incarnation))
