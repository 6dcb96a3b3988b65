"""Throughput and latency of the transport of a cluster: ring, forwarder, JetStream, landing, ring.

    scripts/bench_cluster.py [--seconds 10] [--servers 3] [--storage memory|file] [--replicas 1|3] [--rate N]

Starts its own nats-server processes. The sender appends batches of trades to a worker's ring, from which the forwarder
publishes; the receiver lands them in another ring, whose reader does no more than acknowledge. ``--rate``: so many
events a second, one a batch, for latencies; without it as many as pass, in batches of 256.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from foxtrot_protocol import endpoints
from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.commands import Heartbeat, RemoteWorkers, Stop, ToChild, WorkersStarted
from foxtrot_protocol.events import Trade
from foxtrot_protocol.ring_layout import ring_name
from foxtrot_protocol.spec import ChildSpec
from foxtrot_supervisor.chaos.harness.cluster_ground import NatsProcess, free_port, nats_program
from foxtrot_supervisor.cluster import forwarder, landing
from foxtrot_supervisor.config.cluster import ClusterConfig
from foxtrot_supervisor.core.cluster_settings import ForwarderSettings, LandingSettings
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_workers.feed.doorbell import Doorbell
from foxtrot_workers.feed.ring_writer import RingWriter

BATCH_EVENTS = 256
RING_BYTES = 32 * 1024 * 1024
WORKER = "bench.a"


class Log:
    """Prints warnings and errors."""

    def debug(self, event: str, /, **fields: Any) -> None: ...

    def info(self, event: str, /, **fields: Any) -> None: ...

    def warning(self, event: str, /, **fields: Any) -> None:
        print("warning", event, fields, file=sys.stderr)

    error = warning


class Context:
    """The part of a child's context that forwarder and landing use."""

    def __init__(self, run_dir: str, settings: msgspec.Struct) -> None:
        self.log = Log()
        self.spec = ChildSpec(
            name="landing", kind="service", target="", incarnation=1, run_id=Path(run_dir).name, run_dir=run_dir,
            parent_pid=0, control_endpoint="", heartbeat_s=1.0, log_level="info", log_format="json",
            settings=msgspec.msgpack.encode(settings),
        )  # fmt: skip
        self.handler: Any = None
        self.fill: Any = None
        self.sent: list[Any] = []

    def on_command(self, handler: Any) -> None:
        self.handler = handler

    def heartbeat_from(self, source: Any) -> None:
        self.fill = source

    def ready(self, info: Any = None) -> None: ...

    def failed(self, cause: str, retry_after_s: float | None = None) -> None: ...

    def send(self, message: Any) -> None:
        self.sent.append(message)

    def command(self, command: ToChild) -> None:
        self.handler(command)


def trades(count: int, first: int) -> list[Trade[str]]:
    """Return trades as the simulated exchange makes them."""
    now = time.time_ns()
    return [
        Trade("BINANCE", "BTCUSDT", now, now, "58114.25", "0.06826", "buy", str(36145715 + first + number))
        for number in range(count)
    ]


