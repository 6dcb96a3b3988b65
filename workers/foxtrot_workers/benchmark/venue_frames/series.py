"""A series of frames: one wire form, with identifiers and times that advance from frame to frame. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

__all__ = ["SIDE_LEVELS", "FrameSeries", "VenueFrames"]

SIDE_LEVELS = 10
"""Levels of each side in a frame of 20 levels."""

START_MS = 1_767_571_200_000
"""Exchange time of frame 0: 2026-01-05, in milliseconds since 1970."""

STEP_MS = 100
"""Between two frames of a series."""

FIRST_ID = 7_700_000_000
BEST_BID = 42_500
"""Bids lie below it, asks above: no frame crosses the book."""

TICK = 0.5


class FrameSeries(Struct, frozen=True):
    """Frames of one subscribed channel; texts are printf templates, filled for each frame number.

    Names in templates: ``id`` and ``previous`` (identifiers), ``ms``, ``us``, ``ns``, ``s`` (times), ``iso`` (time to
    the millisecond, without zone), ``price``, ``size``, ``lots`` (whole number), ``bids``, ``asks`` (levels) and
    ``checksum`` (CRC32 of the digits of asks, then bids, as Kraken defines it).
    """

    channel: str
    symbol: str
    frame: str
    event: str
    """Tag of the event that a frame becomes."""
    level: tuple[str, str] = ('["%(price)s","%(size)s"]', '["%(price)s","%(size)s"]')
    """How a level of the bids, and of the asks, is written; ``place`` is its number on its side."""
    levels: int = 2 * SIDE_LEVELS
    """Levels that a frame of a book changes; 1 where the exchange sends each change alone."""
    before: tuple[str, ...] = ()
    """Frames that come first, with frame number 0: acknowledgement, snapshot."""
    answer: str = ""
    """The answer to the REST request that they cause, with frame number 0."""
    compressed: bool = False
    """Whether the exchange sends gzip."""

    def payload(self, number: int) -> bytes:
        """Frame `number` (1, 2, …), as it is received."""
        return self._payload(self.frame, number)

    def first_payloads(self) -> list[bytes]:
        """The frames of `before`."""
        return [self._payload(template, 0) for template in self.before]

    def answer_body(self) -> bytes:
        """The body of `answer`."""
        return (self.answer % self._values(0)).encode()

    def _payload(self, template: str, number: int) -> bytes:
        text = (template % self._values(number)).encode()
        if not self.compressed:
            return text
        compressor = zlib.compressobj(wbits=31)
        return compressor.compress(text) + compressor.flush()

    def _values(self, number: int) -> dict[str, Any]:
        ms = START_MS + number * STEP_MS
        second = number * STEP_MS // 1000
        bids, asks = _levels(number, -1), _levels(number, 1)
        return {
            "id": FIRST_ID + number,
            "previous": FIRST_ID + number - 1,
            "ms": ms,
            "us": ms * 1_000,
            "ns": ms * 1_000_000,
            "s": ms // 1000,
            "iso": f"2026-01-05T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.{ms % 1000:03d}",
            **bids[number % SIDE_LEVELS],
            "bids": ",".join(self.level[0] % level for level in bids),
            "asks": ",".join(self.level[1] % level for level in asks),
            "checksum": _checksum([*asks, *bids]),
        }


class VenueFrames(Struct, frozen=True):
    """What is measured of one exchange; None: it has no such channel."""

    trade: FrameSeries | None
    quote: FrameSeries | None
    """Of its ticker, where it has no quotes."""
    book: FrameSeries | None


def _levels(number: int, direction: int) -> list[dict[str, Any]]:
    first = BEST_BID if direction < 0 else BEST_BID + 1
    return [
        {
            "place": place,
            "price": f"{first + direction * place * TICK:.2f}",
            "size": f"{place + 1}.{(number * 7 + place) % 100_000:05d}",
            "lots": (number * 7 + place) % 9_000 + 1,
        }
        for place in range(SIDE_LEVELS)
    ]


def _checksum(levels: Sequence[dict[str, Any]]) -> int:
    digits = "".join(
        level["price"].replace(".", "").lstrip("0") + level["size"].replace(".", "").lstrip("0") for level in levels
    )
    return zlib.crc32(digits.encode())
