"""Bursts of several kinds of frames, parsed in loops: a fifth less than a call of each stream's parser, in pure Python.

For connections of other streams than trades of one kind, which `trade_bursts` serves. The events are those of the
parsers (`parsers`); trades, quotes and updates of books are made here, all others by their parser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter, length_hint
from typing import Any, Final

import msgspec

from foxtrot_protocol.events import BookDelta, MarketEvent, Quote, Trade
from foxtrot_workers.adapter import Notice
from foxtrot_workers.adapter.quote_side import quoted
from foxtrot_workers.adapter.rest_book import RestBook
from foxtrot_workers.exchanges.binance.messages import Decoders
from foxtrot_workers.exchanges.binance.parsers import Parser
from foxtrot_workers.exchanges.binance.routes import HEAD_BYTES
from foxtrot_workers.exchanges.binance.trade_bursts import FRAMES_OF_A_STREAM

__all__ = ["FUTURES_KINDS", "SPOT_KINDS", "MixedBursts"]

_TRADE, _QUOTE, _DELTA, _OTHER = range(4)

SPOT_KINDS: Final[Mapping[str, str]] = {
    "trade": "trade",
    "aggTrade": "agg_trade",
    "bookTicker": "book_ticker",
    "depth@100ms": "depth",
}
"""Streams (their name after the symbol) whose events are made here, and the name of their decoder among `Decoders`."""

FUTURES_KINDS: Final[Mapping[str, str]] = {"aggTrade": "agg_trade"}
"""The same of futures, whose other frames differ."""

_KINDS: Final = {"trade": _TRADE, "agg_trade": _TRADE, "book_ticker": _QUOTE, "depth": _DELTA}

_head: Final[Callable[[bytes], bytes]] = itemgetter(slice(HEAD_BYTES))


class _Stream:
    """What the events of a stream need."""

    __slots__ = ("book", "decode", "kind", "next_id", "parse", "run", "symbol", "wire")

    def __init__(self, wire: str, kind: int, decode: Callable[[bytes], Any], book: RestBook | None, parse: Parser):
        self.wire = wire
        self.symbol = wire.partition("@")[0].upper()
        self.kind = kind
        self.decode = decode
        self.book: Any = book
        self.parse = parse
        self.run: list[BookDelta[str]] = []
        """Updates of this burst that are published and not yet given to the book (`RestBook.follow`)."""
        self.next_id: int | None = None
        """First id of the update that continues the run; None while there is none."""


class MixedBursts:
    """Parses bursts of one connection.

    Args:
        exchange: in the events.
        last_data_ns: kept current, as by the parser of each stream.
        held_ns: the same of books that wait for their snapshot.
        notices: of the adapter: nothing is parsed behind a frame that has left one.
        wire_by_head: stream by the first `HEAD_BYTES` of frames that were seen.
        kinds: streams whose events are made here.
    """

    def __init__(
        self,
        exchange: str,
        last_data_ns: dict[str, int],
        held_ns: dict[str, int],
        notices: list[Notice],
        wire_by_head: Mapping[bytes, str],
        kinds: Mapping[str, str],
    ) -> None:
        self._exchange = exchange
        self._last_data_ns = last_data_ns
        self._held_ns = held_ns
        self._notices = notices
        self._wire_by_head = wire_by_head
        self._kinds = kinds
        self._streams: dict[str, _Stream] = {}
        self._by_head: dict[bytes, _Stream] = {}
        """`_wire_by_head` and `_streams` in one look-up; filled from them."""
        self._running: list[_Stream] = []
        """Streams with a run."""
        self._ns = 1

    def opened(self, wire: str, decoders: Decoders, book: RestBook | None, parse: Parser) -> None:
        """Take notice of a stream that is accepted from now on; `book`: of its symbol, `parse`: its parser."""
        self._by_head.clear()
        name = self._kinds.get(wire.partition("@")[2])
        kind = _OTHER if name is None else _KINDS[name]
        if name is None or (kind == _DELTA and book is None):
            self._streams[wire] = _Stream(wire, _OTHER, bytes, None, parse)
        else:
            self._streams[wire] = _Stream(wire, kind, getattr(decoders, name), book, parse)
        self._ns = decoders.ns

    def closed(self, wire: str) -> None:
        """Take notice of a stream that is not accepted any more."""
        self._by_head.clear()
        self._streams.pop(wire, None)

    def parse(self, frames: Sequence[bytes], receive_ns: int, out: list[MarketEvent[str]]) -> int:
        """Append the events of `frames`; return how many of them were parsed.

        It ends before a frame whose parser raises, and behind one that has left a notice. 0, with nothing done, if a
        frame is of no known beginning, or cannot be decoded.
        """
        try:
            # separate loops: each stays within the caches of the processor
            of_frames = self._of(frames)
            decoded = [stream.decode(frame) for stream, frame in zip(of_frames, frames, strict=True)]
        except (msgspec.MsgspecError, RecursionError, ValueError, KeyError):
            return 0
        left = iter(decoded)
        try:
            self._make(zip(of_frames, left, strict=False), receive_ns, out)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            done = len(frames) - length_hint(left) - 1
        else:
            done = len(frames) - length_hint(left)
        finally:
            self._end_runs(receive_ns)
        self._note(of_frames if done == len(frames) else of_frames[:done], receive_ns)
        return done

    def _of(self, frames: Sequence[bytes]) -> list[_Stream]:
        """Return the stream of each frame. Raises KeyError for a frame of no known beginning."""
        by_head = self._by_head
        try:
            return list(map(by_head.__getitem__, map(_head, frames)))
        except KeyError:
            for head in set(map(_head, frames)):
                by_head[head] = self._streams[self._wire_by_head[head]]
            return list(map(by_head.__getitem__, map(_head, frames)))

    def _note(self, of_frames: list[_Stream], receive_ns: int) -> None:
        """Note that trades and quotes of these streams have come; what else came is noted where it is made."""
        # the first few frames are mostly of all streams already
        seen = set(of_frames[: FRAMES_OF_A_STREAM * len(self._streams)])
        if len(seen) < len(self._streams):
            seen.update(of_frames)
        for stream in seen:
            if stream.kind in (_TRADE, _QUOTE):
                self._last_data_ns[stream.wire] = receive_ns

    def _make(self, frames: zip[tuple[_Stream, Any]], receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Make events of decoded frames; returns behind one that has left a notice."""
        exchange, ns, notices = self._exchange, self._ns, self._notices
        append = out.append
        for stream, frame in frames:
            kind = stream.kind
            if kind == _TRADE:
                data = frame.data
                append(
                    Trade(
                        exchange,
                        stream.symbol,
                        data.time * ns,
                        receive_ns,
                        data.price,
                        data.size,
                        "sell" if data.buyer_is_maker else "buy",  # the side of the taker
                        str(data.trade_id),
                    )
                )
            elif kind == _QUOTE:
                data = frame.data
                bid = data.bid
                bid_size = data.bid_size
                ask = data.ask
                ask_size = data.ask_size
                # see the parser of quotes
                if (bid < "1" and not "1" <= bid.lstrip("0.") < ":") or (
                    bid_size < "1" and not "1" <= bid_size.lstrip("0.") < ":"
                ):
                    bid, bid_size = quoted(bid, bid_size)
                if (ask < "1" and not "1" <= ask.lstrip("0.") < ":") or (
                    ask_size < "1" and not "1" <= ask_size.lstrip("0.") < ":"
                ):
                    ask, ask_size = quoted(ask, ask_size)
                append(Quote(exchange, stream.symbol, 0, receive_ns, bid, bid_size, ask, ask_size, str(data.update_id)))
            elif kind == _DELTA:
                data = frame.data
                first, last = data.first_id, data.last_id
                event = BookDelta(
                    exchange,
                    stream.symbol,
                    data.event_time * ns,
                    receive_ns,
                    data.bids,
                    data.asks,
                    str(first),
                    str(last),
                    None,
                )
                if first == stream.next_id or self._begins_run(stream, first, receive_ns):
                    append(event)
                    stream.run.append(event)
                    stream.next_id = last + 1
                    continue
                self._decide(stream, event, first, last, out)
                if notices:
                    return
            else:
                self._end_runs(receive_ns)  # it may be of the same book
                stream.parse(frame, receive_ns, out)
                if notices:
                    return

    def _begins_run(self, stream: _Stream, first: int, receive_ns: int) -> bool:
        """Return whether the update with id `first` begins a run."""
        if stream.next_id is not None or stream.book.next_in_run(receive_ns) != first:
            return False
        self._running.append(stream)
        return True

    def _decide(
        self, stream: _Stream, event: BookDelta[str], first: int, last: int, out: list[MarketEvent[str]]
    ) -> None:
        """Give the book an update that continues no run."""
        receive_ns, book = event.receive_ns, stream.book
        self._end_runs(receive_ns)
        book.delta(event, first, last, None, out, self._notices)
        # a book that waits for its snapshot has no data yet
        (self._last_data_ns if book.live else self._held_ns)[stream.wire] = receive_ns

    def _end_runs(self, receive_ns: int) -> None:
        """Give the books what they have not got yet."""
        for stream in self._running:
            run, stream.run = stream.run, []
            assert stream.next_id is not None
            stream.book.follow(run, stream.next_id - 1)
            stream.next_id = None
            self._last_data_ns[stream.wire] = receive_ns
        self._running.clear()
