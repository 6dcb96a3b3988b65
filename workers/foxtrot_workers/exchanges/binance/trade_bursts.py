"""Bursts of trades, parsed in one comprehension: a fifth less than the parser of each stream needs, in pure Python.

It is used while all streams of a connection are trades of one kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from foxtrot_protocol.events import MarketEvent, Trade
from foxtrot_workers.exchanges.binance.messages import CombinedFrame, Decoders
from foxtrot_workers.exchanges.binance.routes import HEAD_BYTES

__all__ = ["FUTURES_TRADES", "SPOT_TRADES", "TradeBursts"]

SPOT_TRADES: Mapping[str, str] = {"trade": "trade", "aggTrade": "agg_trade"}
"""Streams (their name after the symbol) that are trades, and the name of their decoder among `Decoders`."""

FUTURES_TRADES: Mapping[str, str] = {"aggTrade": "agg_trade"}
"""The same of futures, where a frame of ``trade`` may be no trade."""


class TradeBursts:
    """Parses bursts of one connection.

    Args:
        exchange: in the events.
        last_data_ns: kept current, as by the parser of each stream.
        wire_by_head: stream by the first `HEAD_BYTES` of frames that were seen.
        kinds: streams that are trades.
    """

    def __init__(
        self,
        exchange: str,
        last_data_ns: dict[str, int],
        wire_by_head: Mapping[bytes, str],
        kinds: Mapping[str, str],
    ) -> None:
        self._exchange = exchange
        self._last_data_ns = last_data_ns
        self._wire_of = wire_by_head.get
        self._kinds = kinds
        self._symbols: dict[str, str] = {}
        """By stream."""
        self._others: set[str] = set()
        """Streams that are something else."""
        self._decode: Callable[[bytes], CombinedFrame[Any]] | None = None
        self._ns = 1

    @property
    def usable(self) -> bool:
        """Whether all streams are trades of one kind."""
        return not self._others and bool(self._symbols)

    def opened(self, wire: str, decoders: Decoders) -> None:
        """Take notice of a stream that is accepted from now on."""
        symbol, _, suffix = wire.partition("@")
        name = self._kinds.get(suffix)
        decode = None if name is None else getattr(decoders, name)
        if decode is None or (self._symbols and decode != self._decode):
            self._others.add(wire)
        else:
            self._symbols[wire] = symbol.upper()
            self._decode, self._ns = decode, decoders.ns

    def closed(self, wire: str) -> None:
        """Take notice of a stream that is not accepted any more."""
        self._others.discard(wire)
        self._symbols.pop(wire, None)

    def parse(self, frames: Sequence[bytes], receive_ns: int, out: list[MarketEvent[str]]) -> bool:
        """Append the trade of each frame; False, with nothing done, if one of them needs the parser of its stream."""
        decode, exchange, ns, wire_of, symbols = self._decode, self._exchange, self._ns, self._wire_of, self._symbols
        if decode is None:
            return False
        try:
            wires = [wire_of(frame[:HEAD_BYTES], "") for frame in frames]
            out += [
                Trade(
                    exchange,
                    symbols[wire],
                    data.time * ns,
                    receive_ns,
                    data.price,
                    data.size,
                    "sell" if data.buyer_is_maker else "buy",  # the side of the taker
                    str(data.trade_id),
                )
                for wire, data in zip(wires, [decode(frame).data for frame in frames], strict=True)
            ]
        except (msgspec.MsgspecError, RecursionError, ValueError, KeyError):
            return False
        for wire in set(wires):
            self._last_data_ns[wire] = receive_ns
        return True
