"""What campaigns on a cluster share: a folder, NATS servers, a simulated exchange with its ledger, hosts.

A *host* is a supervisor with all its processes: a node, or an engine. `kill` ends every process of it with SIGKILL.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from foxtrot_supervisor.chaos.harness.bound import bound
from foxtrot_supervisor.chaos.harness.exchange import ExchangeProcess
from foxtrot_supervisor.chaos.harness.orphans import Orphans, become_subreaper, take_orphans
from foxtrot_supervisor.chaos.harness.recorder import handlers_module
from foxtrot_supervisor.chaos.harness.supervised_run import PROGRAM, Trouble
from foxtrot_supervisor.chaos.rules.delivery_judge import DeliveryAccount, account_for
from foxtrot_supervisor.chaos.rules.venues import Venue
from foxtrot_supervisor.system import procfs

__all__ = ["ClusterGround", "Host", "NatsProcess", "free_port", "nats_program"]

START_S = 60.0
"""Longest start of a server or a host on a busy machine."""

STOP_S = 40.0

POLL_S = 0.01

QUIET_S = 0.5
"""An engine that handles nothing for so long after the end of all nodes has everything."""

_PORTS = (20_000, 30_000)


def nats_program() -> str | None:
    """Return the path of a nats-server, that of the environment first; None if there is none."""
    here = Path(sys.executable).parent
    return shutil.which("nats-server", path=f"{here}{os.pathsep}{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")


class NatsProcess:
    """One nats-server with JetStream, on a port of its own that it keeps over `kill` and `start`."""

    def __init__(self, folder: Path, program: str, *, name: str = "n0", cluster: Mapping[str, int] = {}) -> None:
        """`cluster`: ports of the routes of all servers by name; none: it stands alone."""
        self.port = free_port()
        self._log = folder / f"{name}.log"
        store = folder / name
        lines = [
            f'server_name: "{name}"',
            f'listen: "127.0.0.1:{self.port}"',
            f'jetstream {{ store_dir: "{store}", max_memory_store: 512M, max_file_store: 8G }}',
        ]
        if cluster:
            routes = ", ".join(f'"nats://127.0.0.1:{port}"' for other, port in cluster.items() if other != name)
            # not advertised: a node that is cut off must not learn of a way around its proxy
            listen = f'listen: "127.0.0.1:{cluster[name]}", no_advertise: true'
            lines.append(f"cluster {{ name: foxtrot, {listen}, routes: [{routes}] }}")
        config = folder / f"{name}.conf"
        config.write_text("\n".join(lines) + "\n")
        self._command = bound([program, "-c", str(config)])
        self._process: subprocess.Popen[bytes] | None = None
        self.start(wait=not cluster)

    @property
    def url(self) -> str:
        """Address of clients."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self, *, wait: bool = True) -> None:
        """Start it; raises `Trouble`."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, start_new_session=True)
        ExchangeProcess.pids.add(self._process.pid)
        if wait:
            self.wait()

    def wait(self) -> None:
        """Wait until it answers; raises `Trouble`."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0) as connection:
                if connection.recv(4).startswith(b"INFO"):
                    return
            time.sleep(POLL_S)
        raise Trouble(f"nats-server does not start: {self._log}")

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            ExchangeProcess.pids.discard(self._process.pid)
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self, *, paused: bool) -> None:
        """SIGSTOP and SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)


class Host:
    """One supervisor with all its processes."""

    def __init__(self, folder: Path, name: str, command: Sequence[str]) -> None:
        """`command`: without the program; gets ``--run-dir`` and the log's format."""
        self.name = name
        self.run_dir = folder / f"run-{name}"
        self.log = folder / f"{name}.log"
        self.command = [*PROGRAM, *command, "--run-dir", str(self.run_dir), "--log-format", "json"]
        self._folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it; it need not be dead before."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                bound(self.command), cwd=self._folder, stdout=log, stderr=log, start_new_session=True
            )

    def suspend(self) -> set[int]:
        """SIGSTOP to every process of it, whose connections stay open as if the machine had lost its power."""
        assert self.process is not None
        pids: set[int] = set()
        while found := {facts.pid for facts in procfs.with_descendants([self.process.pid])} - pids:
            pids |= found
            _signal_all(found, signal.SIGSTOP)
        return pids

    def kill(self) -> int:
        """SIGKILL to every process of it, none of which sees the death of another; returns how many there were."""
        assert self.process is not None
        pids = self.suspend()
        _signal_all(pids, signal.SIGKILL)
        self.process.wait()
        for pid in pids - {self.process.pid}:  # this process adopts orphans: `become_subreaper`
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        return len(pids)

    def terminate(self) -> None:
        """SIGTERM, unless it has ended."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def stop(self) -> int:
        """SIGTERM; returns the exit code. Raises `Trouble`."""
        self.terminate()
        return self.wait()

    def wait(self) -> int:
        """Wait for its end after `terminate`; returns the exit code. Raises `Trouble`."""
        if self.process is None:
            return 0
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Trouble(f"{self.name} does not end: {self.log}") from None

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines with this event so far."""
        lines = self.log.read_bytes().splitlines() if self.log.exists() else []
        found = []
        for line in lines:
            with contextlib.suppress(msgspec.DecodeError):
                each = msgspec.json.decode(line)
                if isinstance(each, dict) and each.get("event") == event:
                    found.append(each)
        return found


