"""Symbol and channel in the wire name of a topic, for display. Pure.

A status names topics as the exchange spells them (``btcusdt@depth@100ms``, ``books:BTC-USDT``). The split is a guess
that holds for the exchanges known; where it fails, a row or a column of the matrix has another title.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["split_topic"]

_SEPARATORS: Final = re.compile(r"[:.#]|/(?=\d)|(?<=[a-z])/")


def split_topic(topic: str) -> tuple[str, str]:
    """Return symbol and channel of `topic`; the channel is "" where the name has one part only."""
    if "@" in topic:
        symbol, _, channel = topic.partition("@")
        return symbol.upper(), channel
    parts = [part for part in _SEPARATORS.split(topic) if part]
    if len(parts) < 2:
        channel, _, symbol = topic.rpartition("_")
        return (symbol.upper(), channel) if channel else (topic, "")
    place = max(range(len(parts)), key=lambda at: (sum(map(str.isupper, parts[at])), -at))
    if sum(map(str.isupper, parts[place])) < 2:
        place = 1
    return parts[place], " ".join(parts[:place] + parts[place + 1 :])
