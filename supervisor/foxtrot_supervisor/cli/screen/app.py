"""The full-screen view of a run: draws what an `Observer` sees, and sends what the operator requests."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import signal
import time
from collections.abc import Callable
from typing import ClassVar, Final

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widgets import Footer, Input, Static

from foxtrot_protocol.control import (
    ReloadRequest,
    Request,
    RestartRequest,
    StopRequest,
    StopWorkersRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.cli.screen.details import Details, IncidentList
from foxtrot_supervisor.cli.screen.dialogs import Confirm, Help, Prompt
from foxtrot_supervisor.cli.screen.output import Output
from foxtrot_supervisor.cli.screen.process_list import ProcessList
from foxtrot_supervisor.cli.screen.texts import engine_text, header_text, incidents_text, market_text
from foxtrot_supervisor.client.observer import Observer
from foxtrot_supervisor.client.trust import NotRunning
from foxtrot_supervisor.report.process_rows import ORDERS, Row, arrange, rows_of, serves

__all__ = ["FRAME_S", "Starter", "TopApp"]

FRAME_S: Final = 0.25
"""Shortest time between two frames, in seconds."""

MARKET_S: Final = 0.3
"""How long the cursor must rest on a connection before its market is followed, in seconds."""

OUTPUT_CHUNK_BYTES: Final = 64 * 1024

ANSWER_S: Final = 120.0
"""Longest wait for the outcome of a request, in seconds."""


class Starter:
    """The supervisor process that started this view for its terminal: `start`.

    Args:
        pid: of the supervisor.
        output: descriptor of what it and its children print, non-blocking.
        alive: descriptor that is readable once the supervisor has ended, or wants the terminal back.
    """

    def __init__(self, pid: int, output: int, alive: int) -> None:
        self.output = output
        self.alive = alive
        self._pidfd = os.pidfd_open(pid)

    def close(self) -> None:
        """Let go of the process."""
        os.close(self._pidfd)

    def interrupt(self) -> None:
        """Do what Ctrl-C does without a view: the first begins the stop, the second kills."""
        with contextlib.suppress(ProcessLookupError):  # it has ended
            signal.pidfd_send_signal(self._pidfd, signal.SIGINT)


class TopApp(App[None]):
    """`starter`: the process that this view belongs to; None: it looks at a run that another has started."""

    CSS: ClassVar[str] = """
    Screen { background: $background; }
    #header { height: 1; }
    ProcessList { height: 1fr; border: round $primary; border-title-color: $text; border-subtitle-color: $text-muted; }
    ProcessList:focus { border: round cyan; }
    #panels { height: 12; }
    #output { display: none; height: 8; border: round $primary; padding: 0 1; text-wrap: nowrap; }
    #output.shown { display: block; }
    #panels Static { border: round $primary; padding: 0 1; height: 100%; border-title-color: $text; }
    #panels Static, #header { text-wrap: nowrap; text-overflow: ellipsis; }
    #incidents { width: 2fr; }
    #engine { width: 1fr; }
    #market { width: 36; }
    #filter { display: none; height: 1; border: none; padding: 0 1; background: $surface; }
    #filter.shown { display: block; }
    .small #panels { height: 7; }
    .small #market, .small #engine { display: none; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = [  # noqa: RUF012 (textual declares it so)
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("enter", "details", "details"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("s", "order(1)", "sort"),
        Binding("S", "reverse", "reverse", show=False),
        Binding("space", "fold", "fold", show=False),
        Binding("i", "incidents", "incidents"),
        Binding("left_square_bracket", "symbol(-1)", "previous symbol", show=False),
        Binding("right_square_bracket", "symbol(1)", "symbol", key_display="]"),
        Binding("r", "restart", "restart"),
        Binding("d", "drain", "drain", show=False),
        Binding("u", "subscribe", "subscribe"),
        Binding("U", "unsubscribe", "unsubscribe", show=False),
        Binding("R", "reload", "reload"),
        Binding("x", "stop", "stop"),
        Binding("q", "leave", "quit"),
        Binding("ctrl+c", "interrupt", "quit", show=False, priority=True),
        Binding("escape", "clear", "clear the filter", show=False),
    ]

    def __init__(self, run_dir: str, interval_s: float, starter: Starter | None = None) -> None:
        super().__init__()
        self.animation_level = "none"
        self.observer = Observer(run_dir, interval_s=interval_s)
        self._starter = starter
        self._order = 0
        self._reverse = False
        self._words = ""
        self._folded: set[str] = set()
        self._symbols: list[tuple[str, str]] = []
        self.output = Output()
        """What the supervisor and its children have printed, of a view that belongs to `start`."""

    def compose(self) -> ComposeResult:
        yield Static(id="header")
        yield ProcessList()
        yield Input(id="filter", compact=True, placeholder="words that the rows must contain")
        yield Static(id="output")
        with Horizontal(id="panels"):
            yield Static(id="incidents")
            yield Static(id="engine")
            yield Static(id="market")
        yield Footer()

    def on_mount(self) -> None:
        for name in ("incidents", "engine", "market", "output"):
            self._panel(name).border_title = name
        self.query_one(ProcessList).focus()
        self.draw()
        self.run_worker(self._watch(), exit_on_error=True)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.exit)
        if self._starter is not None:
            loop.add_reader(self._starter.alive, self._starter_ended)
            loop.add_reader(self._starter.output, self._take_output, self._starter.output)

    def on_resize(self) -> None:
        self.set_class(self.size.height < 30, "small")

    # ---- what is seen

    async def _watch(self) -> None:
        version = 0
        async with self.observer as observer:
            while True:
                version = await observer.changed(version)
                self.draw()
                await asyncio.sleep(FRAME_S)

    def draw(self) -> None:
        """Draw the present state."""
        observer = self.observer
        if not self.query(ProcessList):
            return  # the view is ending
        self.query_one("#header", Static).update(
            header_text(
                observer.status,
                connected=observer.connected,
                problem=observer.problem,
                for_s=time.monotonic() - observer.changed_at,
                incidents=observer.incidents[-1]["seq"] if observer.incidents else 0,
                run_dir=observer.run_dir,
            )
        )
        self._draw_list()
        if observer.market is None:
            self._follow_cursor()
        lines = self._panel("incidents").size.height
        engine, market = self._panel("engine"), observer.market
        self._panel("incidents").update(incidents_text(observer.incidents, local, max(1, lines)))
        engine.update(engine_text(observer.status, observer.history, engine.size.width, max(3, lines)))
        self._panel("market").border_title = (
            f"market {market.symbol}.{market.exchange}" if market and market.symbol else "market"
        )
        self._panel("market").update(market_text(market, time.time_ns(), max(4, lines)))

    def _draw_list(self) -> None:
        table = self.query_one(ProcessList)
        rows = rows_of(self.observer.status)
        order = ORDERS[self._order]
        shown = arrange(rows, words=self._words, order=order, reverse=self._reverse, closed=self._folded)
        table.show(shown, self.observer.history)
        table.border_title = "connections" + (f", filter: {self._words}" if self._words else "")
        table.border_subtitle = f"order: {order[0]}{', reversed' if self._reverse else ''}  {len(shown)} rows"

    def _panel(self, name: str) -> Static:
        return self.query_one(f"#{name}", Static)

    # ---- the market

    def on_process_list_moved(self) -> None:
        """Follow the market of the connection at the cursor, once it rests there."""
        self.set_timer(MARKET_S, self._follow_cursor)

    def _follow_cursor(self) -> None:
        if not self.query(ProcessList):
            return  # the view is ending
        row, market = self.query_one(ProcessList).selected, self.observer.market
        if market is None and (row is None or not serves(row.data)):
            rows = (each for each in rows_of(self.observer.status) if each.kind != "process")
            row = next((each for each in rows if serves(each.data)), None)
        if row is None or row.kind == "process":
            return
        name = str(row.data.get("name"))
        if market is None or market.worker != name:
            self._symbols = []
            self.observer.watch(worker=name)

    def action_symbol(self, by: int) -> None:
        """Show the market of the next, or previous, symbol of this worker."""
        market = self.observer.market
        if market is None:
            return
        self._symbols = sorted({*self._symbols, *market.symbols, (market.exchange, market.symbol)})
        at = self._symbols.index((market.exchange, market.symbol))
        exchange, symbol = self._symbols[(at + by) % len(self._symbols)]
        self.observer.watch(market.worker, exchange, symbol)

    # ---- the list

    def action_filter(self) -> None:
        """Type the filter."""
        entry = self.query_one("#filter", Input)
        entry.add_class("shown")
        entry.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "filter":
            self._words = event.value.strip()
            self._draw_list()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "filter":
            event.input.remove_class("shown")
            self.query_one(ProcessList).focus()

    def action_clear(self) -> None:
        """Show all rows."""
        entry = self.query_one("#filter", Input)
        entry.value = ""
        entry.remove_class("shown")
        self.query_one(ProcessList).focus()

    def action_order(self, by: int) -> None:
        """Take the next order of rows."""
        self._order = (self._order + by) % len(ORDERS)
        self._draw_list()

    def action_reverse(self) -> None:
        """Reverse the order of rows."""
        self._reverse = not self._reverse
        self._draw_list()

    def action_fold(self) -> None:
        """Show or hide the workers of a connection."""
        row = self.query_one(ProcessList).selected
        if row is None or row.kind == "process":
            return
        name = row.name if row.children else str(row.data.get("shard_of") or row.data.get("connection"))
        self._folded ^= {name}
        self._draw_list()
        self.query_one(ProcessList).select(name)

    def action_details(self) -> None:
        """Show everything about the row of the cursor."""
        row = self.query_one(ProcessList).selected
        if row is not None:
            self.push_screen(Details(self.observer, local, row.name))

    def on_process_list_chosen(self) -> None:
        """A row was clicked twice."""
        self.action_details()

    def action_incidents(self) -> None:
        """Show all incidents."""
        self.push_screen(IncidentList(self.observer, local))

    def action_help(self) -> None:
        """Show the keys."""
        whole = "begins the stop of the run; Ctrl-C again kills what is left"
        self.push_screen(Help(whole if self._starter is not None else "leave the view; the run goes on"))

    # ---- requests

    def action_restart(self) -> None:
        """Restart the selected process, after a question."""
        self._on_selected(
            lambda row: self._confirm(
                f"Restart {row.name}?",
                f"{_processes(row)} stopped in order and started again. "
                + ("Its handlers see nothing meanwhile; events wait in the rings." if row.name == "engine" else ""),
                RestartRequest(row.name),
                f"{row.name} has been restarted",
            )
        )

    def action_drain(self) -> None:
        """Drain and stop the selected worker, or those of the connection, after a question."""
        self._on_selected(
            lambda row: self._confirm(
                f"Stop {row.name}?",
                "What has been received is handled. It stays stopped until a restart.",
                StopWorkersRequest([row.name]),
                f"{row.name} has been stopped",
            )
        )

    def action_subscribe(self) -> None:
        """Subscribe further symbols of the selected connection."""
        self._on_selected(lambda row: self._ask_symbols(row, added=True))

    def action_unsubscribe(self) -> None:
        """Unsubscribe symbols of the selected connection, after a question."""
        self._on_selected(lambda row: self._ask_symbols(row, added=False))

    def action_reload(self) -> None:
        """Read the configuration again, after a question."""
        consequence = "New connections are started, removed ones stopped, changed ones replaced."
        self._confirm("Reload the configuration?", consequence, ReloadRequest(), "the configuration has been reloaded")

    def action_stop(self) -> None:
        """Stop the run, after a question."""
        consequence = "All connections are closed in order, rings are drained, handlers are closed."
        self._confirm("Stop the whole run?", consequence, StopRequest(), "everything has ended")

    def action_leave(self) -> None:
        """Leave the view; a view that belongs to `start` ends the run, after a question."""
        if self._starter is None:
            self.exit()
        else:
            self._confirm("Stop the run and leave?", "This terminal runs the supervisor.", None, "")

    def action_interrupt(self) -> None:
        """Ctrl-C: leave, or begin the stop of the run that this terminal runs."""
        if self._starter is None:
            self.exit()
        else:
            self._starter.interrupt()

    def _starter_ended(self) -> None:
        assert self._starter is not None
        asyncio.get_running_loop().remove_reader(self._starter.alive)
        self.exit()

    def _take_output(self, descriptor: int) -> None:
        """Show what the supervisor and its children have printed."""
        try:
            data = os.read(descriptor, OUTPUT_CHUNK_BYTES)
        except BlockingIOError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(descriptor)
            return
        self.output.feed(data)
        panel = self._panel("output")
        panel.add_class("shown")
        panel.update(Text("\n".join(self.output.latest(max(1, panel.size.height)))))

    def action_suspend_process(self) -> None:
        """Stop for the shell (Ctrl-Z), except in a view that is not the shell's own job."""
        if self._starter is None:
            super().action_suspend_process()

    def _on_selected(self, act: Callable[[Row], None]) -> None:
        row = self.query_one(ProcessList).selected
        if row is not None and row.is_remote:
            self._say(f"{row.name} runs on another node: see cluster apply and cluster drain", failed=True)
        elif row is not None:
            act(row)

    def _confirm(self, question: str, consequence: str, request: Request | None, success: str) -> None:
        """Ask; then send `request`, or without one interrupt the starter."""

        def answered(yes: bool | None) -> None:
            if not yes:
                return
            if request is not None:
                self._send(request, success)
            elif self._starter is not None:
                self._starter.interrupt()

        self.push_screen(Confirm(question, consequence), answered)

    def _ask_symbols(self, row: Row, *, added: bool) -> None:
        def answered(line: str | None) -> None:
            symbols = (line or "").replace(",", " ").split()
            if not symbols:
                return
            if added:
                self._send(SubscribeRequest(row.name, symbols), f"{row.name} has subscribed {', '.join(symbols)}")
                return
            request = UnsubscribeRequest(row.name, symbols)
            question = f"Unsubscribe {', '.join(symbols)} of {row.name}?"
            self._confirm(question, "No further events of them come.", request, f"{row.name} has unsubscribed them")

        self.push_screen(Prompt(f"{'Subscribe' if added else 'Unsubscribe'}: symbols of {row.name}"), answered)

    def _send(self, request: Request, success: str) -> None:
        self.run_worker(self._outcome(request, success), exit_on_error=False)

    async def _outcome(self, request: Request, success: str) -> None:
        self.notify("requested ...", timeout=2)
        try:
            reply = await self.observer.request(request, ANSWER_S)
        except (NotRunning, MalformedMessage) as error:
            self._say(str(error), failed=True)
        except TimeoutError:
            self._say(f"no answer within {ANSWER_S:g} s", failed=True)
        else:
            self._say(reply.error or success, failed=bool(reply.error))

    def _say(self, text: str, *, failed: bool) -> None:
        # texts of a supervisor are no markup
        self.notify(text, severity="error" if failed else "information", timeout=8, markup=False)


def _processes(row: Row) -> str:
    return "It is" if row.kind != "connection" else f"Its {len(row.members)} workers are, one after the other,"


def local(at_ns: int) -> datetime.datetime:
    """Return a time in the time zone of this machine."""
    return datetime.datetime.fromtimestamp(at_ns / 1e9).astimezone()
