"""The screen of one process: figures, last exits, topics, incidents, stacks, and its log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from foxtrot_protocol.control import LogsRequest
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.log_text import console_text
from foxtrot_supervisor.cli.screen.texts import Local, details_text, incident_text
from foxtrot_supervisor.client.observer import Observer
from foxtrot_supervisor.client.trust import NotRunning
from foxtrot_supervisor.report.process_rows import rows_of

__all__ = ["LOG_LINES_SHOWN", "Details", "IncidentList"]

LOG_LINES_SHOWN: Final = 200
"""Latest log lines shown."""

_REMOTE_LOG: Final = Text("\nits log is on its node", style="dim")

_REFRESH_S: Final = 1.0
_LOG_ANSWER_S: Final = 5.0


class _Scrolled(Screen[None]):
    BINDINGS = [("escape,q,enter", "leave", "back")]  # noqa: RUF012 (textual declares it so)
    DEFAULT_CSS: ClassVar[str] = """
    _Scrolled VerticalScroll { height: 1fr; padding: 0 1; border: round $primary; }
    _Scrolled Static { height: auto; }
    """

    def __init__(self, observer: Observer, local: Local) -> None:
        super().__init__()
        self.observer = observer
        self.local = local

    def compose(self) -> ComposeResult:
        with VerticalScroll() as scroll:
            yield Static(id="facts")
            yield Static(id="log")
        scroll.focus()
        yield Footer()

    def on_mount(self) -> None:
        self.set_interval(_REFRESH_S, self.show)
        self.call_after_refresh(self.show)

    async def show(self) -> None:
        """Show what is known now."""

    def action_leave(self) -> None:
        """Go back to the list."""
        self.dismiss(None)


class Details(_Scrolled):
    """One process, or each worker of a connection."""

    def __init__(self, observer: Observer, local: Local, name: str) -> None:
        super().__init__(observer, local)
        self._shown = name

    async def show(self) -> None:
        """Show what is known now."""
        rows = rows_of(self.observer.status)
        found = [row for each in rows for row in (each, *each.children) if row.name == self._shown]
        self.query_one(VerticalScroll).border_title = self._shown
        if not found:
            self.query_one("#facts", Static).update(Text(f"there is no {self._shown} any more", style="yellow"))
            return
        parts = [details_text(each, self._incidents(each), self.local) for each in found[0].members]
        self.query_one("#facts", Static).update(Text("\n\n").join(parts))
        self.query_one("#log", Static).update(_REMOTE_LOG if found[0].is_remote else await self._log())

    def _incidents(self, process: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        return [each for each in self.observer.incidents if each.get("worker") == process.get("name")]

    async def _log(self) -> Text:
        try:
            reply = await self.observer.request(LogsRequest(worker=self._shown), _LOG_ANSWER_S)
        except (NotRunning, MalformedMessage, TimeoutError) as error:
            return Text(f"\nno log: {error}", style="dim")
        lines = (reply.data.get("lines") or [])[-LOG_LINES_SHOWN:]
        text = Text("\nlog", style="bold cyan")
        for line in lines:
            style = {"warning": "yellow", "error": "bold red"}.get(str(line.get("level")), "not bold default")
            text.append(f"\n{console_text(line, short=True)}", style=style)
        return text if lines else Text("\nno log line of it is kept", style="dim")


class IncidentList(_Scrolled):
    """All incidents that are kept, the latest first."""

    async def show(self) -> None:
        """Show what is known now."""
        self.query_one(VerticalScroll).border_title = "incidents"
        missed = self.observer.incidents_missed
        lines = [incident_text(each, self.local) for each in reversed(self.observer.incidents)]
        if missed:
            lines.append(Text(f"{missed} earlier ones are not kept any more", style="dim"))
        self.query_one("#facts", Static).update(Text("\n").join(lines) if lines else Text("none since the start"))
