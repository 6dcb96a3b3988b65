"""Metrics and health of a real run: served by a process of its own, whose death is nobody else's concern."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.command_line import Run, run_program
from tests.support.waiting import wait_until

TOKEN = "c0ffee00c0ffee00c0ffee00c0ffee00"
CONFIGURATION = """
[supervisor]
run_dir = "RUN_DIR"
[metrics]
listen = "LISTEN"
EXTRA
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade", "book"]
symbols = ["BTCUSDT"]
"""


def configuration(listen: str = "127.0.0.1:0", extra: str = "") -> str:
    return CONFIGURATION.replace("LISTEN", listen).replace("EXTRA", extra)


def service_of(run: Run) -> dict[str, Any]:
    status = run.status()
    found = [] if status is None else [each for each in status["services"] if each["name"] == "metrics"]
    return dict(found[0]) if found else {}


def url_of(run: Run) -> str:
    return str(wait_until(lambda: service_of(run).get("addresses", {}).get("url"), 30, "the service"))


def get(url: str, path: str, **headers: str) -> tuple[int, str]:
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("m")
    token = folder / "token"
    token.touch(0o600)
    token.write_text(TOKEN)
    with closing(Run(folder, configuration(extra='token_file = "token"'))) as run:
        run.running()
        yield run
        assert run.stop() == 0, run.err.read_text()[-3000:]


def test_metrics_and_health(run: Run) -> None:
    url = url_of(run)
    assert get(url, "/metrics")[0] == 401
    bearer = {"Authorization": f"Bearer {TOKEN}"}

    def flowing() -> bool:
        return get(url, "/health/ready", **bearer) == (200, '{"ready":true,"reasons":[]}\n')

    wait_until(flowing, 30, "readiness")
    assert json.loads(get(url, "/health/live", **bearer)[1]) == {"live": True, "state": "running"}
    code, text = get(url, "/metrics", **bearer)
    assert code == 200
    found = {family.name: family for family in text_string_to_metric_families(text)}
    names = {sample.labels["process"] for sample in found["foxtrot_process_running"].samples}
    assert {"supervisor", "engine", "one.a", "metrics"} <= names
    assert sum(sample.value for sample in found["foxtrot_worker_events"].samples) > 0
    stages = {
        sample.labels["stage"]
        for sample in found["foxtrot_latency_seconds"].samples
        if sample.name.endswith("_count") and sample.value
    }
    assert stages == {"exchange_received", "received_published", "published_handled"}


def test_its_death_concerns_nobody_else(run: Run) -> None:
    url_of(run)
    before = run.status()
    assert before is not None
    os.kill(before["services"][0]["pid"], signal.SIGKILL)
    wait_until(lambda: service_of(run)["incarnation"] > 1 and service_of(run)["state"] == "RUNNING", 30, "the next one")
    after = run.status()
    assert after is not None
    for part in ("workers", "simulators"):
        assert [(each["pid"], each["incarnation"]) for each in after[part]] == [
            (each["pid"], each["incarnation"]) for each in before[part]
        ]
    assert (after["engine"]["pid"], after["supervisor"]["state"]) == (before["engine"]["pid"], "running")
    assert get(url_of(run), "/health/live", Authorization=f"Bearer {TOKEN}")[0] == 200
    told = run_program("incidents", "--json", "--worker", "metrics", "--run-dir", run.run_dir).stdout
    kinds = [json.loads(line)["kind"] for line in told.splitlines()]
    assert kinds[:2] == ["death", "recovered"]


def test_a_client_that_does_nothing_holds_nobody_up(run: Run) -> None:
    parts = urlsplit(url_of(run))
    idle = [socket.create_connection((parts.hostname, parts.port)) for _ in range(40)]
    assert get(url_of(run), "/health/live", Authorization=f"Bearer {TOKEN}")[0] == 200
    for each in idle:
        each.close()
