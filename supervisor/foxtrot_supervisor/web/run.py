"""Runs the web view until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Callable, Collection
from typing import Any

from foxtrot_supervisor.client.observer import Observer
from foxtrot_supervisor.web.access import Policy
from foxtrot_supervisor.web.hub import Hub
from foxtrot_supervisor.web.publisher import Publisher
from foxtrot_supervisor.web.server import Pages, WebServer, load_assets

__all__ = ["serve"]


def serve(
    run_dir: str,
    listening: socket.socket,
    tls: ssl.SSLContext | None,
    policy: Policy,
    report: Callable[[str], None],
) -> None:
    """Serve the run in `run_dir` on the socket `listening` until SIGINT or SIGTERM. `report` gets lines for the log."""
    with asyncio.Runner() as runner:
        runner.run(_serve(run_dir, listening, tls, policy, report))


async def _serve(
    run_dir: str,
    listening: socket.socket,
    tls: ssl.SSLContext | None,
    policy: Policy,
    report: Callable[[str], None],
) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    hub = Hub()
    async with Observer(run_dir) as observer:
        publisher = Publisher(observer, hub)
        pages, mounted = _monitoring(observer)
        server = WebServer(hub, policy, publisher, report, load_assets(), pages=pages, mounted=mounted)
        await server.start(listening, tls)
        publishing = asyncio.create_task(publisher.run(), name="publisher")
        ending = asyncio.create_task(ended.wait())
        await asyncio.wait((publishing, ending), return_when=asyncio.FIRST_COMPLETED)
        for task in (publishing, ending):
            task.cancel()
        await server.close()
        with contextlib.suppress(asyncio.CancelledError):
            await publishing


def _monitoring(observer: Observer) -> tuple[Pages | None, Collection[str]]:
    """Return the pages of metrics and health with their paths; none where the extra ``metrics`` is not installed."""
    try:
        from foxtrot_supervisor.monitoring.pages import PATHS, MetricsPages, NoAnswer
    except ModuleNotFoundError:
        return None, ()

    async def read() -> tuple[float, dict[str, Any]]:
        if not observer.connected:
            raise NoAnswer(observer.problem)
        return observer.status_at, observer.status

    return MetricsPages(read), PATHS
