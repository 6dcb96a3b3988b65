"""The list of connections and processes. Only the rows on the screen are rendered."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from foxtrot_supervisor.cli.screen.columns import CLUSTER_COLUMNS, COLUMNS, Column, fitting, name_cell
from foxtrot_supervisor.client.history import History
from foxtrot_supervisor.report.process_rows import Row

__all__ = ["ProcessList"]

_HEADER = Style.parse("bold cyan")
_CURSOR = Style.parse("on grey27")
_THUMB = Style.parse("cyan")
_TRACK = Style.parse("grey23")
_NAMES = {"connection": Style.parse("bold"), "worker": Style.null(), "process": Style.parse("italic")}


class ProcessList(Widget, can_focus=True):
    """A header and rows with a cursor."""

    BINDINGS = [  # noqa: RUF012 (textual declares it so)
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home,g", "go(0)", "first", show=False),
        Binding("end,G", "go(-1)", "last", show=False),
    ]

    class Moved(Message):
        """The cursor stands on another row."""

    class Chosen(Message):
        """The row of the cursor was clicked twice."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: Sequence[Row] = ()
        self._columns: Sequence[Column] = COLUMNS
        self._history = History()
        self._at = 0
        self._top = 0
        self._styles: dict[str, Style] = {}

    @property
    def selected(self) -> Row | None:
        """The row of the cursor."""
        return self._rows[self._at] if self._rows else None

    def show(self, rows: Sequence[Row], history: History) -> None:
        """Show other rows; the cursor stays on the row of the same name, where there is one."""
        before = self.selected
        self._rows, self._history = rows, history
        self._columns = CLUSTER_COLUMNS if any(row.is_remote for row in rows) else COLUMNS
        if before is not None:
            found = (at for at, row in enumerate(rows) if (row.kind, row.name) == (before.kind, before.name))
            self._at = next(found, self._at)
        self._settle()
        after = self.selected
        if before is None or after is None or before.name != after.name:
            self.post_message(self.Moved())

    def select(self, name: str) -> None:
        """Put the cursor on the row of a name."""
        self._go(next((at for at, row in enumerate(self._rows) if row.name == name), self._at))

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self._go(self._at + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by screens."""
        self._go(self._at + by * self._lines)

    def action_go(self, to: int) -> None:
        """Move the cursor to a row; -1: the last."""
        self._go(len(self._rows) - 1 if to < 0 else to)

    def on_mouse_scroll_down(self, _: events.MouseScrollDown) -> None:
        self._go(self._at + 3)

    def on_mouse_scroll_up(self, _: events.MouseScrollUp) -> None:
        self._go(self._at - 3)

    def on_click(self, event: events.Click) -> None:
        if event.y > 0:
            self._go(self._top + event.y - 1)
            if event.chain == 2:
                self.post_message(self.Chosen())

    def on_resize(self, _: events.Resize) -> None:
        self._settle()

    @property
    def _lines(self) -> int:
        return max(1, self.size.height - 1)

    def _go(self, to: int) -> None:
        before, self._at = self._at, to
        self._settle()
        if self._at != before:
            self.post_message(self.Moved())

    def _settle(self) -> None:
        """Keep the cursor within the rows and on the screen."""
        self._at = max(0, min(self._at, len(self._rows) - 1))
        self._top = max(0, min(self._top, len(self._rows) - self._lines))
        self._top = max(self._at - self._lines + 1, min(self._top, self._at))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Render one line of the screen; called for changed lines only."""
        width = self.size.width - 1
        name_width, columns = fitting(width, self._columns)
        if y == 0:
            return self._header(name_width, columns, width)
        at = self._top + y - 1
        if at >= len(self._rows):
            return Strip.blank(self.size.width)
        row = self._rows[at]
        segments = [_cell(name_cell(row), name_width, _NAMES[row.kind], left=True)]
        for column in columns:
            text, style = column.cell(row, self._history)
            segments.append(_cell(text, column.width, self._style(style), left=column.left, space=True))
        line = Strip(segments).adjust_cell_length(width)
        if at == self._at and self.has_focus:
            line = line.apply_style(_CURSOR)
        return Strip([*line, self._scroll_bar(y)], self.size.width)

    def _header(self, name_width: int, columns: Sequence[Column], width: int) -> Strip:
        titles = [_cell("connection", name_width, _HEADER, left=True)]
        titles += [_cell(each.title, each.width, _HEADER, left=each.left, space=True) for each in columns]
        return Strip(titles).adjust_cell_length(width + 1)

    def _scroll_bar(self, y: int) -> Segment:
        if len(self._rows) <= self._lines:
            return Segment(" ")
        first = self._top * self._lines // len(self._rows)
        last = max(first, (self._top + self._lines) * self._lines // len(self._rows) - 1)
        return Segment("┃", _THUMB) if first <= y - 1 <= last else Segment("│", _TRACK)

    def _style(self, text: str) -> Style:
        style = self._styles.get(text)
        if style is None:
            style = self._styles[text] = Style.parse(text)
        return style


def _cell(text: str, width: int, style: Style, *, left: bool, space: bool = False) -> Segment:
    """A cell, cut to its width; names are ASCII (names of the configuration) but for the lines of the tree."""
    shown = text if len(text) <= width else text[: width - 1] + "…"
    return Segment((" " if space else "") + (shown.ljust(width) if left else shown.rjust(width)), style)
