"""Both ends of the transport of a cluster in this process: a landing with an engine that a test plays, a forwarder."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from foxtrot_protocol import endpoints
from foxtrot_protocol.codec import BatchEncoder, batch_decoder
from foxtrot_protocol.commands import Heartbeat, RemoteWorkers, Stop, ToChild, WorkersStarted
from foxtrot_protocol.events import Trade
from foxtrot_protocol.spec import ChildSpec
from foxtrot_supervisor.cluster import forwarder, landing
from foxtrot_supervisor.cluster.nats_client import Client
from foxtrot_supervisor.cluster.wire import Committed, Parcel, encode_parcel
from foxtrot_supervisor.cluster.wire_names import event_subject
from foxtrot_supervisor.config.cluster import ClusterConfig
from foxtrot_supervisor.core.cluster_settings import ForwarderSettings, LandingSettings
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader

__all__ = ["Forwarding", "Landed", "eventually", "publish"]

LIMIT_S = 30.0
"""Longest wait on a busy machine."""


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - rings have no events
            await asyncio.sleep(0.005)


class _Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def debug(self, event: str, /, **fields: Any) -> None:
        self.lines.append((event, fields))

    info = warning = error = debug


class _Context:
    """The part of a child's context that both ends use."""

    def __init__(self, run_dir: Path, settings: msgspec.Struct) -> None:
        run_dir.mkdir(mode=0o700)
        self.log = _Log()
        self.spec = ChildSpec(
            name="end", kind="service", target="", incarnation=1, run_id=run_dir.name, run_dir=str(run_dir),
            parent_pid=0, control_endpoint="", heartbeat_s=1.0, log_level="info", log_format="json",
            settings=msgspec.msgpack.encode(settings),
        )  # fmt: skip
        self.handler: Callable[[ToChild], None] = lambda _: None
        self.fill: Callable[[Heartbeat], Heartbeat] = lambda heartbeat: heartbeat
        self.sent: list[Any] = []
        self.is_ready = False

    def on_command(self, handler: Callable[[ToChild], None]) -> None:
        self.handler = handler

    def heartbeat_from(self, source: Callable[[Heartbeat], Heartbeat]) -> None:
        self.fill = source

    def ready(self, info: Any = None) -> None:
        self.is_ready = True

    def failed(self, cause: str, retry_after_s: float | None = None) -> None: ...

    def send(self, message: Any) -> None:
        self.sent.append(message)


class _End:
    def __init__(self, context: _Context, run: Callable[[Any], Awaitable[int]]) -> None:
        self.context = context
        self._running = asyncio.ensure_future(run(context))

    async def stop(self, grace_s: float = 5.0) -> None:
        """End it in order."""
        self.context.handler(Stop(grace_s))
        await self._running

    async def die(self) -> None:
        """End it as a host that dies: nothing more is written."""
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._running

    def counts(self) -> dict[str, float]:
        """The counts of its heartbeat."""
        return dict(self.context.fill(Heartbeat("end", 1, 0.0, 0, 0, 0, 0)).counts)


class Forwarding(_End):
    """A forwarder, whose rings the test writes."""

    def __init__(self, run_dir: Path, cluster: ClusterConfig) -> None:
        self.endpoint = endpoints.data_endpoint(str(run_dir), "ring")
        super().__init__(
            _Context(run_dir, ForwarderSettings(data_endpoint=self.endpoint, cluster=cluster)), forwarder.run
        )

    async def begin(self, worker: str) -> None:
        """Tell it that a worker was started."""
        await eventually(lambda: self.context.is_ready)
        self.context.handler(WorkersStarted({worker: 1}))


class Landed(_End):
    """A landing, and the engine beside it, which handles batches when the test says so."""

    def __init__(self, run_dir: Path, cluster: ClusterConfig, *, from_start: bool = True) -> None:
        self.run_dir = run_dir
        settings = LandingSettings(
            data_endpoint=endpoints.data_endpoint(str(run_dir), "ring"),
            cluster=cluster,
            engine="main",
            from_start=from_start,
        )
        super().__init__(_Context(run_dir, settings), landing.run)
        self._readers: dict[tuple[str, int], RingReader] = {}
        self.handled: list[tuple[str, int, bool]] = []
        """Worker, sequence, and whether its events were marked, of each batch given to handlers."""
        self.repeated: list[tuple[str, int]] = []
        """Batches of which only the decisions were repeated."""
        self.repeated_late = 0
        """Of these, those that came after batches for handlers."""
        self.data: list[bytes] = []

    @property
    def taken(self) -> bool:
        """Whether it has the engine."""
        return any(event == "engine_taken" for event, _ in self.context.log.lines)

    @property
    def unhandled(self) -> int:
        """Events in rings that are not handled."""
        self._open()
        count = 0
        for reader in self._readers.values():
            mark, done = reader.committed(), reader.applied()
            assert mark is not None
            assert done is not None
            count += mark.events - done.applied
        return count

    def _open(self) -> None:
        for message in self.context.sent:
            for key in message.started.items() if isinstance(message, RemoteWorkers) else ():
                if key not in self._readers:
                    reader = RingReader.open(str(self.run_dir), *key)
                    if reader is not None:
                        self._readers[key] = reader

    def handle(self, only: str = "") -> int:
        """Handle the batches in rings, or those of one worker only; returns how many."""
        self._open()
        count = 0
        for (worker, _), reader in self._readers.items():
            while only in ("", worker) and (record := reader.next()) is not None:
                done = reader.applied()
                assert done is not None
                if record.sequence <= done.sequence:
                    self.repeated.append((worker, record.sequence))
                    self.repeated_late += bool(self.handled)
                    reader.consume_to(record.end)
                    continue
                count += 1
                reader.begin(record.sequence)
                events = batch_decoder("text").decode(record.data).events
                self.handled.append((worker, record.sequence, all(event.redelivered for event in events)))
                self.data.append(record.data)
                reader.acknowledge(record.sequence, record.end, done.applied + record.events, 0, 0)
        return count

    async def handle_until(self, condition: Callable[[], bool]) -> None:
        """Handle everything that comes until the condition holds."""

        def handled() -> bool:
            self.handle()
            return condition()

        await eventually(handled)

    def close(self) -> None:
        """Unmap the rings."""
        for reader in self._readers.values():
            reader.close()


async def publish(client: Client, worker: str, first: int, count: int, *, events: int = 1) -> None:
    """Store batches of a worker in the stream, one a message."""
    js: Any = client.jetstream()
    encoder = BatchEncoder(worker, 1)
    connection = worker.partition(".")[0]
    for sequence in range(first, first + count):
        trades = [Trade("SIM", "BTC", 1, 2, "1.5", "2", "buy", f"{sequence}{n}") for n in range(events)]
        batch = Committed(sequence, events * (sequence - 1), events, encoder.encode(sequence, 9, trades))
        parcel = Parcel(
            run_id="r", worker=worker, incarnation=1, connection=connection, side="a", capacity=1 << 20, rules={},
            acknowledged=sequence - 1, batches=[batch],
        )  # fmt: skip
        await js.publish(event_subject(connection, "a", worker), encode_parcel(parcel))
