"""A run with an operator socket, played: for tests that drive the view by textual's pilot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Static

from foxtrot_protocol.control import IncidentsRequest, LogsRequest, Reply, Request, StatusRequest
from foxtrot_protocol.endpoints import operator_path
from foxtrot_supervisor.cli.screen.app import TopApp
from foxtrot_supervisor.runtime.control_server import ControlServer
from tests.support.statuses import STATUS

__all__ = ["PlayedRun", "driven", "shown", "until"]

LIMIT_S = 20.0
POLL_S = 0.05


class PlayedRun:
    """Answers as a supervisor does; `asked` has the requests that change something."""

    def __init__(self) -> None:
        self.status: dict[str, Any] = STATUS
        self.incidents: list[dict[str, Any]] = []
        self.log: list[dict[str, Any]] = []
        self.asked: list[Request] = []
        self.error = ""

    async def answer(self, request: Request) -> Reply:
        """Answer one request."""
        if isinstance(request, StatusRequest):
            return Reply(data=self.status)
        if isinstance(request, IncidentsRequest):
            return Reply(data={"incidents": self.incidents[request.after :], "first_seq": 1, "more": False})
        if isinstance(request, LogsRequest):
            return Reply(data={"lines": self.log})
        self.asked.append(request)
        return Reply(error=self.error)


@asynccontextmanager
async def driven(folder: Path, run: PlayedRun, size: tuple[int, int] = (150, 44)) -> AsyncIterator[Pilot[None]]:
    """Show `run` in a view that has seen it, and close both."""
    server = ControlServer(operator_path(str(folder)), run.answer)
    await server.start()
    app = TopApp(str(folder), 0.05)
    try:
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: app.observer.connected)
            yield pilot
    finally:
        await server.close()


async def until(pilot: Pilot[None], condition: Callable[[], Any]) -> None:
    """Let the view go on until `condition` holds."""
    for _ in range(int(LIMIT_S / POLL_S)):
        if condition():
            return
        await pilot.pause(POLL_S)
    raise AssertionError("the view does not get there")


def shown(pilot: Pilot[None], widget: str) -> str:
    """Return the text of a panel of the present screen, "" before it is there."""
    return "".join(str(each.content) for each in pilot.app.screen.query(widget).results(Static))
