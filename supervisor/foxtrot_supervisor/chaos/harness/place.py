"""A place of its own for one mishap: folder, simulated exchange, supervisor, commands, and the promises not kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from foxtrot_supervisor.chaos.harness.configuration import configuration
from foxtrot_supervisor.chaos.harness.exchange import ExchangeProcess
from foxtrot_supervisor.chaos.harness.orphans import ORPHANS_S, take_orphans
from foxtrot_supervisor.chaos.harness.supervised_run import PROGRAM, SupervisedRun, Trouble

__all__ = ["LIMIT_S", "Done", "Place", "Skipped", "at", "is_root", "pids", "sim"]

T = TypeVar("T")

LIMIT_S: Final = 20.0
"""Time limit for something promised to happen, multiplied by the patience."""

_POLL_S = 0.02

_SETTINGS: Final[dict[str, object]] = {"backoff_s": 0.1, "backoff_max_s": 0.5, "backoff_jitter": 0.0}
"""Of every supervisor; what has to do with deadlines is left as users have it."""


_NOTES: Final = """
import json, os
FIELDS = ("symbol", "trade_id", "update_id", "first_id", "last_id", "stream", "filled", "cause", "bid", "ask")
def setup(engine):
    file = os.open({path!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    def note(event):
        row = {{name: getattr(event.data, name) for name in FIELDS if hasattr(event.data, name)}}
        os.write(file, json.dumps({{"type": event.type, **row}}).encode() + b"\\n")
    for name in ("eMarketTrade.", "eBbo.", "eBook.", "eGap."):
        engine.register(name, note)
"""
"""A handler that notes each event with one system call."""


class Skipped(Exception):
    """The mishap cannot be played here; the text says why."""


class Done(Struct, frozen=True):
    """A command that has ended."""

    code: int
    out: str
    err: str


class Place:
    """What one mishap needs; `close` leaves nothing of it. `broken` collects the promises that were not kept."""

    def __init__(self, folder: Path, patience: float) -> None:
        """`folder`: an existing one; `patience` multiplies all limits."""
        self.folder = folder
        self.run_dir = folder / "run"
        self.config = folder / "foxtrot.toml"
        self.patience = patience
        self.broken: list[str] = []
        self._runs: list[SupervisedRun] = []
        self._exchanges: list[ExchangeProcess] = []
        self._servers: list[subprocess.Popen[bytes]] = []

    # ---- promises

    def expect(self, holds: object, promise: str) -> None:
        """Note `promise` as broken unless `holds`."""
        if not holds:
            self.broken.append(promise)

    def wait(self, look: Callable[[], T], limit_s: float, what: str) -> T:
        """Return the first true value of `look`; raises `Trouble` after `limit_s` seconds times the patience."""
        deadline = time.monotonic() + limit_s * self.patience
        while not (value := look()):
            if time.monotonic() >= deadline:
                raise Trouble(f"waited {limit_s * self.patience:.0f} s in vain for {what}")
            time.sleep(_POLL_S)
        return value

    # ---- acting

    def handler(self, text: str) -> dict[str, object]:
        """Write a handler module whose ``setup`` is used; return the ``[engine]`` table that names it."""
        (self.folder / "my_handler.py").write_text(text)
        return {"handlers": ["my_handler:setup"]}

    def notes(self) -> dict[str, object]:
        """Write a handler module that notes each event; return the ``[engine]`` table that names it."""
        return self.handler(_NOTES.format(path=str(self.folder / "notes")))

    def noted(self, *types: str) -> list[dict[str, Any]]:
        """Return what was noted so far of events of these types, such as ``eGap.``."""
        path = self.folder / "notes"
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [row for row in map(msgspec.json.decode, lines) if row["type"] in types]

    def exchange(self, *symbols: str, rate: float = 300.0) -> ExchangeProcess:
        """Start a simulated exchange with these symbols."""
        options = ["--symbols", ",".join(symbols or ["BTCUSDT"]), "--rate", f"{rate}"]
        self._exchanges.append(ExchangeProcess(self.folder, options))
        return self._exchanges[-1]

    def configure(
        self,
        *connections: Mapping[str, object],
        supervisor: Mapping[str, object] | None = None,
        engine: Mapping[str, object] | None = None,
        alerts: Mapping[str, object] | None = None,
    ) -> None:
        """Write the configuration file."""
        tables = {"supervisor": {"run_dir": str(self.run_dir), **_SETTINGS, **(supervisor or {})}}
        if engine:
            tables["engine"] = dict(engine)
        if alerts:
            tables["alerts"] = dict(alerts)
        self.config.write_text(configuration(tables, connections), encoding="utf-8")

    def start(
        self,
        *connections: Mapping[str, object],
        supervisor: Mapping[str, object] | None = None,
        engine: Mapping[str, object] | None = None,
        alerts: Mapping[str, object] | None = None,
        options: Sequence[str] = (),
        prefix: Sequence[str] = (),
        **popen: Any,
    ) -> SupervisedRun:
        """Start a supervisor with these connections; without one, with `sim()`."""
        self.configure(*(connections or [sim()]), supervisor=supervisor, engine=engine, alerts=alerts)
        run = SupervisedRun(
            self.config,
            self.run_dir,
            self.folder / f"run-{len(self._runs) + 1}.log",
            options,
            take_orphans=self._take_orphans,
            follow_events=False,
            prefix=prefix,
            popen=popen,
        )
        self._runs.append(run)
        return run

    def command(self, *words: object, limit_s: float = LIMIT_S, prefix: Sequence[str] = (), **popen: Any) -> Done:
        """Run ``foxtrot-supervisor`` with these words to its end; raises `Trouble` if it does not end."""
        usual: dict[str, Any] = {"stdin": -3, "stdout": -1, "stderr": -1, "cwd": self.folder, "start_new_session": True}
        process = subprocess.Popen([*prefix, *PROGRAM, *map(str, words)], **{**usual, **popen})
        try:
            out, err = process.communicate(timeout=limit_s * self.patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Trouble(f"{words[0]} does not end") from None
        return Done(process.returncode, (out or b"").decode(errors="replace"), (err or b"").decode(errors="replace"))

    def ask(self, *words: object, **options: Any) -> Done:
        """Run a command of operators against the run directory."""
        return self.command(*words, "--run-dir", self.run_dir, **options)

    def serve(self, program: str, *arguments: object) -> str:
        """Run a server as a Python program; return the first line that it prints."""
        server = subprocess.Popen(
            [sys.executable, "-I", "-c", program, *map(str, arguments)], stdout=subprocess.PIPE, cwd="/"
        )
        self._servers.append(server)
        ExchangeProcess.pids.add(server.pid)
        assert server.stdout is not None
        if not (line := server.stdout.readline()):
            raise Trouble("the server does not start")
        return line.decode().strip()

    # ---- observing

    def status(self, run: SupervisedRun) -> dict[str, Any]:
        """Return what `run` answers now, {} while it does not answer."""
        try:
            return run.status()
        except Trouble:
            return {}

    def worker(self, run: SupervisedRun, name: str) -> dict[str, Any]:
        """Return the status of one worker, {} if there is none."""
        workers = self.status(run).get("workers", [])
        return next((worker for worker in workers if worker["name"] == name), {})

    def topics(self, run: SupervisedRun, name: str) -> dict[str, dict[str, Any]]:
        """Return the topics of one worker by their names on the wire."""
        return {topic["topic"]: topic for topic in self.worker(run, name).get("topics", [])}

    def serving(self, run: SupervisedRun, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Wait until all children run and events flow; return the status then.

        `before`: a status of earlier whose engine and workers have to be other processes by now.
        """

        def look() -> dict[str, Any]:
            if run.process.poll() is not None:
                raise Trouble(f"the supervisor ended with exit code {run.process.returncode}: {self.last_words(run)}")
            status = self.status(run)
            if not status or not status["workers"] or not (status["engine"] or {}).get("events_total"):
                return {}
            children = [status["engine"], *status["workers"]]
            if any(child["state"] != "RUNNING" for child in children):
                return {}
            if before is not None and set(pids(status)) & set(pids(before)):
                return {}
            return status if all(worker["applied_total"] for worker in status["workers"]) else {}

        return self.wait(look, 2 * LIMIT_S, "events to flow")

    def flows_on(self, run: SupervisedRun) -> None:
        """Wait until the engine, which must not be replaced meanwhile, has handled further events."""

        def handled() -> int:
            return int((self.status(run).get("engine") or {}).get("events_total") or 0)

        known = self.wait(handled, LIMIT_S, "events")
        self.wait(lambda: handled() > known, LIMIT_S, "further events")

    def last_words(self, run: SupervisedRun) -> str:
        """Return the last line that `run` wrote to its log."""
        lines = run.log.path.read_text(errors="replace").splitlines()
        return lines[-1] if lines else ""

    # ---- ending

    def stop(self, run: SupervisedRun, code: int = 0) -> None:
        """Send SIGTERM; the run has to end with this exit code and leave nothing."""
        if run.process.poll() is None:
            run.signal(signal.SIGTERM)
        self.ends(run, code)

    def ends(self, run: SupervisedRun, code: int) -> None:
        """The run has to end with this exit code and leave no directory."""
        if not run.ended(2 * LIMIT_S * self.patience):
            raise Trouble("the supervisor does not end")
        found = run.process.returncode
        self.expect(found == code, f"exit code {code}, not {found}: {self.last_words(run)[:300]}")
        self.expect(not self.run_dir.exists(), "no run directory is left")
        # a stack that is logged is a field of a JSON line
        plain = [line for line in run.log.path.read_text(errors="replace").splitlines() if not line.startswith("{")]
        self.expect(not any("Traceback (most" in line for line in plain), "no traceback on stderr")
        self.expect(not run.log.lines("internal_error"), "no internal error")

    def close(self) -> None:
        """End everything; processes that outlived their supervisor are broken promises."""
        for run in self._runs:
            for orphan in run.close().found:
                self.broken.append(f"left behind: {orphan}")
        for exchange in self._exchanges:
            exchange.close()
        for server in self._servers:
            ExchangeProcess.pids.discard(server.pid)
            server.kill()
            server.communicate()

    def _take_orphans(self, limit_s: float = ORPHANS_S) -> Any:
        return take_orphans(limit_s, ExchangeProcess.pids)


def sim(name: str = "sim", **more: object) -> dict[str, object]:
    """Return a connection to the simulated exchange that the supervisor starts itself."""
    return {"name": name, "exchange": "sim", "channels": ["trade"], "symbols": ["BTCUSDT"], **more}


def at(server: ExchangeProcess, **more: object) -> dict[str, object]:
    """Return a connection ``feed`` to `server`, which speaks Binance's protocol; `more` keys replace the usual ones."""
    place = {"exchange": "binance", "url": server.url, "rest_url": server.rest_url}
    return {"name": "feed", "channels": ["trade"], "symbols": ["BTCUSDT"], **place, **more}


def pids(status: Mapping[str, Any]) -> list[int]:
    """Return the process ids of engine and workers."""
    return [child["pid"] for child in (status["engine"], *status["workers"])]


def is_root() -> bool:
    """Whether this process may become another user and mount file systems."""
    return os.geteuid() == 0
