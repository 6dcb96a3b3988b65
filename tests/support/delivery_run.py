"""A real supervisor with real workers on a simulated exchange, and a handler that writes down every trade it gets.

The handler writes with one system call an event, so that what it had is known though its process be SIGKILLed.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from foxtrot_protocol.endpoints import Transport
from foxtrot_supervisor.config.schema import ConnectionConfig, EngineConfig, FoxtrotConfig, RingConfig, SinkConfig
from foxtrot_supervisor.core.targets import Targets
from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.support.supervisor_process import SupervisorProcess, quick
from tests.support.waiting import wait_until

__all__ = ["DeliveryRun", "Handled"]

LIMIT_S = 20.0

_HANDLER = """
import os
import time

NAP_EVENTS, NAP_S = {nap!r}

class Writer:
    def __init__(self, engine):
        self.fd = os.open({path!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.count = 0
        engine.register("eMarketTrade.", self.on_trade)
        engine.register("eGap.", self.on_gap)

    def on_trade(self, event):
        trade = event.data
        line = "t %s %s %d %d %d" % (trade.symbol, trade.trade_id, trade.redelivered, trade.publish_ns, os.getpid())
        os.write(self.fd, (line + " %d\\n" % trade.backfilled).encode())
        self.count += 1
        if NAP_EVENTS and self.count % NAP_EVENTS == 0:
            time.sleep(NAP_S)

    def on_gap(self, event):
        gap = event.data
        line = "g %s %s %s %d %d" % (gap.symbol or "-", gap.first_id, gap.last_id, gap.filled, gap.redelivered)
        os.write(self.fd, line.encode() + b"\\n")

    def close(self):
        os.close(self.fd)
"""


class Handled(Struct, frozen=True):
    """A trade that the handler was given; `engine` is the pid of its process."""

    symbol: str
    trade_id: int
    redelivered: bool
    publish_ns: int
    engine: int
    backfilled: bool


class DeliveryRun:
    """Start it in a thread of its own while `sim` runs in the loop; a context manager."""

    def __init__(
        self,
        folder: Path,
        sim: SimulatedExchange,
        symbols: list[str],
        *,
        engine: str = "foxtrot_supervisor.engine.process:run",
        nap: tuple[int, float] = (0, 0.0),
        ring: RingConfig | None = None,
        settle_s: float = LIMIT_S,
        redundancy: Literal[1, 2] = 1,
        backfill: bool = False,
        rotate_after_s: float | None = None,
        transport: Transport = "zeromq",
        sinks: Sequence[SinkConfig] = (),
        sink: str = "tests.support.file_sink:run",
        stop_ask_s: float | None = None,
        supervisor: Mapping[str, Any] | None = None,
    ) -> None:
        """One connection a symbol. `nap`: after so many trades the handler sleeps so long.

        `sink`: start target of sinks' processes.
        `settle_s`: how long an engine may take to handle what stands in the rings, once nothing is added.
        """
        self._settle_s = settle_s
        self.path = folder / "handled"
        self._read_bytes = 0
        self._handled: dict[str, list[Handled]] = {}
        self._gaps: list[list[str]] = []
        (folder / "delivery_handler.py").write_text(_HANDLER.format(nap=nap, path=str(self.path)))
        self.workers = {f"{symbol.lower()}.{side}": symbol for symbol in symbols for side in "ab"[:redundancy]}
        self.config = FoxtrotConfig(
            supervisor=quick(
                **{
                    "start_method": "auto",
                    "hung_s": 20.0,
                    "late_s": 10.0,
                    "restart_intensity": 1000,
                    # a sink hands on what its spool holds
                    "stop_ask_s": stop_ask_s or (60.0 if sinks else 10.0),
                    "shutdown_s": 90.0 if sinks else 20.0,
                    "backoff_s": 0.01,
                    **(supervisor or {}),
                }
            ),
            engine=EngineConfig(handlers=["delivery_handler:Writer"], transport=transport),
            ring=ring or RingConfig(),
            sinks=list(sinks),
            connections=[
                ConnectionConfig(
                    name=symbol.lower(),
                    exchange="binance",
                    channels=["trade"],
                    symbols=[symbol],
                    url=sim.url,
                    rest_url=sim.rest_url,
                    redundancy=redundancy,
                    backfill=backfill,
                    rotate_after_s=rotate_after_s,
                )
                for symbol in symbols
            ],
        )
        self.supervisor = SupervisorProcess(
            folder,
            config=self.config,
            targets=Targets(engine=engine, sink=sink),
            import_path=str(folder),
            reloads=True,
        )

    def __enter__(self) -> DeliveryRun:
        self.supervisor.__enter__()
        try:
            self.supervisor.wait_running(limit_s=60.0)
        except BaseException as error:
            self.supervisor.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, *details: Any) -> None:
        self.supervisor.__exit__(*details)

    def handled(self, symbol: str) -> list[Handled]:
        """What the handlers of all engines were given of this symbol, in order."""
        self._read_on()
        return list(self._handled.get(symbol, ()))

    def gaps(self, *, filled: bool = False) -> list[list[str]]:
        """Symbol, first and last identifier of each gap that was announced, or of each that was filled.

        Without those given again after the death of an engine.
        """
        self._read_on()
        found: list[list[str]] = []
        for *bounds, is_filled, redelivered in self._gaps:
            again = redelivered == "1" and bounds in found
            if (is_filled == "1") is filled and not again:
                found.append(bounds)
        return found

    def _read_on(self) -> None:
        """What was written since the last look, up to the end of a line: the whole would take longer each time."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read_bytes)
            whole, end, _ = file.read().rpartition(b"\n")
        self._read_bytes += len(whole) + len(end)
        for kind, *row in map(str.split, whole.decode().splitlines()):
            if kind == "t":
                symbol, number, redelivered, publish_ns, engine, backfilled = row
                each = Handled(symbol, int(number), redelivered == "1", int(publish_ns), int(engine), backfilled == "1")
                self._handled.setdefault(symbol, []).append(each)
            else:
                self._gaps.append(row)

    def more(self, symbol: str, count: int) -> None:
        """Wait until so many more trades have come."""
        before = len(self.handled(symbol))
        wait_until(lambda: len(self.handled(symbol)) >= before + count, LIMIT_S, f"{count} more of {symbol}")

    def committed_more(self, name: str, count: int) -> None:
        """Wait until a worker has committed so many more events, applied or not."""
        before = self.supervisor.child(name)["committed_total"]
        wait_until(
            lambda: self.supervisor.child(name)["committed_total"] >= before + count, LIMIT_S, f"{count} more of {name}"
        )

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """A signal to a child; its pid."""
        pid = int(self.supervisor.child(name)["pid"])
        os.kill(pid, number)
        return pid

    def replaced(self, name: str, pid: int) -> dict[str, Any]:
        """`name` once it runs with another pid."""

        def look() -> dict[str, Any]:
            child = self.supervisor.child(name)
            return child if child.get("state") == "RUNNING" and child["pid"] not in (None, pid) else {}

        found: dict[str, Any] = wait_until(look, LIMIT_S, f"{name} to be replaced")
        return found

    def settled(self, name: str, more: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Return the status of a worker once its rings are empty."""

        def look() -> dict[str, Any]:
            child = self.supervisor.child(name)
            return child if child.get("ring_used_bytes") == 0 and more(child) else {}

        found: dict[str, Any] = wait_until(look, self._settle_s, f"{name}'s rings to be empty")
        return found
