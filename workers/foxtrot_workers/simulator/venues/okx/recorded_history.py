"""Past trades of OKX, page by page as its REST API returns them. Pure.

They are all trades of a recording's ``trades`` frames, including those that are not played yet and those that a fault
did not let through.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from foxtrot_workers.simulator.venues.answer import Answer

__all__ = ["PAGE_MAX", "WEIGHT", "OkxHistory"]

PAGE_MAX = 100
WEIGHT = 2

_UNKNOWN_INSTRUMENT = "51001"
_PARAMETER = "51000"


class OkxHistory:
    """Past trades by instrument; `frames` are payloads of the ``trades`` channel."""

    def __init__(self, frames: Iterable[bytes]) -> None:
        rows: dict[str, dict[int, dict[str, Any]]] = {}
        for frame in frames:
            for row in msgspec.json.decode(frame).get("data", ()):
                try:
                    rows.setdefault(row["instId"], {})[int(row["tradeId"])] = row
                except (KeyError, TypeError, ValueError):
                    continue  # a recording may have rows of any form
        self._rows = {name: found for name, found in rows.items() if found}
        self._numbers = {name: sorted(found) for name, found in self._rows.items()}

    def answer(self, query: Mapping[str, str]) -> Answer:
        """Return the answer to ``history-trades``: trades older than ``after``, the latest first, or an error."""
        instrument = query.get("instId", "")
        if instrument not in self._rows:
            return _error(_UNKNOWN_INSTRUMENT, "Instrument ID does not exist")
        after, limit = query.get("after"), query.get("limit", str(PAGE_MAX))
        numbers = (after or "0", limit)
        if query.get("type", "1") != "1" or not all(text.isascii() and text.isdigit() for text in numbers):
            return _error(_PARAMETER, "Parameter error")
        known = self._numbers[instrument]
        end = len(known) if after is None else bisect_left(known, int(after))
        page = known[max(0, end - min(int(limit), PAGE_MAX)) : end]
        rows = [{**self._rows[instrument][number], "source": "0"} for number in reversed(page)]
        return Answer(200, msgspec.json.encode({"code": "0", "msg": "", "data": rows}), WEIGHT)


def _error(code: str, text: str) -> Answer:
    return Answer(200, msgspec.json.encode({"code": code, "msg": text, "data": []}), WEIGHT)
