"""One measured chain: load server, worker and engine as real processes, under a parent that only watches.

The parent plays the supervisor's part on the control plane (HELLO, READY, heartbeats, STOP) with the
supervisor's own parts (`process`, `child_link`), but decides nothing: what goes wrong ends the measurement.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

import msgspec
import zmq
from msgspec import Struct

from foxtrot_protocol import endpoints
from foxtrot_protocol.commands import (
    BudgetAsk,
    BudgetGrant,
    Failed,
    Fenced,
    FromChild,
    Heartbeat,
    Hello,
    Ready,
    Stop,
    WorkersStarted,
)
from foxtrot_protocol.spec import ChildKind, ChildSpec, encode_spec
from foxtrot_supervisor.bench.statistics import ChildTimes, Footprint
from foxtrot_supervisor.runtime.child_link import ChildLink
from foxtrot_supervisor.runtime.processes.processes import Child, Processes
from foxtrot_supervisor.runtime.processes.syscalls import ExitStatus

__all__ = ["BOOT", "BenchFailed", "Parent", "Record", "Report", "cpu_seconds", "footprint", "http_get"]

BOOT = "foxtrot_workers.child.boot:run"

START_LIMIT_S = 30.0
RUN_LIMIT_S = 60.0
"""A measurement that takes longer is not worth waiting for."""
STOP_GRACE_S = 5.0
STOP_LIMIT_S = 10.0

DATAGRAM_BYTES = 4096

T = TypeVar("T")


class BenchFailed(Exception):
    """The measurement could not be finished; says why."""


class Report(Struct, frozen=True):
    """What the counting handler says."""

    what: str
    elapsed_ns: int = 0


class Record:
    """One child, from its start to its end."""

    def __init__(self, child: Child, kind: ChildKind, started: float, loop: asyncio.AbstractEventLoop) -> None:
        self.child = child
        self.kind = kind
        self.started = started
        self.times = ChildTimes()
        self.info: dict[str, str] = {}
        self.heartbeat: Heartbeat | None = None
        self.failure = ""
        self.ready: asyncio.Future[None] = loop.create_future()
        self.exited: asyncio.Future[ExitStatus] = loop.create_future()


class Parent:
    """Starts, stops and measures children in `run_dir`; use as an async context manager."""

    def __init__(self, run_dir: str) -> None:
        self._run_dir = run_dir
        self._run_id = secrets.token_hex(16)
        self._loop = asyncio.get_running_loop()
        self._records: dict[tuple[str, int], Record] = {}
        self._incarnations = 0
        self._workers: dict[str, int] = {}
        """Latest incarnation of each worker: the engine reads the rings of no others."""
        self._reports: asyncio.Queue[Report] = asyncio.Queue()
        self.report_path = f"{run_dir}/report.sock"

    async def __aenter__(self) -> Parent:
        self._processes = Processes(self._loop, self._run_id, self._on_exit)
        self._zmq_context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._link = ChildLink(
            self._zmq_context,
            endpoints.child_control_endpoint(self._run_dir),
            self._on_message,
            self._expected_pid,
            lambda reason: None,
        )
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(self.report_path)
        self._loop.add_reader(self._socket, self._on_datagram)
        return self

    async def __aexit__(self, *_: object) -> None:
        for record in self._records.values():
            self._processes.signal(record.child, 9, whole_session=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_LIMIT_S):
                await asyncio.gather(*(record.exited for record in self._records.values()))
        self._processes.close()
        self._loop.remove_reader(self._socket)
        self._socket.close()
        os.unlink(self.report_path)
        self._link.close()
        self._zmq_context.term()

    # ---- children

    @contextlib.asynccontextmanager
    async def child(
        self, name: str, kind: ChildKind, target: str, settings: Struct, boot: str = BOOT
    ) -> AsyncIterator[Record]:
        """A child that has said READY; stopped, and waited for, at the end of the block."""
        self._incarnations += 1
        spec = ChildSpec(
            name=name,
            kind=kind,
            target=target,
            incarnation=self._incarnations,
            run_id=self._run_id,
            run_dir=self._run_dir,
            parent_pid=os.getpid(),
            control_endpoint=endpoints.child_control_endpoint(self._run_dir),
            heartbeat_s=1.0,
            log_level="error",
            log_format="json",
            settings=msgspec.msgpack.encode(settings),
        )
        if kind == "connection":
            self._workers[name] = spec.incarnation
            for key, each in self._records.items():
                if each.kind == "engine" and not each.exited.done():
                    self._link.send(*key, WorkersStarted({name: spec.incarnation}))
        started = time.monotonic()
        child = self._processes.start(name, spec.incarnation, boot, encode_spec(spec))
        record = self._records[name, spec.incarnation] = Record(child, kind, started, self._loop)
        await self._guarded(record.ready, START_LIMIT_S, f"{name} to start")
        yield record
        asked = time.monotonic()
        self._link.send(name, spec.incarnation, Stop(STOP_GRACE_S))
        status = await self._within(record.exited, STOP_LIMIT_S, f"{name} to stop")
        for other in [key for key, each in self._records.items() if kind == "connection" and not each.exited.done()]:
            self._link.send(*other, Fenced(name, spec.incarnation))  # its ring is drained
        record.times.stop_ms = (time.monotonic() - asked) * 1000
        if status.exit_code != 0:
            raise BenchFailed(f"{name} ended with {status}{record.failure}")

    async def report(self, what: str) -> Report:
        """The handler's next report, which must be a `what`."""
        report = await self._guarded(self._reports.get(), RUN_LIMIT_S, f"the handler's {what!r}")
        if report.what != what:
            raise BenchFailed(f"the handler reported {report.what!r} instead of {what!r}")
        return report

    async def guarded(self, awaitable: Awaitable[T], what: str) -> T:
        """`awaitable` within `RUN_LIMIT_S`, given up as soon as a child dies."""
        return await self._guarded(awaitable, RUN_LIMIT_S, what)

    async def _guarded(self, awaitable: Awaitable[T], limit_s: float, what: str) -> T:
        wanted = asyncio.ensure_future(awaitable)
        living = [record for record in self._records.values() if not record.exited.done()]
        awaited: set[asyncio.Future[Any]] = {wanted, *(record.exited for record in living)}
        done, _ = await asyncio.wait(awaited, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if wanted in done:
            return wanted.result()
        wanted.cancel()
        for record in living:
            if record.exited.done():
                raise BenchFailed(
                    f"{record.child.name} died ({record.exited.result()}{record.failure}) while waiting for {what}"
                )
        raise BenchFailed(f"waited {limit_s:g} s for {what}{self._accounts()}")

    async def _within(self, future: asyncio.Future[T], limit_s: float, what: str) -> T:
        try:
            async with asyncio.timeout(limit_s):
                return await future
        except TimeoutError:
            raise BenchFailed(f"waited {limit_s:g} s for {what}") from None

    def _accounts(self) -> str:
        """The last messages of the children, for the analysis of a failure."""
        lines = []
        for record in self._records.values():
            last = record.heartbeat
            if last is not None and not record.exited.done():
                lines.append(f"\n  {record.child.name}: {last.events_total} events, {last.rejected_total} rejected")
        return "".join(lines)

    # ---- callbacks

    def _on_exit(self, child: Child, status: ExitStatus) -> None:
        self._records[child.name, child.incarnation].exited.set_result(status)

    def _expected_pid(self, name: str, incarnation: int) -> int | None:
        record = self._records.get((name, incarnation))
        return record.child.pid if record is not None else None

    def _on_message(self, name: str, incarnation: int, message: FromChild) -> None:
        record = self._records[name, incarnation]
        since_start_ms = (time.monotonic() - record.started) * 1000
        if isinstance(message, Hello):
            record.times.hello_ms = since_start_ms
            if record.kind == "engine":
                self._link.send(name, incarnation, WorkersStarted(self._workers))
        elif isinstance(message, Ready):
            record.times.ready_ms = since_start_ms
            record.info = message.info
            if not record.ready.done():
                record.ready.set_result(None)
        elif isinstance(message, Heartbeat):
            record.heartbeat = message
        elif isinstance(message, BudgetAsk):
            self._link.send(name, incarnation, BudgetGrant(message.request_id, 0.0))
        elif isinstance(message, Failed):
            record.failure = f": {message.cause}"

    def _on_datagram(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._reports.put_nowait(msgspec.json.decode(self._socket.recv(DATAGRAM_BYTES), type=Report))


async def http_get(url: str, path: str) -> dict[str, Any]:
    """The JSON object at ``url + path`` (``http://host:port``); raises `BenchFailed` unless it is a 200."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        status = await reader.readline()
        length = 0
        while (line := await reader.readline()).strip():
            name, _, value = line.decode().partition(":")
            if name.lower() == "content-length":
                length = int(value)
        body = await reader.readexactly(length)
    finally:
        writer.close()
    if b" 200 " not in status:
        raise BenchFailed(f"{path}: {status.decode().strip()} {body.decode(errors='replace')}")
    answer: dict[str, Any] = json.loads(body)
    return answer


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of `pid` so far, in seconds."""
    with open(f"/proc/{pid}/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def footprint(pid: int) -> Footprint:
    """Memory of `pid` now."""
    figures = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        for line in rollup:
            name, _, value = line.partition(":")
            if name in ("Rss", "Pss"):
                figures[name] = int(value.split()[0]) * 1024
    return Footprint(figures["Rss"], figures["Pss"])