async def send(run_dir: str, cluster: ClusterConfig, seconds: float, rate: float) -> dict[str, float]:
    """Append batches for so many seconds; return the figures of the sender."""
    writer = RingWriter(
        run_dir, WORKER, 1, RING_BYTES, connection="bench", side="a", rules={"eMarketTrade.": "sequence"}
    )
    endpoint = endpoints.data_endpoint(run_dir, "ring")
    context = Context(run_dir, ForwarderSettings(data_endpoint=endpoint, cluster=cluster))
    running = asyncio.create_task(forwarder.run(context))  # type: ignore[arg-type]
    await asyncio.sleep(1.0)
    context.command(WorkersStarted({WORKER: 1}))
    bell = Doorbell(str(endpoints.doorbell_path(endpoint)), ring_name(WORKER, 1))
    size = 1 if rate else BATCH_EVENTS
    encoder = BatchEncoder(WORKER, 1, rules={"eMarketTrade.": "sequence"})
    batch = trades(size, 0)
    began, sequence = time.monotonic(), 0
    cpu = time.process_time()
    prepared = encoder.encode(1, 0, batch)
    while (elapsed := time.monotonic() - began) < seconds:
        if rate:
            while sequence < elapsed * rate:
                sequence += 1
                writer.append(sequence, size, encoder.encode(sequence, time.time_ns(), trades(1, sequence)))
                bell.committed(b"")
            await asyncio.sleep(0.001)
            continue
        for _ in range(16):  # the same bytes: the transport does not read them
            if not writer.append(sequence + 1, size, prepared):
                break
            sequence += 1
        await asyncio.sleep(0.0005 if writer.used_bytes > RING_BYTES // 2 else 0)
    while writer.used_bytes:  # noqa: ASYNC110 - the ring has no events
        await asyncio.sleep(0.001)
    spent = time.monotonic() - began
    figures = {"events": sequence * size, "seconds": spent, "cpu_s": time.process_time() - cpu}
    figures |= context.fill(Heartbeat("f", 1, 0.0, 0, 0, 0, 0)).counts
    context.command(Stop(1.0))
    await running
    bell.close()
    writer.close()
    return figures


async def receive(run_dir: str, cluster: ClusterConfig, rate: float) -> dict[str, float]:
    """Land and acknowledge until the standard input is closed; return the figures of the receiver."""
    endpoint = endpoints.data_endpoint(run_dir, "ring")
    context = Context(
        run_dir, LandingSettings(data_endpoint=endpoint, cluster=cluster, engine="bench", from_start=True)
    )
    running = asyncio.create_task(landing.run(context))  # type: ignore[arg-type]
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    latencies: list[int] = []
    events, reader, cpu = 0, None, time.process_time()
    first = last = 0.0
    while not ended.done():
        if reader is None:
            names = [each for message in context.sent if isinstance(message, RemoteWorkers) for each in message.started]
            reader = RingReader.open(run_dir, names[-1], 1) if names else None
        while reader is not None and (record := reader.next()) is not None:
            now = time.time_ns()
            last = time.monotonic()
            first = first or last
            events += record.events
            if rate:
                latencies.append(now - publish_ns(record.data))
            reader.acknowledge(record.sequence, record.end, events, 0, 0)
        await asyncio.sleep(0)
    figures: dict[str, float] = {"events": events, "seconds": last - first, "cpu_s": time.process_time() - cpu}
    if latencies:
        latencies = sorted(latencies[len(latencies) // 10 :])
        figures["p50_us"] = latencies[len(latencies) // 2] / 1000
        figures["p99_us"] = latencies[len(latencies) * 99 // 100] / 1000
    context.command(Stop(3.0))
    await running
    return figures


_header = msgspec.msgpack.Decoder(list[Any]).decode


def publish_ns(data: bytes) -> int:
    """Return the time at which a batch was made."""
    return int(_header(data)[4])


def main() -> None:
    """Start servers, sender and receiver; print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--servers", type=int, default=1)
    parser.add_argument("--storage", choices=["memory", "file"], default="memory")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--role", choices=["send", "receive"])
    parser.add_argument("--urls")
    parser.add_argument("--folder")
    given = parser.parse_args()
    if given.role:
        cluster = ClusterConfig(
            servers=given.urls.split(","), storage=given.storage, replicas=given.replicas, events_max_mib=448
        )
        work = (
            send(given.folder, cluster, given.seconds, given.rate)
            if given.role == "send"
            else receive(given.folder, cluster, given.rate)
        )
        print(json.dumps(asyncio.run(work)))
        return
    program = nats_program()
    if program is None:
        raise SystemExit("needs nats-server")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        routes = {f"n{number}": free_port() for number in range(given.servers)} if given.servers > 1 else {}
        servers = [NatsProcess(folder, program, name=each, cluster=routes) for each in routes or ["n0"]]
        try:
            for server in servers:
                server.wait()
            time.sleep(3.0 if routes else 0.0)  # the servers choose a leader
            common = [
                sys.executable, __file__, "--storage", given.storage, "--replicas", str(given.replicas), "--rate",
                str(given.rate), "--seconds", str(given.seconds), "--urls", ",".join(each.url for each in servers),
            ]  # fmt: skip
            for role in ("send", "receive"):
                (folder / role).mkdir(mode=0o700)
            receiver = subprocess.Popen(
                [*common, "--role", "receive", "--folder", str(folder / "receive")],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            time.sleep(3.0)
            sent = json.loads(
                subprocess.run(
                    [*common, "--role", "send", "--folder", str(folder / "send")], check=True, stdout=subprocess.PIPE
                ).stdout
            )
            time.sleep(2.0)
            received = json.loads(receiver.communicate()[0])
        finally:
            for server in servers:
                server.kill()
    rate = received["events"] / received["seconds"] if received["seconds"] else 0.0
    print(json.dumps({"events_per_s": round(rate), "sent": sent, "received": received}, indent=1))


if __name__ == "__main__":
    main()
