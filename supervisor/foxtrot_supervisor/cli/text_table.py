"""Rows as text for people: a table where it fits the width, else one block of lines for each row. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

__all__ = ["CELL_CHARS_MAX", "table_lines"]

CELL_CHARS_MAX = 200
"""Characters of a value that are shown."""

_SPACE = "  "

Row = Sequence[str | None]


def table_lines(columns: Sequence[str], rows: Sequence[Row], width: int | None) -> Iterator[str]:
    """Yield lines: a header and a line for each row, or blocks of ``name  value`` where that is wider than `width`.

    `width` is in characters; None: any width will do. Null is shown as nothing, and what would move the cursor as an
    escape.
    """
    shown = [[_cell(value) for value in row] for row in rows]
    widths = [max([cell_len(name), *(cell_len(row[index]) for row in shown)]) for index, name in enumerate(columns)]
    if width is None or sum(widths) + len(_SPACE) * (len(widths) - 1) <= width:
        for row in [list(columns), *shown]:
            yield _SPACE.join(_padded(value, wide) for value, wide in zip(row, widths, strict=True)).rstrip()
        return
    names = max(map(cell_len, columns))
    for number, row in enumerate(shown):
        if number:
            yield ""
        for name, value in zip(columns, row, strict=True):
            yield f"{_padded(name, names)}{_SPACE}{value}".rstrip()


def _cell(value: str | None) -> str:
    if value is None:
        return ""
    short = value if len(value) <= CELL_CHARS_MAX else f"{value[: CELL_CHARS_MAX - 1]}…"
    return short if short.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in short)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
