"""One real worker process between a simulated exchange and a test that plays supervisor and engine."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog
import zmq

from foxtrot_protocol import endpoints
from foxtrot_protocol.codec import batch_decoder, decode_from_child, encode_control
from foxtrot_protocol.commands import BudgetAsk, BudgetGrant, Failed, FromChild, Heartbeat, Ready, Stop, ToChild
from foxtrot_protocol.framing import Batch
from foxtrot_protocol.ring_layout import RingFigures
from foxtrot_protocol.spec import ChildSpec, FeedSettings, encode_spec
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.delivery.receiver import EventReceiver
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from tests.support.waiting import wait_until_async

__all__ = ["WorkerRig"]

RING: dict[str, Any] = {"client": "picows", "ring_bytes": 4 * 2**20, "full_wait_s": 5.0}
"""What a worker is given where a test does not say otherwise."""

LIMIT_S = 15.0

_CODE = "import sys; from foxtrot_workers.{boot} import run; run(bytes.fromhex(sys.argv[1]))"

M = TypeVar("M")


class WorkerRig:
    """Starts one worker; collects what it says (`heard`) and the batches it sends (`batches`)."""

    def __init__(
        self, folder: Path, *, name: str = "test.a", read_data: bool = True, boot: str = "child.boot", raw: bool = False
    ) -> None:
        """`boot`: the module in foxtrot_workers that the worker begins with.

        `raw`: `batches` are those that the worker committed; else those of which an engine applied something.
        """
        self._code = _CODE.format(boot=boot)
        self.folder = folder
        self.name = name
        self.heard: list[FromChild] = []
        self.batches: list[Batch[str]] = []
        self.read_data = read_data
        self.raw = raw
        self._ring: RingReader | None = None
        self.grant: Callable[[BudgetAsk], BudgetGrant | None] = lambda ask: BudgetGrant(ask.request_id, 0.0)
        """What the worker is answered when it asks for its share of a budget; None: nothing."""
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.bind(endpoints.child_control_endpoint(str(folder)))
        self._decoder = batch_decoder("text")
        self.engine = EventEngine()
        self.receiver = EventReceiver(
            endpoints.data_endpoint(str(folder)),
            "text",
            self.engine,
            structlog.get_logger(),
            lambda data: self.batches.append(self._decoder.decode(data)),
            run_dir=str(folder),
            on_drained=lambda ring, path: self.drained.append(ring),
        )
        self.drained: list[RingFigures] = []
        self._listening = asyncio.create_task(self._listen())
        self.process: asyncio.subprocess.Process | None = None
        self._stderr: asyncio.Task[bytes] | None = None

    async def start(
        self, url: str, rest_url: str | None = None, *, exchange: str = "sim", heartbeat_s: float = 0.1, **settings: Any
    ) -> None:
        """Start the worker; `settings` complete its FeedSettings."""
        values: dict[str, Any] = {"channels": ["trade", "quote", "book"], "symbols": ["BTCUSDT"], **RING, **settings}
        feed = FeedSettings(
            connection="test",
            side="a",
            exchange=exchange,
            data_endpoint=endpoints.data_endpoint(str(self.folder)),
            url=url,
            rest_url=rest_url if rest_url is not None else url.replace("ws", "http", 1),
            **values,
        )
        spec = ChildSpec(
            name=self.name,
            kind="connection",
            target="foxtrot_workers.feed.worker:run",
            incarnation=1,
            run_id="test",
            run_dir=str(self.folder),
            parent_pid=os.getpid(),
            control_endpoint=endpoints.child_control_endpoint(str(self.folder)),
            heartbeat_s=heartbeat_s,
            log_level="info",
            log_format="json",
            settings=msgspec.msgpack.encode(feed),
        )
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", self._code, encode_spec(spec).hex(), stderr=asyncio.subprocess.PIPE
        )
        assert self.process.stderr is not None
        self._stderr = asyncio.create_task(self.process.stderr.read())

    def said(self, kind: type[M]) -> list[M]:
        """Everything of this kind that the worker said."""
        return [message for message in self.heard if isinstance(message, kind)]

    def events(self, kind: type[M]) -> list[M]:
        """Every event of this kind, in order."""
        return [event for batch in self.batches for event in batch.events if isinstance(event, kind)]

    async def wait_for(self, kind: type[M], count: int = 1) -> Sequence[M]:
        """Wait until the worker has said this `count` times."""
        await wait_until_async(lambda: len(self.said(kind)) >= count, LIMIT_S, f"{count} {kind.__name__}")
        return self.said(kind)

    async def wait_for_events(self, kind: type[M], count: int = 1) -> Sequence[M]:
        """Wait until `count` events of this kind have come."""
        await wait_until_async(lambda: len(self.events(kind)) >= count, LIMIT_S, f"{count} {kind.__name__}")
        return self.events(kind)

    async def ready(self) -> None:
        """Wait until the worker is ready and has sent a heartbeat."""
        await self.wait_for(Ready)
        await self.wait_for(Heartbeat)

    def heartbeat(self) -> Heartbeat:
        """The last heartbeat."""
        return self.said(Heartbeat)[-1]

    async def wait_for_next_heartbeat(self) -> None:
        """Wait until the worker has said one more."""
        count = len(self.said(Heartbeat))
        await wait_until_async(lambda: len(self.said(Heartbeat)) > count, LIMIT_S, "a heartbeat")

    def send(self, command: ToChild) -> None:
        """Tell the worker something."""
        self._router.send_multipart([f"{self.name}#1".encode(), encode_control(command)])

    async def stop(self, grace_s: float = 5.0) -> int:
        """Ask the worker to stop; returns its exit code."""
        self.send(Stop(grace_s))
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the worker's end; returns its exit code, after everything it sent was read."""
        assert self.process is not None
        code = await asyncio.wait_for(self.process.wait(), LIMIT_S)
        quiet = 0
        while quiet < 10:
            before = len(self.batches), len(self.heard)
            await asyncio.sleep(0.01)
            quiet = quiet + 1 if before == (len(self.batches), len(self.heard)) else 0
        return code

    async def log(self) -> str:
        """What the worker wrote to stderr, once it has ended."""
        assert self._stderr is not None
        return (await self._stderr).decode()

    def causes(self) -> list[str]:
        """Why the worker said it would exit."""
        return [failed.cause for failed in self.said(Failed)]

    async def close(self) -> None:
        """Kill what runs, close what is open."""
        if self.process is not None:
            if self.process.returncode is None:
                self.process.kill()
            await self.process.wait()
        if self._stderr is not None:
            await self._stderr
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        self._router.close(linger=0)
        self.receiver.close()
        if self._ring is not None:
            self._ring.close()
        self._context.term()

    async def _listen(self) -> None:
        while True:
            while self._router.poll(0):
                message = decode_from_child(self._router.recv_multipart()[1])
                self.heard.append(message)
                answer = self.grant(message) if isinstance(message, BudgetAsk) else None
                if answer is not None:
                    self.send(answer)
            more = self.read_data and (self._read_ring() if self.raw else self.receiver.pump())
            await asyncio.sleep(0 if more else 0.002)

    def _read_ring(self) -> bool:
        """The next batch as the worker committed it; False if there is none."""
        if self._ring is None:
            self._ring = RingReader.open(str(self.folder), self.name, 1)
        record = None if self._ring is None else self._ring.next()
        if self._ring is None or record is None:
            return False
        self.batches.append(self._decoder.decode(record.data))
        self._ring.consume_to(record.end)
        return True
