"""The pages of a run, and how often it is asked for them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.control import Reply, Request
from foxtrot_protocol.endpoints import operator_path
from foxtrot_supervisor.monitoring import pages as module
from foxtrot_supervisor.monitoring.pages import PATHS, MetricsPages, NoAnswer, Page, StatusReader
from foxtrot_supervisor.runtime.control_server import ControlServer
from tests.support.sample_status import sample_status

OPEN = "application/openmetrics-text;version=1.0.0"


class Source:
    """A run's status, read as often as it is asked for."""

    def __init__(self, status: dict[str, Any] | None) -> None:
        self.status = status
        self.at = 1.0

    async def __call__(self) -> tuple[float, dict[str, Any]]:
        if self.status is None:
            raise NoAnswer("it has gone")
        return self.at, self.status


async def page(source: Source, path: str, accept: str = "") -> Page:
    found = await MetricsPages(source).respond(path, accept)
    assert found is not None
    return found


async def test_metrics() -> None:
    found = await page(Source(sample_status()), "/metrics")
    assert (found.status, found.content_type.partition(";")[0]) == (200, "text/plain")
    assert b"foxtrot_worker_gaps_total{" in found.body
    found = await page(Source(sample_status()), "/metrics", OPEN)
    assert found.content_type.startswith("application/openmetrics-text")
    assert found.body.endswith(b"# EOF\n")


async def test_live_and_ready_differ() -> None:
    status = sample_status()
    for worker in status["workers"]:
        worker["state"] = "BACKOFF"
    live, ready = await page(Source(status), "/health/live"), await page(Source(status), "/health/ready")
    assert (live.status, msgspec.json.decode(live.body)) == (200, {"live": True, "state": "running"})
    reasons = msgspec.json.decode(ready.body)["reasons"]
    assert (ready.status, len(reasons)) == (503, 2)
    assert "c0.a is BACKOFF" in reasons[0]
    whole = await page(Source(sample_status()), "/health/ready")
    assert (whole.status, msgspec.json.decode(whole.body)) == (200, {"ready": True, "reasons": []})


@pytest.mark.parametrize("path", PATHS)
async def test_without_an_answer_everything_is_503_and_says_why(path: str) -> None:
    found = await page(Source(None), path)
    assert found.status == 503
    assert b"it has gone" in found.body


@pytest.mark.parametrize("path", ["/", "", "/metrics/", "/health", "//metrics", "/METRICS", "*"])
async def test_other_pages_do_not_exist(path: str) -> None:
    assert await MetricsPages(Source(sample_status())).respond(path) is None


async def test_one_status_is_rendered_once_for_each_format(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[str] = []
    real = module.exposed

    def counted(families: Any, accept: str) -> tuple[str, bytes]:
        rendered.append(accept)
        return real(families, accept)

    monkeypatch.setattr(module, "exposed", counted)
    source = Source(sample_status())
    made = MetricsPages(source)
    for accept in ("", "text/plain", "*/*", OPEN, f"{OPEN}, x/{'y' * 99}") * 5:
        await made.respond("/metrics", accept)
    assert rendered == ["", "application/openmetrics-text"]
    source.at = 2.0
    await made.respond("/metrics")
    assert len(rendered) == 3


async def test_many_readers_are_one_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Request] = []

    async def answer(request: Request) -> Reply | bytes:
        asked.append(request)
        return Reply(data={"number": len(asked)})

    server = ControlServer(operator_path(str(tmp_path)), answer)
    await server.start()
    read = StatusReader(str(tmp_path))
    try:
        found = await asyncio.gather(*(read() for _ in range(50)))
        assert {status["number"] for _, status in found} == {1}
        assert len(asked) == 1
        monkeypatch.setattr(module, "REUSE_S", 0.0)
        assert (await read())[1] == {"number": 2}
    finally:
        read.close()
        await server.close()


async def test_a_run_that_ends_or_refuses_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = StatusReader(str(tmp_path))
    with pytest.raises(NoAnswer, match=r"operator\.sock"):
        await read()

    async def refuse(_request: Request) -> Reply | bytes:
        return Reply(error="not now")

    server = ControlServer(operator_path(str(tmp_path)), refuse)
    await server.start()
    with pytest.raises(NoAnswer, match="not now"):
        await read()

    async def hang(_request: Request) -> Reply | bytes:
        await asyncio.sleep(60)
        raise AssertionError

    server._answer = hang
    monkeypatch.setattr(module, "ANSWER_S", 0.05)
    with pytest.raises(NoAnswer, match="does not answer within"):
        await read()
    read.close()
    await server.close()
