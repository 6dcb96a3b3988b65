"""Questions and help, as screens above the view."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

__all__ = ["Confirm", "Help", "Prompt"]

_BOX = """
{name} {{ align: center middle; background: black 60%; }}
{name} > Vertical {{ width: auto; max-width: 90%; height: auto; padding: 1 2; }}
{name} > Vertical {{ border: round {colour}; background: $surface; }}
{name} Static {{ width: auto; max-width: 100%; }}
"""


class Confirm(ModalScreen[bool]):
    """Asks before something is destroyed; only ``y`` confirms."""

    DEFAULT_CSS: ClassVar[str] = _BOX.format(name="Confirm", colour="yellow")

    def __init__(self, question: str, consequence: str) -> None:
        super().__init__()
        self._question = question
        self._consequence = consequence

    def compose(self) -> ComposeResult:
        text = Text.assemble((self._question, "bold"), "\n\n", self._consequence, "\n\n", ("y", "bold"), " yes    ")
        yield Vertical(Static(text.append("any other key: no")))

    def on_key(self, event: events.Key) -> None:
        event.stop()
        self.dismiss(event.key == "y")


class Prompt(ModalScreen[str]):
    """Asks for a line of text; "" where it is left by Escape."""

    DEFAULT_CSS: ClassVar[str] = _BOX.format(name="Prompt", colour="cyan") + "Prompt Input { width: 60; }"
    BINDINGS = [("escape", "leave", "leave")]  # noqa: RUF012 (textual declares it so)

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        yield Vertical(
            Static(Text(self._question, style="bold")), Input(compact=True), Static(Text("Enter, or Escape"))
        )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())

    def action_leave(self) -> None:
        """Give no answer."""
        self.dismiss("")


HELP = (
    ("↑ ↓ j k  PgUp PgDn  Home End", "move"),
    ("Enter", "details: last exits, topics, incidents, stacks, log"),
    ("Space", "show or hide the workers of a connection"),
    ("/", "filter by name, exchange, state or cause; Escape clears it"),
    ("s  S", "next order; the other way round"),
    ("[ ]", "previous, next symbol of the market"),
    ("i", "all incidents"),
    ("", ""),
    ("r", "restart the worker, or each of the connection in turn"),
    ("d", "drain and stop the worker, or those of the connection, until a restart"),
    ("u  U", "subscribe, unsubscribe symbols"),
    ("R", "reload the configuration"),
    ("x", "stop the whole run: workers end in order, rings are drained"),
    ("", ""),
    ("?", "this help"),
    ("q", "leave the view; the run goes on"),
)


class Help(ModalScreen[None]):
    """The keys; any key leaves."""

    DEFAULT_CSS: ClassVar[str] = _BOX.format(name="Help", colour="cyan")

    def __init__(self, leaving: str) -> None:
        """`leaving`: what ``q`` and Ctrl-C do."""
        super().__init__()
        self._leaving = leaving

    def compose(self) -> ComposeResult:
        text = Text("Keys\n", style="bold cyan")
        for keys, effect in (*HELP[:-1], ("q  Ctrl-C", self._leaving)):
            text.append(f"\n  {keys:<30}", style="bold")
            text.append(effect, style="not bold default")
        yield Vertical(Static(text))

    def on_key(self, event: events.Key) -> None:
        event.stop()
        self.dismiss(None)
