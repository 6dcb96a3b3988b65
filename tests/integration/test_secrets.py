"""Canaries in every place where a configuration can hold a secret: they appear in nothing that anybody can see."""

from __future__ import annotations

import os
import signal
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import psutil
import pytest

from foxtrot_supervisor.config.check import parse_config
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.config.schema import ExchangeInfo
from tests.integration.test_metrics import get, url_of
from tests.support.command_line import Run, run_program
from tests.support.waiting import wait_until

TOKEN = "canary0token0canary0token0canary0"
WEBHOOK = "canary-webhook-path"
CANARIES = (TOKEN, WEBHOOK)

CONFIGURATION = """
[supervisor]
run_dir = "RUN_DIR"
bundles = 3
bundles_directory = "bundles"
[metrics]
listen = "127.0.0.1:0"
token_file = "token"
[alerts]
webhook_file = "webhook"
calls_per_minute = 60
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
"""


class Hook(BaseHTTPRequestHandler):
    """Refuses every post: the failure is told everywhere where failures are told."""

    paths: list[str] = []  # noqa: RUF012 - one server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.paths.append(self.path)
        self.send_error(500, f"refused {self.path}")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hook() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


def seen_of(run: Run) -> dict[str, str]:
    """Everything that an operator, another program or another user can see of the run."""
    place = ("--run-dir", run.run_dir)
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    seen = {}
    for command in ("status", "incidents", "doctor"):
        done = run_program(command, "--json", *place)
        seen[command] = done.stdout + done.stderr
    url = url_of(run)
    for path in ("/metrics", "/health/live", "/health/ready", "/other"):
        seen[path] = get(url, path, **bearer)[1] + get(url, path)[1]
    for process in [psutil.Process(run.process.pid), *run.descendants()]:
        seen[f"argv of {process.pid}"] = " ".join(process.cmdline())
        seen[f"environ of {process.pid}"] = str(process.environ())
    for file in run.run_dir.iterdir():
        if file.is_file() and not file.name.startswith("ring-"):
            seen[file.name] = file.read_bytes().decode("latin-1")
    return seen


def test_canaries_appear_nowhere(tmp_path: Path) -> None:
    with hook() as port:
        for name, content in (("token", TOKEN), ("webhook", f"http://127.0.0.1:{port}/{WEBHOOK}?key={WEBHOOK}")):
            (tmp_path / name).touch(0o600)
            (tmp_path / name).write_text(content)
        with closing(Run(tmp_path, CONFIGURATION, "--log-level", "debug")) as run:
            worker = run.running()["workers"][0]["pid"]
            url_of(run)
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: alerts_of(run)["counts"].get("failures_total"), 30, "a call that fails")
            assert alerts_of(run)["problem"] == "webhook HTTP 500"
            assert get(url_of(run), "/metrics", Authorization=f"Bearer {TOKEN[:-1]}x")[0] == 401
            seen = seen_of(run)
            wait_until(lambda: list((tmp_path / "bundles").glob("*.zip")), 30, "a crash bundle")
            run_program("doctor", "--bundle", tmp_path / "report.zip", "--run-dir", run.run_dir)
            assert run.stop() == 0
        for path in (*(tmp_path / "bundles").glob("*.zip"), tmp_path / "report.zip"):
            with ZipFile(path) as bundle:
                seen |= {f"{name} of {path.name}": bundle.read(name).decode() for name in bundle.namelist()}
        seen["log"] = run.err.read_text()
        seen["output"] = run.out.read_text()
    assert any(WEBHOOK in path for path in Hook.paths)
    assert len(seen["log"]) > 1000
    assert [place for place, text in seen.items() for canary in CANARIES if canary in text] == []


def alerts_of(run: Run) -> dict[str, Any]:
    status = run.status()
    assert status is not None
    return dict(next(each for each in status["services"] if each["name"] == "alerts"))


@pytest.mark.parametrize(
    "line",
    [
        'url = "wss://user:CANARY@h/ws"',
        'url = "wss://h/ws?token=CANARY"',
        'rest_url = "https://u:CANARY@h"',
        'proxy = "http://user:CANARY@h:3128"',
    ],
)
def test_addresses_with_secrets_are_refused_without_repeating_them(line: str) -> None:
    text = f'[[connections]]\nname = "a"\nexchange = "x"\nchannels = ["trade"]\nsymbols = ["S"]\n{line}\n'
    with pytest.raises(ConfigInvalid) as refused:
        parse_config(
            text, source="f", folder="/", exchanges={"x": ExchangeInfo("X", ["trade"])}, is_file=lambda _: True
        )
    assert "CANARY" not in str(refused.value)
