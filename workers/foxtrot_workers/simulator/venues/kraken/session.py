"""Control messages of Kraken WebSocket v2. Pure.

A request names one channel and several symbols; each symbol is answered by a message of its own. Topics of a session
name the parameters that distinguish subscriptions: ``book/10/BTC/USD``, ``ticker/trades/BTC/USD``, ``ohlc/1/BTC/USD``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from foxtrot_workers.simulator.venues.session import Reply, Send, Session
from foxtrot_workers.simulator.venues.times import iso_text

__all__ = ["DEPTHS", "INTERVALS", "TRIGGERS", "KrakenSession"]

DEPTHS = (10, 25, 100, 500, 1000)
"""Levels of a book."""

INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
"""Minutes of a candle."""

TRIGGERS = ("trades", "bbo")
"""What makes a ticker: a trade, or a change of the best levels."""

_HEARTBEAT_S = 1.0
_CONNECTION_ID = 6447481662169813000


class _Invalid(Exception):
    """The request is answered with this error."""


class KrakenSession(Session):
    """One connection; `knows`: whether there is a pair of this name."""

    def __init__(self, knows: Callable[[str], bool]) -> None:
        super().__init__()
        self._knows = knows
        self._quiet: set[str] = set()
        """Topics that were subscribed without a snapshot."""

    def greeting(self, now_ns: int) -> list[Reply]:
        """The state of the exchange."""
        data = {"version": "2.0.10", "system": "online", "api_version": "v2", "connection_id": _CONNECTION_ID}
        return [_send({"channel": "status", "type": "update", "data": [data]})]

    def idle(self, open_s: float, received_s: float, sent_s: float, now_ns: int) -> list[Reply]:
        """A heartbeat for a subscribed connection on which nothing moves."""
        return [_send({"channel": "heartbeat"})] if self.topics and sent_s >= _HEARTBEAT_S else []

    def too_fast(self) -> list[Reply]:
        """An error without a request; the message before it is not obeyed."""
        return [_send({"Error": "Exceeded msg rate"})]

    def shutdown_notice(self, now_ms: int) -> str:
        """The state of the exchange: maintenance."""
        data = {"version": "2.0.10", "system": "maintenance", "api_version": "v2", "connection_id": _CONNECTION_ID}
        return msgspec.json.encode({"channel": "status", "type": "update", "data": [data]}).decode()

    def wants_first(self, topic: str) -> bool:
        return topic not in self._quiet

    def on_message(self, data: bytes, now_ns: int) -> list[Reply]:
        """Return one answer for each symbol, a pong, or an error."""
        times = {"time_in": iso_text(now_ns // 1_000_000), "time_out": iso_text(now_ns // 1_000_000)}
        try:
            request = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError):
            request = None
        if not isinstance(request, dict):
            return [_send({"error": "Malformed request", "method": "", "success": False, **times})]
        method, tail = request.get("method"), dict(times)
        if "req_id" in request:
            tail["req_id"] = request["req_id"]
        if method == "ping":
            return [_send({"method": "pong", **tail})]
        try:
            if method not in ("subscribe", "unsubscribe"):
                raise _Invalid("Method field must be a valid method")
            params = request.get("params")
            if not isinstance(params, dict):
                raise _Invalid("Params field must be an object")
            prefix, result = self._parameters(params)
            symbols = params.get("symbol")
            if not isinstance(symbols, list) or not symbols or not all(isinstance(each, str) for each in symbols):
                raise _Invalid("Symbol(s) field must be an array of strings")
        except _Invalid as invalid:
            return [_send({"error": str(invalid), "method": method, "success": False, **tail})]
        if method == "subscribe":
            self.subscribed_total += 1
        return [self._one(str(method), prefix, result, symbol, tail) for symbol in symbols]

    def _parameters(self, params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return the beginning of the topics, and what an acknowledgement repeats; raises `_Invalid`."""
        channel, snapshot = params.get("channel"), params.get("snapshot", True)
        if channel == "trade":
            return "trade/", {"channel": channel, "snapshot": snapshot}
        if channel == "book":
            depth = params.get("depth", 10)
            if depth not in DEPTHS:
                raise _Invalid("Subscription depth not supported")
            return f"book/{depth}/", {"channel": channel, "depth": depth, "snapshot": snapshot}
        if channel == "ticker":
            trigger = params.get("event_trigger", "trades")
            if trigger not in TRIGGERS:
                raise _Invalid("Event trigger not supported")
            return f"ticker/{trigger}/", {"channel": channel, "event_trigger": trigger, "snapshot": snapshot}
        if channel == "ohlc":
            interval = params.get("interval", 1)
            if interval not in INTERVALS:
                raise _Invalid("Subscription ohlc interval not supported")
            return f"ohlc/{interval}/", {"channel": channel, "interval": interval, "snapshot": snapshot}
        raise _Invalid(f"Channel {channel} not supported")

    def _one(self, method: str, prefix: str, result: dict[str, Any], symbol: str, tail: dict[str, Any]) -> Send:
        topic = prefix + symbol
        failure = self._unsubscribe(topic) if method == "unsubscribe" else self._subscribe(topic, symbol)
        if failure:
            return _send({"error": failure, "method": method, "success": False, "symbol": symbol, **tail})
        if method == "unsubscribe":
            result = {key: value for key, value in result.items() if key != "snapshot"}
        elif not result["snapshot"]:
            self._quiet.add(topic)
        else:
            self._quiet.discard(topic)
        return _send({"method": method, "result": {**result, "symbol": symbol}, "success": True, **tail})

    def _subscribe(self, topic: str, symbol: str) -> str:
        refusal = self.refuse(topic)
        if refusal is not None:
            return refusal[1] or str(refusal[0])
        if not self._knows(symbol):
            return f"Currency pair not supported {symbol}"
        if topic in self.topics:
            return "Already subscribed"
        self.topics[topic] = None
        return ""

    def _unsubscribe(self, topic: str) -> str:
        if topic not in self.topics:
            return "Subscription Not Found"
        del self.topics[topic]
        return ""


def _send(message: dict[str, Any]) -> Send:
    return Send(msgspec.json.encode(message).decode())
