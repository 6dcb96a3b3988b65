"""A whole supervisor in a process of its own, with test children: started, asked, killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import psutil

from foxtrot_protocol.control import Reply, Request, StatusRequest, StopRequest
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning
from foxtrot_supervisor.config.schema import ConnectionConfig, FoxtrotConfig, StartMethod, SupervisorConfig
from foxtrot_supervisor.core.targets import Targets
from tests.support.children import BOOT, target
from tests.support.waiting import wait_until

_ROOT = Path(__file__).resolve().parents[2]

_MAIN = """
import json, sys, msgspec
from foxtrot_supervisor.config.problems import ConfigInvalid, Problem
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.runtime.main import run_supervisor
from foxtrot_supervisor.config.schema import FoxtrotConfig
job = msgspec.json.decode(sys.argv[1])
def read_config(_):
    with open(job["config_path"]) as file:
        try:
            return msgspec.convert(json.load(file), FoxtrotConfig)
        except msgspec.ValidationError as error:
            raise ConfigInvalid(job["config_path"], [Problem("", str(error))])
sys.exit(run_supervisor(
    msgspec.convert(job["config"], FoxtrotConfig),
    run_dir_path=job["run_dir"],
    import_path=job["import_path"],
    log_level="debug",
    log_format="json",
    duration_s=job["duration_s"],
    targets=msgspec.convert(job["targets"], Targets),
    read_config=read_config if job["config_path"] else None,
))
"""


START_METHOD: StartMethod = "spawn"
"""How supervisors of the running test make workers; set by the test's own parameter."""


def connection(name: str, **more: Any) -> ConnectionConfig:
    """A connection that no test child ever makes."""
    defaults: dict[str, Any] = {
        "exchange": "test",
        "channels": ["trade"],
        "symbols": ["X"],
        "url": "ws://127.0.0.1:1",
    }
    return ConnectionConfig(name=name, **{**defaults, **more})


def quick(**more: Any) -> SupervisorConfig:
    """Deadlines short enough for tests."""
    defaults: dict[str, Any] = {
        "hello_s": 10.0,
        "ready_s": 10.0,
        "start_method": START_METHOD,
        "heartbeat_s": 0.1,
        "late_s": 0.5,
        "hung_s": 1.0,
        "stop_ask_s": 1.0,
        "stop_term_s": 1.0,
        "stop_kill_s": 2.0,
        "shutdown_s": 20.0,
        "backoff_s": 0.1,
        "backoff_max_s": 0.5,
    }
    return SupervisorConfig(**{**defaults, **more})


class SupervisorProcess:
    """Started at construction; use as a context manager: at its end everything is killed in every case."""

    def __init__(
        self,
        folder: Path,
        behaviour: str = "steady",
        *,
        engine: str = "steady",
        config: FoxtrotConfig | None = None,
        duration_s: float | None = None,
        environ: Mapping[str, str] | None = None,
        prelude: str = "",
        boot: str = BOOT,
        reloads: bool = False,
        targets: Targets | None = None,
        import_path: str = ".",
    ) -> None:
        """`prelude`: code that runs first in the supervisor's process, to break something in it.

        `boot`: what children call first; the real one takes behaviours as ``package.module:coroutine``.
        `reloads`: whether it has a configuration that can be read again (`configure`).
        `targets` instead of test children; `import_path`: where handlers are found.
        """
        self.run_dir = folder / "run"
        self.notes = folder / "notes"
        self.notes.mkdir(exist_ok=True)
        self.log_path = folder / "log"
        config = config or FoxtrotConfig(supervisor=quick(), connections=[connection("one")])
        targets = targets or Targets(
            boot=boot, simulator=target("simulator"), engine=target(engine), connection=target(behaviour)
        )
        self._config_path = folder / "config.json"
        self.configure(msgspec.to_builtins(config))
        job = {
            "config_path": str(self._config_path) if reloads else "",
            "config": msgspec.to_builtins(config),
            "run_dir": str(self.run_dir),
            "duration_s": duration_s,
            "import_path": import_path,
            "targets": msgspec.to_builtins(targets),
        }
        self._stderr = self.log_path.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-c", prelude + _MAIN, json.dumps(job)],
            cwd=_ROOT,
            env={**os.environ, "FOXTROT_TEST_NOTES": str(self.notes), "PYTHONPATH": str(_ROOT), **(environ or {})},
            stderr=self._stderr,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def __enter__(self) -> SupervisorProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = self.descendants() if self.process.poll() is None else []
        self.process.kill()
        self.process.wait(10)
        for process in left:
            if process.is_running():
                process.kill()
        self._stderr.close()
        if kind is not None:
            sys.stderr.write(self.log_path.read_text()[-20_000:])

    # ---- looking

    def log(self) -> list[dict[str, Any]]:
        """Every log line so far."""
        return [json.loads(line) for line in self.log_path.read_text().splitlines() if line.startswith("{")]

    def events(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Log lines of this event that have these fields."""
        return [line for line in self.log() if line["event"] == event and fields.items() <= line.items()]

    def status(self) -> dict[str, Any]:
        """The supervisor's own answer, {} while it does not answer yet."""
        try:
            return self.ask(StatusRequest(fresh=True)).data
        except NotRunning:
            return {}

    def child(self, name: str) -> dict[str, Any]:
        """Return the status of one child, {} if it is not there."""
        status = self.status()
        if not status:
            return {}
        children = [status["engine"], *status["simulators"], *status["services"], *status["workers"]]
        return next((child for child in children if child["name"] == name), {})

    def wait_state(self, name: str, state: str, limit_s: float = 10.0, **fields: Any) -> dict[str, Any]:
        """`name` once it is in `state` and has these fields."""

        def look() -> dict[str, Any]:
            child = self.child(name)
            return child if child.get("state") == state and fields.items() <= child.items() else {}

        found: dict[str, Any] = wait_until(look, limit_s, f"{name} to be {state} {fields or ''}")
        return found

    def wait_running(self, limit_s: float = 15.0) -> dict[str, Any]:
        """The status once all essential children serve."""

        def look() -> dict[str, Any]:
            status = self.status()
            return status if status and status["supervisor"]["state"] == "running" else {}

        found: dict[str, Any] = wait_until(look, limit_s, "everything to run")
        return found

    def descendants(self) -> list[psutil.Process]:
        """All processes below the supervisor, now."""
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def note(self, what: str, limit_s: float = 5.0) -> int:
        """The pid that a test child has written down as `what`."""
        path = self.notes / what
        wait_until(path.exists, limit_s, f"note {what}")
        return int(path.read_text())

    # ---- acting

    def configure(self, config: FoxtrotConfig | object) -> None:
        """Write this configuration, or nonsense, to be read at the next reload."""
        self._config_path.write_text(json.dumps(msgspec.to_builtins(config)))

    def ask(self, request: Request, timeout_s: float = 20.0) -> Reply:
        """A request over the operators' socket."""
        with ControlClient(str(self.run_dir)) as client:
            return client.request(request, timeout_s)

    def stop(self, timeout_s: float = 20.0) -> dict[str, Any]:
        """Stop by request; the answer. The process has ended when this returns."""
        reply = self.ask(StopRequest(), timeout_s)
        assert reply.error == ""
        assert self.process.wait(5) == reply.data["exit_code"]
        return reply.data

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def wait(self, limit_s: float = 10.0) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(limit_s)
