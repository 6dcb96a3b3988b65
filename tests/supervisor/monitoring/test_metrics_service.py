"""The service: READY with its address, and what cannot be served is said with the exit code that fits."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Stop, ToChild
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import MetricsSettings
from foxtrot_supervisor.monitoring.metrics_service import NEEDS_EXTRA, run


class Context:
    """A child's context that notes what it is told."""

    def __init__(self, settings: Any, run_dir: Path) -> None:
        self.spec = SimpleNamespace(settings=msgspec.msgpack.encode(settings), run_dir=str(run_dir))
        self.addresses: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        self.reasons: list[str] = []
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.log = SimpleNamespace(error=lambda event, **fields: self.lines.append((event, fields)))
        self.command: Callable[[ToChild], None] = lambda _: None

    def on_command(self, handler: Callable[[ToChild], None]) -> None:
        self.command = handler

    def ready(self, info: dict[str, str]) -> None:
        self.addresses.set_result(info)

    def failed(self, cause: str) -> None:
        self.reasons.append(cause)


async def refused(settings: MetricsSettings, folder: Path) -> tuple[int, str]:
    context = Context(settings, folder)
    code = await asyncio.wait_for(run(cast(ChildContext, context)), 10)
    (reason,) = context.reasons
    assert context.lines == [("metrics_unusable", {"reason": reason})]
    return code, reason


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_it_serves_until_it_is_stopped(tmp_path: Path, host: str) -> None:
    context = Context(MetricsSettings(listen=f"{host}:0"), tmp_path)
    running = asyncio.create_task(run(cast(ChildContext, context)))
    url = (await asyncio.wait_for(context.addresses, 10))["url"]
    assert url.startswith(f"http://{host}:")
    port = int(url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET /health/live HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert b" 503 " in answer  # there is no supervisor
    context.command(Stop(1.0))
    assert await asyncio.wait_for(running, 10) == ChildExit.CLEAN
    with pytest.raises(OSError, match=r"refused|Connect"):
        await asyncio.open_connection(host, port)


async def test_an_address_in_use_is_tried_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        code, reason = await refused(MetricsSettings(listen=listen), tmp_path)
    assert (code, reason) == (ChildExit.CONNECTION_LOST, f"cannot listen at {listen}: Address already in use")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "240.0.0.1"])
async def test_an_address_that_is_not_here_is_tried_again(tmp_path: Path, host: str) -> None:
    code, reason = await refused(MetricsSettings(listen=f"{host}:1"), tmp_path)
    assert code == ChildExit.CONNECTION_LOST
    assert reason.startswith(f"cannot listen at {host}:1: ")


async def test_a_token_that_others_may_read_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("0" * 32)
    (tmp_path / "t").chmod(0o644)
    settings = MetricsSettings(listen="127.0.0.1:0", token_file=str(tmp_path / "t"))
    code, reason = await refused(settings, tmp_path)
    assert (code, "chmod 600" in reason) == (ChildExit.CONFIGURATION, True)


async def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("foxtrot_supervisor.monitoring.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    code, reason = await refused(MetricsSettings(listen="127.0.0.1:0"), tmp_path)
    assert (code, reason) == (ChildExit.CONFIGURATION, NEEDS_EXTRA)
