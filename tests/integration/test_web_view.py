"""The web view of a real run: a process of its own, over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from foxtrot_protocol.exit_codes import SupervisorExit
from tests.support.command_line import Background, Run
from tests.support.waiting import wait_until
from tests.support.web_client import TOKEN

CONFIGURATION = """
[supervisor]
run_dir = "RUN_DIR"
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade", "book"]
symbols = ["BTCUSDT", "ETHUSDT"]
"""

READY = (200, b'{"ready":true,"reasons":[]}\n')


class Web(Background):
    """`web` on a free port, for the run of `folder`, with a token."""

    def __init__(self, folder: Path, run_dir: Path, *arguments: object) -> None:
        token = folder / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        options = ("--listen", "127.0.0.1:0", "--run-dir", run_dir, "--token-file", token)
        super().__init__(folder, "web", "web", *options, *arguments)
        self.url = wait_until(lambda: self.out.read_text().strip(), 30.0, "the address of the page")
        self.host = self.url.split("/")[2]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        """Status and body of an answer."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        with contextlib.closing(connection):
            content = None if body is None else json.dumps(body).encode()
            connection.request(method, path, content, {name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def order(self, body: Any) -> tuple[int, Any]:
        """Give an order as the page does."""
        headers = {"Origin": f"http://{self.host}", "Content-Type": "application/json"}
        status, answer = self.ask("POST", "/api/action", body, **headers, Authorization=f"Bearer {TOKEN}")
        return status, json.loads(answer) if status == 200 else answer.decode()

    def events(self, wanted: str) -> Iterator[Any]:
        """The contents of the events `wanted` of a stream, without end."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", "/api/stream")
            answer = connection.getresponse()
            name = ""
            for line in answer:
                if line.startswith(b"event: "):
                    name = line[7:].decode().strip()
                elif line.startswith(b"data: ") and name == wanted:
                    yield json.loads(line[6:])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with contextlib.closing(Run(tmp_path_factory.mktemp("run"), CONFIGURATION)) as started:
        started.running()
        yield started


@pytest.fixture
def web(run: Run, tmp_path: Path) -> Iterator[Web]:
    with contextlib.closing(Web(tmp_path, run.run_dir)) as started:
        yield started


def test_it_shows_the_run_restarts_a_worker_and_ends_when_told(run: Run, web: Web) -> None:
    assert web.ask("GET", "/")[0] == 200
    shown = next(web.events("view"))
    worker = dict(zip(shown["fields"], shown["workers"][0], strict=True))
    assert (worker["name"], worker["state"], worker["exchange"]) == ("one.a", "RUNNING", "sim")
    status, metrics = web.ask("GET", "/metrics")
    assert status == 200
    names = {family.name for family in text_string_to_metric_families(metrics.decode())}
    assert {name.partition("_")[0] for name in names} == {"foxtrot"}
    assert web.ask("GET", "/health/live")[0] == 200
    # a worker is RUNNING before it has reported its topics: not ready until one of them flows
    wait_until(lambda: web.ask("GET", "/health/ready") == READY, 30.0, "a connection that flows")
    assert web.ask("GET", "/metrics", Host="evil.example")[0] == 421
    assert web.order({"action": "restart", "worker": "one.a"}) == (400, "the question was not answered\n")
    assert web.order({"action": "restart", "worker": "one.a", "confirm": "one.a"}) == (200, {"ok": True, "problem": ""})
    for view in web.events("view"):
        after = dict(zip(view["fields"], view["workers"][0], strict=True))
        if after["incarnation"] > worker["incarnation"] and after["state"] == "RUNNING":
            break
    status, answer = web.order({"action": "subscribe", "worker": "one.a", "symbols": ["NONE"]})
    assert (status, answer["ok"]) == (200, False)
    assert "NONE" in answer["problem"]
    assert "order of 127.0.0.1: restart one.a" in web.err.read_text()
    assert TOKEN not in web.err.read_text() + " ".join(psutil.Process(web.process.pid).cmdline())
    web.process.send_signal(signal.SIGTERM)
    assert web.ends() == SupervisorExit.CLEAN
    assert "Traceback" not in web.err.read_text()
