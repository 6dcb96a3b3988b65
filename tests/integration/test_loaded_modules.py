"""A running supervisor has loaded what it needs, and nothing of the tools and parts that it does not run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from foxtrot_protocol.exit_codes import SupervisorExit
from tests.support.command_line import Run

CONFIGURATION = """
[supervisor]
run_dir = "RUN_DIR"
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
"""

LISTS_ITS_MODULES = """
import atexit, os, sys

def write():
    with open(os.path.join(os.environ["MODULES_FOLDER"], str(os.getpid())), "w") as file:
        file.write("\\n".join(sys.modules))

atexit.register(write)
"""
"""A ``sitecustomize``: at its end each process writes which modules it has imported."""

NOT_LOADED = (
    "foxtrot_supervisor.bench",
    "foxtrot_supervisor.chaos",
    "foxtrot_supervisor.gateways",
    "foxtrot_supervisor.engine",
    "foxtrot_supervisor.web",
    "foxtrot_supervisor.cluster",
    "nats",
    "foxtrot_supervisor.monitoring",
    "foxtrot_supervisor.report.metrics",
    "foxtrot_workers",
    "aiohttp",
    "msgpack",
    "prometheus_client",
    "psutil",
    "rich",
    "pygments",
)
"""Packages that the process of a supervisor without a terminal never imports.

Simulator and replay are parts of foxtrot_workers.
"""


def not_wanted(modules: list[str]) -> list[str]:
    return [name for name in modules if any(name == part or name.startswith(part + ".") for part in NOT_LOADED)]


def test_a_running_supervisor_has_loaded_no_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(LISTS_ITS_MODULES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    monkeypatch.setenv("MODULES_FOLDER", str(folder))
    with contextlib.closing(Run(tmp_path, CONFIGURATION)) as run:
        run.running()
        assert run.stop() == SupervisorExit.CLEAN
    modules = (folder / str(run.process.pid)).read_text().splitlines()
    assert "foxtrot_supervisor.runtime.runner" in modules
    assert not_wanted(modules) == []
    assert "dill" not in modules


@pytest.mark.parametrize("code", ["import foxtrot_supervisor", "from foxtrot_supervisor import run_supervisor"])
def test_the_package_loads_no_tools(code: str) -> None:
    program = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, env=dict(os.environ)
    )
    assert not_wanted(done.stdout.split()) == []


HANDLER = """
import os, sys

def setup(engine):
    loaded = [name for name in ("dill", "multiprocess", "rich", "websockets", "zmq") if name in sys.modules]
    import multiprocess
    context = multiprocess.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=lambda: queue.put(lambda number: number + 1))
    process.start()
    answer = queue.get(timeout=10)(41)
    process.join()
    with open(os.environ["MODULES_FOLDER"] + "/engine", "w") as file:
        file.write(f"{loaded} {answer} {process.exitcode}")
"""
"""A handler that uses `multiprocess` itself, with what only dill can send."""


def test_children_have_no_libzmq_and_no_dill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their memory maps name each library that is loaded. A handler that needs dill has it."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "uses_multiprocess.py").write_text(HANDLER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    monkeypatch.setenv("MODULES_FOLDER", str(tmp_path))
    configuration = CONFIGURATION + '[engine]\nhandlers = ["uses_multiprocess:setup"]\n'
    with contextlib.closing(Run(tmp_path, configuration)) as run:
        run.running()
        maps = {}
        for process in run.descendants():
            with open(f"/proc/{process.pid}/comm") as comm, open(f"/proc/{process.pid}/maps") as file:
                maps[comm.read().strip()] = file.read()
        assert run.stop() == SupervisorExit.CLEAN
    assert "picows" in maps["fx:one.a"]
    for name in ("fx:engine", "fx:nursery", "fx:one.a", "fx:simulator"):
        assert "zmq" not in maps[name], name
    assert (tmp_path / "engine").read_text() == "[] 42 0"


def test_what_workers_import_does_not_include_zmq() -> None:
    code = """
import importlib, sys
from foxtrot_workers.adapter import catalog
from foxtrot_workers.child.nursery import PRELOADED
for name in (*PRELOADED, "foxtrot_workers.websocket.picows_client"):
    importlib.import_module(name)
for exchange in catalog.names():
    catalog.adapter_class(exchange)
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    modules = done.stdout.split()
    assert "foxtrot_workers.feed.event_sender" in modules
    assert not [name for name in modules if name.partition(".")[0] in ("zmq", "websockets")]
