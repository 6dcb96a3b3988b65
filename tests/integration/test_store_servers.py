"""Stores that tests start: they answer, they keep their address over a kill, and they end with a killed test run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.process_guard import VARIABLE, marked
from tests.support.sources import ROOT
from tests.support.store_servers import (
    NATS_SERVER,
    POSTGRES,
    REDIS_SERVER,
    NatsServer,
    PostgresServer,
    RedisServer,
    StoreServer,
)
from tests.support.waiting import wait_until

LIMIT_S = 60.0

STORES = [
    pytest.param(NatsServer, marks=pytest.mark.skipif(NATS_SERVER is None, reason="nats-server is not installed")),
    pytest.param(RedisServer, marks=pytest.mark.skipif(REDIS_SERVER is None, reason="redis-server is not installed")),
    pytest.param(PostgresServer, marks=pytest.mark.skipif(POSTGRES is None, reason="PostgreSQL is not installed")),
]

KILLED_RUN = """
import contextlib, time
from pathlib import Path
from tests.support import store_servers

def test_something_that_is_killed(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(getattr(store_servers, name)(tmp_path_factory.mktemp("s"))) for name in STORES
        ]
        told = Path(__file__).with_name("told")
        told.write_text(" ".join(str(each.process.pid) for each in servers))
        told.rename(told.with_name("pids"))
        time.sleep(3600)
"""


@pytest.mark.cases(played=1)
@pytest.mark.parametrize("store", STORES)
def test_a_store_keeps_its_address_over_a_kill(tmp_path: Path, store: Callable[[Path], StoreServer]) -> None:
    with store(tmp_path) as server:
        port, first = server.port, server.process
        server.kill()
        server.start()
        assert server.port == port
        assert server.process is not None
        assert first is not None
        assert server.process.pid != first.pid
        folder = server.folder
    assert server.process is None
    assert folder == tmp_path or not folder.exists()


@pytest.mark.variant
def test_a_killed_test_run_leaves_no_store(tmp_path: Path) -> None:
    installed = {"NatsServer": NATS_SERVER, "RedisServer": REDIS_SERVER, "PostgresServer": POSTGRES}
    names = [name for name, program in installed.items() if program is not None]
    (tmp_path / "test_killed.py").write_text(KILLED_RUN.replace("STORES", repr(names)))
    mark = "b" * 32
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-p", "tests.conftest"]
    run = subprocess.Popen(
        [*command, f"--rootdir={ROOT}", f"--confcutdir={tmp_path}", str(tmp_path / "test_killed.py")],
        env={**os.environ, VARIABLE: f"{os.environ[VARIABLE]}:{mark}", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        told = tmp_path / "pids"
        wait_until(lambda: told.exists() or run.poll() is not None, LIMIT_S, "stores below the test run")
        pids = [int(word) for word in told.read_text().split()]
        assert len(pids) == len(names)
        assert set(pids) <= set(marked(mark))
        run.send_signal(signal.SIGKILL)
        run.wait()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), LIMIT_S, "the end of the stores")
        wait_until(lambda: not marked(mark), LIMIT_S, "the end of everything that it had started")
    finally:
        run.kill()
        run.wait()
