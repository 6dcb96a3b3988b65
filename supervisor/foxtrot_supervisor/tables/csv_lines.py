"""Lines of ``events`` and ``replay`` as CSV: one row for each event, one set of columns for all kinds. Pure.

A column that an event does not have is empty, as is null; true and false are words. Levels of books are JSON text in
the columns ``bids`` and ``asks``, or, with a depth, columns of their own: ``bid1``, ``bid1_size``, ``ask1``, ….
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

__all__ = ["DEPTH_MAX", "EVENT_COLUMNS", "LIVE_COLUMNS", "CsvLines"]

DEPTH_MAX = 100
"""Largest depth that has columns of its own."""

_COMMON = ("kind", "exchange", "symbol", "instrument", "ts")

LIVE_COLUMNS = ("event", "receive_ns", "publish_ns", "redelivered", "backfilled")
"""Keys that a line of ``events`` has beyond those of ``replay``."""

_BEST = ("bid", "bid_size", "ask", "ask_size")
_DAY = ("last", "open", "high", "low", "volume", "turnover")

EVENT_COLUMNS: dict[str, tuple[str, ...]] = {
    "trade": ("price", "amount", "side", "id", "count"),
    "quote": _BEST,
    "book": ("type", "seq", "checksum", "bids", "asks"),
    "ticker": (*_DAY, *_BEST),
    "candle": ("start", "interval", "open", "high", "low", "close", "volume", "closed"),
    "funding": ("rate", "next"),
    "mark_price": ("price",),
    "open_interest": ("amount",),
    "liquidation": ("side", "price", "amount"),
    "status": ("topic", "state", "age_s"),
    "gap": ("stream", "first_id", "last_id", "start_ns", "end_ns", "cause", "filled"),
}
"""Keys of the lines of each kind, beyond those that all have."""


class CsvLines:
    """Makes rows of lines; the first one is preceded by the header."""

    def __init__(
        self, kinds: Sequence[str], *, first: Sequence[str] = (), live: bool = False, depth: int | None = None
    ) -> None:
        """`kinds`: that come, empty: all; `first`: further columns, before all others; `live`: lines of ``events``."""
        chosen = [kind for kind in EVENT_COLUMNS if kind in kinds or not kinds]
        own = dict.fromkeys(column for kind in chosen for column in EVENT_COLUMNS[kind])
        self._depth = depth
        levels: tuple[str, ...] = ()
        if depth is not None and "bids" in own:
            del own["bids"], own["asks"]
            levels = tuple(
                f"{side}{level}{size}"
                for level in range(1, depth + 1)
                for side in ("bid", "ask")
                for size in ("", "_size")
            )
        self.columns = (*first, *_COMMON, *(LIVE_COLUMNS if live else ()), *own, *levels)
        self._text: list[str] = []
        self._writer = csv.writer(self, lineterminator="\n")
        self._writer.writerow(self.columns)

    def write(self, text: str) -> None:
        """Take text from `csv.writer`."""
        self._text.append(text)

    def text(self, lines: Sequence[Mapping[str, Any]]) -> str:
        """Return the rows of `lines`."""
        for line in lines:
            if self._depth is not None and line["kind"] == "book":
                line = {**line, **_levels(line)}
            self._writer.writerow([_cell(line.get(column)) for column in self.columns])
        made = "".join(self._text)
        self._text.clear()
        return made


def _levels(line: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns of a book's levels; a book that is not known has none."""
    return {
        f"{side}{number}{suffix}": value
        for side in ("bid", "ask")
        for number, level in enumerate(line[f"{side}s"] or (), 1)
        for suffix, value in zip(("", "_size"), level, strict=True)
    }


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return msgspec.json.encode(value).decode()
    return value
