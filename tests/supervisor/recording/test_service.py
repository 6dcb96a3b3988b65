"""The recorder as a child: it refuses clearly, and shows in its heartbeats how it goes on."""

from __future__ import annotations

import asyncio
import importlib
import os
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
import zstandard
from structlog.testing import capture_logs

from foxtrot_protocol.commands import Heartbeat, Stop
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_supervisor.recording import service
from tests.supervisor.recording.rings import a_recorder, a_ring, settings, shown
from tests.support.waiting import wait_until_async


class Context:
    """What a child has."""

    def __init__(self, tmp_path: Path) -> None:
        packed = msgspec.msgpack.encode(settings(tmp_path))
        self.spec: Any = type("Spec", (), {"settings": packed, "run_dir": str(tmp_path)})()
        self.log = structlog.get_logger()
        self.failures: list[str] = []
        self.info: dict[str, str] = {}
        self.is_ready = asyncio.Event()

    def on_command(self, handler: Any) -> None:
        self.command = handler

    def heartbeat_from(self, source: Any) -> None:
        self.fill = source

    def failed(self, cause: str, retry_after_s: float | None = None) -> None:
        self.failures.append(cause)

    def ready(self, info: dict[str, str] | None = None) -> None:
        self.info = info or {}
        self.is_ready.set()


@pytest.fixture(autouse=True)
def stepped_back(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The priority and the limits of the test process stay; return by how much it steps back, and to what forward."""
    wanted: list[int] = []

    async def step_back(niceness: int) -> None:
        wanted.append(niceness)

    async def step_forward(own: int) -> None:
        wanted.append(own)

    monkeypatch.setattr(service, "step_back", step_back)
    monkeypatch.setattr(service, "step_forward", step_forward)
    monkeypatch.setattr(service, "_allow_files", lambda: None)
    return wanted


async def test_it_records_until_it_is_stopped_and_then_what_is_left(tmp_path: Path, stepped_back: list[int]) -> None:
    ring, context = a_ring(tmp_path), Context(tmp_path)
    ring.received([b"1"], 1)
    running = asyncio.create_task(service.run(context))  # type: ignore[arg-type]
    await context.is_ready.wait()
    assert context.info == {"directory": str(tmp_path / "recordings")}
    await wait_until_async(lambda: bool(stepped_back), 30, "its low priority")
    ring.received([b"2"], 2)
    ring.close()
    context.command(Stop(30.0))
    assert await running == ChildExit.CLEAN
    assert shown(tmp_path) == [1, 2]
    assert stepped_back == [19, os.getpriority(os.PRIO_PROCESS, 0)]
    beat = context.fill(Heartbeat("recorder", 1, 0.0, 0, 0, 0, 0))
    assert (beat.counts["frames_total"], beat.problem) == (2, "")


async def test_a_stop_that_is_too_short_is_said(tmp_path: Path) -> None:
    ring, context = a_ring(tmp_path), Context(tmp_path)
    ring.received([b"1"], 1)  # its worker lives on
    running = asyncio.create_task(service.run(context))  # type: ignore[arg-type]
    await context.is_ready.wait()
    with capture_logs() as logs:
        context.command(Stop(0.3))
        assert await running == ChildExit.CLEAN
    assert [each["event"] for each in logs if each["log_level"] == "error"] == ["recording_unfinished"]
    ring.close()


async def test_what_it_cannot_do_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, context = a_recorder(tmp_path), Context(tmp_path)
    assert await service.run(context) == ChildExit.CONNECTION_LOST  # type: ignore[arg-type]
    recorder.close()
    (tmp_path / "recordings").rmdir()
    (tmp_path / "recordings").write_text("a file")
    assert await service.run(context) == ChildExit.CONNECTION_LOST  # type: ignore[arg-type]

    def missing(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    assert await service.run(context) == ChildExit.CONFIGURATION  # type: ignore[arg-type]
    assert [each.split(":")[0] for each in context.failures] == [
        f"another recorder writes into {tmp_path}/recordings",
        f"cannot record into {tmp_path}/recordings",
        'record = "raw" needs zstandard',
    ]


def test_a_disk_that_does_not_answer_is_a_problem(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)
    recorder.writing_since = time.monotonic() - 7
    beat = service._filled(Heartbeat("recorder", 1, 0.0, 0, 0, 0, 0), recorder)
    assert beat.problem == "the disk has not taken a write for 7 s"
    recorder.writing_since = time.monotonic()
    assert service._filled(Heartbeat("recorder", 1, 0.0, 0, 0, 0, 0), recorder).problem == ""
    recorder.close()


@pytest.mark.parametrize("level", [1, -20])
def test_a_hurried_frame_is_a_complete_one_too(level: int) -> None:
    compress = service.compressor(level)
    assert compress is not None
    plain = b"".join(b'{"t":%d,"raw":"%d"}\n' % (each, each * each % 7919) for each in range(20_000))
    usual, hurried = (compress(memoryview(plain), in_a_hurry) for in_a_hurry in (False, True))
    for packed in (usual, hurried):
        assert zstandard.ZstdDecompressor().decompress(packed) == plain
    assert (len(hurried) > len(usual)) == (level == 1)
