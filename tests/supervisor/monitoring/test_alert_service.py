"""The alert service against a played run, with real commands: few calls, none forgotten, failures visible."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Heartbeat, Stop, ToChild
from foxtrot_protocol.control import IncidentsRequest, Reply, Request
from foxtrot_protocol.endpoints import operator_path
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import AlertSettings
from foxtrot_supervisor.monitoring import alert_service as module
from foxtrot_supervisor.monitoring.alert_service import run
from foxtrot_supervisor.report.incidents import Incidents, Kind, Occurrence
from foxtrot_supervisor.runtime.control_server import ControlServer
from tests.supervisor.report.test_alerts import broken, whole
from tests.support.waiting import wait_until_async

SECRET = "T0PSECRET"


class Service:
    """The service in this process, and the run that it watches."""

    def __init__(self, folder: Path, settings: AlertSettings, incarnation: int) -> None:
        self.folder = folder
        self.status = whole()
        self.incidents = Incidents()
        self.spec = SimpleNamespace(
            settings=msgspec.msgpack.encode(settings), run_dir=str(folder), run_id="r1", incarnation=incarnation
        )
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.reasons: list[str] = []
        self.is_ready = asyncio.Event()
        self.log = SimpleNamespace(error=lambda event, **fields: self.lines.append((event, fields)))
        self.command: Callable[[ToChild], None] = lambda _: None
        self.fill: Callable[[Heartbeat], Heartbeat] = lambda beat: beat

    def on_command(self, handler: Callable[[ToChild], None]) -> None:
        self.command = handler

    def heartbeat_from(self, fill: Callable[[Heartbeat], Heartbeat]) -> None:
        self.fill = fill

    def ready(self, _info: dict[str, str] | None = None) -> None:
        self.is_ready.set()

    def failed(self, cause: str) -> None:
        self.reasons.append(cause)

    async def answer(self, request: Request) -> Reply | bytes:
        if isinstance(request, IncidentsRequest):
            return Reply(data=msgspec.to_builtins(self.incidents.after(request.after, request.limit)))
        return Reply(data=self.status)

    def note(self, kind: Kind, worker: str = "c0.a", at_ns: int | None = None) -> None:
        self.incidents.note(
            Occurrence(kind, worker, "why"), at_ns=time.time_ns() if at_ns is None else at_ns, now=time.monotonic()
        )

    @property
    def calls(self) -> list[dict[str, Any]]:
        path = self.folder / "calls"
        return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()] if path.exists() else []

    @property
    def figures(self) -> tuple[dict[str, int], str]:
        beat = self.fill(Heartbeat("alerts", 1, 0.0, 1, 2, 3, 4))
        return beat.counts, beat.problem


Start = Callable[..., Any]


@pytest.fixture
async def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    monkeypatch.setattr("foxtrot_supervisor.report.alerts.GATHER_S", 0.1)
    running: list[tuple[Service, asyncio.Task[int], ControlServer]] = []

    async def begin(incarnation: int = 1, prepare: Callable[[Service], None] = lambda _: None, **more: Any) -> Service:
        settings = {"command": f"cat >> {tmp_path}/calls", "shell": True, "deadline_s": 10.0, "calls_per_minute": 3}
        service = Service(tmp_path, AlertSettings(**{**settings, **more}), incarnation)
        prepare(service)
        server = ControlServer(operator_path(str(tmp_path)), service.answer)
        await server.start()
        running.append((service, asyncio.create_task(run(cast(ChildContext, service))), server))
        await asyncio.wait_for(service.is_ready.wait(), 10)
        return service

    yield begin
    for service, task, server in running:
        service.command(Stop(1.0))
        assert await asyncio.wait_for(task, 10) == ChildExit.CLEAN
        await server.close()


async def test_what_broke_and_what_is_whole_again(start: Start) -> None:
    service = await start()
    service.status = broken("growth")
    await wait_until_async(lambda: service.calls, what="the first call")
    service.status = whole()
    await wait_until_async(lambda: len(service.calls) == 2, what="the second call")
    first, second = service.calls
    assert [(each["edge"], each["kind"], each["subject"]) for each in first["alerts"]] == [
        ("broke", "growth", "engine")
    ]
    assert (first["broken"], first["broken_total"], first["run_id"]) == (["growth engine: threads is growing"], 1, "r1")
    assert [(each["edge"], each["kind"]) for each in second["alerts"]] == [("whole", "growth")]
    assert second["broken"] == []
    await wait_until_async(lambda: service.figures == ({"calls_total": 2, "failures_total": 0}, ""), what="the figures")


async def test_a_hundred_incidents_in_a_second_make_few_calls(start: Start) -> None:
    service = await start()
    for number in range(100):
        service.note("lost_events", f"w{number}.a")
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.5)
    assert 1 <= len(service.calls) <= 3
    told = sum(len(call["alerts"]) + sum(call["omitted"].values()) for call in service.calls)
    assert told == 100 or len(service.calls) == 3


async def test_a_command_that_hangs_is_ended_and_seen(start: Start) -> None:
    service = await start(command=f"cat >> {'{'}0{'}'}; sleep 1000".replace("{0}", "/dev/null"), deadline_s=0.3)
    service.note("lost_events")
    await wait_until_async(lambda: service.figures[0]["failures_total"] == 1, what="the failure")
    assert service.figures[1] == "command did not end within 0.3 s: it was killed"
    assert service.lines == [("alert_failed", {"reason": service.figures[1]})]


@pytest.mark.parametrize(
    ("command", "problem"),
    [("/no/such/program", "cannot be started: No such file"), ("false", "exit code 1")],
)
async def test_a_command_that_fails_is_seen_until_one_succeeds(start: Start, command: str, problem: str) -> None:
    service = await start(command=command, shell=False)
    service.note("lost_events")
    await wait_until_async(lambda: service.figures[0]["failures_total"] == 1, what="the failure")
    assert problem in service.figures[1]


async def test_a_webhook_gets_the_same(start: Start, tmp_path: Path) -> None:
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.readuntil(b"}\n"))
        writer.write(b"HTTP/1.1 500 No\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = tmp_path / "url"
    url.touch(0o600)
    url.write_text(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/{SECRET}")
    service = await start(webhook_file=str(url))
    service.note("lost_events")
    await wait_until_async(lambda: service.figures[0]["failures_total"] == 1, what="the failure")
    server.close()
    assert service.figures == ({"calls_total": 2, "failures_total": 1}, "webhook HTTP 500")
    assert b"lost_events" in got[0]
    assert service.calls[0]["alerts"][0]["kind"] == "lost_events"
    assert SECRET not in str(service.lines)


async def test_a_service_that_was_replaced_does_not_repeat_old_incidents(start: Start) -> None:
    def prepare(service: Service) -> None:
        service.note("leak", "engine", at_ns=time.time_ns() - 60_000_000_000)
        service.note("guard", "")

    service = await start(2, prepare)
    await wait_until_async(lambda: service.calls, what="a call")
    assert [each["kind"] for each in service.calls[0]["alerts"]] == ["guard"]


async def test_incidents_of_before_the_first_start_are_sent(start: Start) -> None:
    service = await start(1, lambda service: service.note("leak", "engine", at_ns=1))
    await wait_until_async(lambda: service.calls, what="a call")
    assert [each["kind"] for each in service.calls[0]["alerts"]] == ["leak"]


@pytest.mark.parametrize("content", ["ftp://x", f"https://u:{SECRET}@x/"])
async def test_an_invalid_webhook_is_a_mistake(tmp_path: Path, content: str) -> None:
    url = tmp_path / "url"
    url.touch(0o600)
    url.write_text(content)
    service = Service(tmp_path, AlertSettings(webhook_file=str(url), deadline_s=1.0, calls_per_minute=1), 1)
    assert await run(cast(ChildContext, service)) == ChildExit.CONFIGURATION
    assert str(url) in service.reasons[0]
    assert SECRET not in service.reasons[0]
    url.chmod(0o644)
    assert await run(cast(ChildContext, service)) == ChildExit.CONFIGURATION
    assert "chmod 600" in service.reasons[1]


async def test_stopping_ends_a_call(start: Start, tmp_path: Path) -> None:
    service = await start(command=f"echo $$ > {tmp_path}/pid; exec sleep 1000", deadline_s=100.0)
    service.note("lost_events")
    await wait_until_async((tmp_path / "pid").exists, what="the command")
    started = time.monotonic()
    service.command(Stop(1.0))
    await wait_until_async(lambda: not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists(), what="its end")
    assert time.monotonic() - started < 10