class ClusterGround:
    """Use it as a context manager."""

    def __init__(self, program: str, venue: Venue, symbols: Sequence[str], *, rate: float, seed: int, servers: int = 1):
        """Start NATS servers and the exchange; raises `Trouble`."""
        become_subreaper()
        self.folder = Path(tempfile.mkdtemp(prefix="foxtrot-cluster-"))
        self.venue = venue
        self.symbols = list(symbols)
        self.hosts: list[Host] = []
        self.nats: list[NatsProcess] = []
        self.rows = self.folder / "handled"
        (self.folder / "chaos_handlers.py").write_text(handlers_module(str(self.rows)), encoding="utf-8")
        self._ledger = self.folder / "ledger.jsonl"
        self._kept = False
        try:
            routes = {f"n{number}": free_port() for number in range(servers)} if servers > 1 else {}
            for name in routes or ["n0"]:
                self.nats.append(NatsProcess(self.folder, program, name=name, cluster=routes))
            for server in self.nats:
                server.wait()
            options = ["--exchange", venue.exchange, "--symbols", ",".join(symbols), "--rate", f"{rate}"]
            options += ["--seed", f"{seed}", "--history", "200000", "--ledger", str(self._ledger)]
            self.exchange = ExchangeProcess(self.folder, options)
        except BaseException:
            self.close()
            raise

    def host(self, name: str, command: Sequence[str]) -> Host:
        """Start a host."""
        host = Host(self.folder, name, command)
        self.hosts.append(host)
        return host

    def engine(self, name: str, *, engine: str = "main", config: Path | None = None) -> Host:
        """Start an engine whose handlers write down what they are given."""
        servers = ["--cluster", ",".join(server.url for server in self.nats)]
        options = ["-c", str(config)] if config is not None else []
        return self.host(name, ["engine", *servers, *options, "--name", engine, "--handlers", "chaos_handlers:setup"])

    def handled(self) -> int:
        """Bytes of rows written down so far."""
        return self.rows.stat().st_size if self.rows.exists() else 0

    def wait_for_rows(self, bytes_more: int = 1, limit_s: float = START_S) -> float:
        """Wait until handlers are given something more; returns the seconds that took. Raises `Trouble`."""
        before, began = self.handled(), time.monotonic()
        while self.handled() < before + bytes_more:
            if time.monotonic() - began > limit_s:
                raise Trouble(f"handlers are given nothing within {limit_s:g} s: see {self.keep()}")
            time.sleep(POLL_S)
        return time.monotonic() - began

    def settle(self, nodes: Iterable[Host], engine: Host) -> None:
        """Stop nodes in order, then the engine when it has handled what they have published. Raises `Trouble`."""
        living = [host for host in nodes if host.process is not None and host.process.poll() is None]
        for host in living:  # all at once: one after the other, each would take over what the one before has released
            host.terminate()
        for host in living:
            if (code := host.wait()) != 0:
                raise Trouble(f"{host.name} ended with exit code {code}: {host.log}")
        before = -1
        while self.handled() != before:
            before = self.handled()
            time.sleep(QUIET_S)
        if engine.stop() != 0:
            raise Trouble(f"the engine's host did not end in order: {engine.log}")

    def faults(self) -> list[str]:
        """Return what the logs of hosts hold that never should be in them, as text for people."""
        return [
            f"{host.name} has logged {event}: {host.logged(event)[0]}"
            for host in self.hosts
            for event in ("account_violated", "fence_missing", "internal_error", "parcel_malformed")
            if host.logged(event)
        ]

    def account(self, *, twins: bool) -> DeliveryAccount:
        """End the exchange; compare its ledger with what handlers were given."""
        return account_for(self.rows.read_bytes(), self._ended_ledger(), self.venue, twins=twins)

    def _ended_ledger(self) -> Iterator[dict[str, Any]]:
        self.exchange.close()
        with self._ledger.open("rb") as rows:
            for row in rows:
                yield msgspec.json.decode(row)

    def take_orphans(self, limit_s: float) -> Orphans:
        """Return the processes still below this one, killed and reaped."""
        return take_orphans(limit_s, ExchangeProcess.pids)

    def keep(self) -> Path:
        """Keep the folder with its logs after `close`; return its path."""
        self._kept = True
        return self.folder

    def close(self) -> None:
        """End everything; remove the folder unless `keep` was called."""
        for host in self.hosts:
            if host.process is not None and host.process.poll() is None:
                host.kill()
        for server in self.nats:
            server.kill()
        if hasattr(self, "exchange"):
            self.exchange.close()
        become_subreaper(wanted=False)  # a test's process lives on, and would keep the zombies of later runs
        if not self._kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> ClusterGround:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.keep()
        self.close()


def _signal_all(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def free_port() -> int:
    """Return a free port below those that Linux hands out: while a server is down, no client takes its port."""
    dice = random.Random()
    for _ in range(1000):
        number = dice.randrange(*_PORTS)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", number))
            return number
    raise Trouble("no free port")
