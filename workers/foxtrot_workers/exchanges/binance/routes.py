"""Which parser a frame needs, told by its first bytes.

Every combined frame begins with ``{"stream":"NAME"``; these bytes are the key. Raw frames and other key orders take a
slower path, by the name of their stream.
"""

from __future__ import annotations

from msgspec import UNSET

from foxtrot_workers.adapter import UnrecognizedFrame
from foxtrot_workers.exchanges.binance.messages import OtherMessage, decode_forced_symbol
from foxtrot_workers.exchanges.binance.parsers import Parser

__all__ = ["HEAD_BYTES", "Routes"]

_PREFIX = b'{"stream":"'
_PREFIX_LENGTH = len(_PREFIX)

HEAD_BYTES = 35
"""Length of a frame's head: enough for most stream names, and what follows a short name is the same in each frame."""

HEADS_MAX = 10_000


class Routes:
    """Parsers of one connection by stream.

    `by_head` is public for the hot path: it maps the first `HEAD_BYTES` of frames seen to their parser. Finding the end
    of the stream's name takes longer than this look-up.
    """

    def __init__(self) -> None:
        self.by_head: dict[bytes, Parser] = {}
        self.wire_by_head: dict[bytes, str] = {}
        """The stream of each of these heads."""
        self._by_beginning: dict[bytes, Parser] = {}
        """By the beginning of a frame, up to the end of the stream's name: one look-up compares all of it."""

    def __len__(self) -> int:
        return len(self._by_beginning)

    def __contains__(self, wire: str) -> bool:
        return _beginning(wire) in self._by_beginning

    def get(self, wire: str) -> Parser | None:
        """Return the parser of the stream `wire`; None if there is none."""
        return self._by_beginning.get(_beginning(wire))

    def add(self, wire: str, parser: Parser) -> None:
        """Send frames of the stream `wire` to `parser`."""
        self._by_beginning[_beginning(wire)] = parser

    def remove(self, wire: str) -> None:
        """Forget the stream `wire`."""
        self._by_beginning.pop(_beginning(wire), None)
        self.by_head.clear()
        self.wire_by_head.clear()

    def find(self, frame: bytes) -> Parser | None:
        """Return the parser of a combined frame, and remember its head; None for frames of any other form."""
        end = frame.find(b'"', _PREFIX_LENGTH)
        parser = self._by_beginning.get(frame[:end])
        if parser is not None and end < HEAD_BYTES and len(self.by_head) < HEADS_MAX:
            # the head holds the whole name and the quotation mark after it: no other stream's frame begins so
            self.by_head[frame[:HEAD_BYTES]] = parser
            self.wire_by_head[frame[:HEAD_BYTES]] = frame[_PREFIX_LENGTH:end].decode()
        return parser

    def stream_of(self, message: OtherMessage, raw_stream: str) -> str:
        """Return the stream of a raw frame, which does not name it.

        Args:
            message: the frame.
            raw_stream: the stream that the address names; "" if it names none.

        Raises:
            UnrecognizedFrame: the frame is of no known type.
        """
        symbol = message.symbol.lower()
        if message.event in ("trade", "aggTrade"):
            return f"{symbol}@{message.event}"
        if message.event == "24hrTicker":
            return f"{symbol}@ticker"
        if message.event == "kline" and message.kline is not UNSET:
            return f"{symbol}@kline_{message.kline.interval}"
        if message.event == "depthUpdate":
            fast, slow = f"{symbol}@depth@100ms", f"{symbol}@depth"
            return slow if slow in self and fast not in self else fast
        if message.event == "markPriceUpdate":
            fast, slow = f"{symbol}@markPrice@1s", f"{symbol}@markPrice"
            return slow if slow in self and fast not in self else fast
        if message.event == "forceOrder" and message.order is not UNSET:
            return f"{decode_forced_symbol(message.order).symbol.lower()}@forceOrder"
        is_quote = symbol and message.update_id is not UNSET and message.bid is not UNSET
        if is_quote and message.event in ("", "bookTicker"):
            return f"{symbol}@bookTicker"
        if message.last_update_id is not UNSET and raw_stream:
            return raw_stream
        raise UnrecognizedFrame(message.event or "message without event name")


def _beginning(wire: str) -> bytes:
    """Return how a combined frame of this stream begins, up to the quotation mark that ends the name."""
    return _PREFIX + wire.encode()
