"""Control messages of OKX v5 public and business channels. Pure.

``op`` subscribe and unsubscribe take a list of args, each answered by a message of its own; text ``ping`` is
answered by text ``pong``. A topic is named by `okx_topic`, the same for a subscription and for data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from foxtrot_workers.simulator.venues.session import Close, Reply, Send, Session
from foxtrot_workers.simulator.venues.token_bucket import TokenBucket

__all__ = ["ARGS_BYTES_MAX", "Judge", "OkxSession", "okx_topic"]

ARGS_BYTES_MAX = 64 * 1024
"""Length of all args of one request."""

_CONNECTION_ID = "a4d3ae55"
_HOUR_S = 3600.0

Judge = Callable[[Mapping[str, Any]], tuple[str, str] | None]
"""Returns the error code and text for an arg that cannot be subscribed; None for one that can."""


def okx_topic(arg: Mapping[str, Any]) -> str:
    """Return the topic of a subscription's `arg`: its values in the order of their keys."""
    return "/".join(f"{key}={arg[key]}" for key in sorted(arg))


class OkxSession(Session):
    """One connection.

    Args:
        acknowledgements: recorded texts by topic, sent instead of generated ones.
        judge: refuses what the exchange has not; by default nothing.
        requests_per_hour: token bucket of requests that subscribe or unsubscribe; None: unlimited.
        idle_s: the connection is closed when neither side has sent anything for so long; None: never.
    """

    def __init__(
        self,
        acknowledgements: Mapping[str, str] | None = None,
        *,
        judge: Judge = lambda arg: None,
        requests_per_hour: int | None = None,
        idle_s: float | None = None,
    ) -> None:
        super().__init__()
        self._acknowledgements = acknowledgements or {}
        self._judge = judge
        self._tokens = None if requests_per_hour is None else TokenBucket(requests_per_hour, _HOUR_S)
        self._idle_s = idle_s

    def shutdown_notice(self, now_ms: int) -> str:
        """A notice of a service upgrade."""
        text = "The connection will soon be closed for a service upgrade. Please reconnect."
        notice = {"event": "notice", "code": "64008", "msg": text, "connId": _CONNECTION_ID}
        return msgspec.json.encode(notice).decode()

    def idle(self, open_s: float, received_s: float, sent_s: float, now_ns: int) -> list[Reply]:
        """Close a connection on which nothing moves."""
        if self._idle_s is None or min(received_s, sent_s) < self._idle_s:
            return []
        return [Close(4004, "No data received in 30s.")]

    def on_message(self, data: bytes, now_ns: int) -> list[Reply]:
        """``pong``, one acknowledgement for each arg, or an error."""
        if data == b"ping":
            return [Send("pong")]
        try:
            request = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError):
            return [self._error("60012", f"Illegal request: {data[:200].decode(errors='replace')}")]
        op = request.get("op") if isinstance(request, dict) else None
        args = request.get("args") if isinstance(request, dict) else None
        if op not in ("subscribe", "unsubscribe") or not isinstance(args, list) or len(data) > ARGS_BYTES_MAX:
            return [self._error("60012", f"Illegal request: {data[:200].decode(errors='replace')}")]
        if self._tokens is not None and not self._tokens.take(now_ns / 1e9):
            return [self._error("60014", "Requests too frequent")]
        if op == "subscribe":
            self.subscribed_total += 1
        return [self._one(op, arg) for arg in args]

    def _one(self, op: str, arg: Any) -> Reply:
        if not isinstance(arg, dict) or not isinstance(arg.get("channel"), str):
            return self._error("60012", "Illegal request: an arg needs a channel")
        topic = okx_topic(arg)
        if op == "unsubscribe":
            self.topics.pop(topic, None)
        else:
            refusal = self.refuse(topic) or self._judge(arg)
            if refusal is not None:
                code, text = refusal
                refused = {"event": "error", "arg": arg, "code": str(code), "msg": text, "connId": _CONNECTION_ID}
                return Send(msgspec.json.encode(refused).decode())
            self.topics[topic] = None
            if topic in self._acknowledgements:
                return Send(self._acknowledgements[topic])
        answer = {"event": op, "arg": arg, "connId": _CONNECTION_ID}
        return Send(msgspec.json.encode(answer).decode())

    def _error(self, code: str, text: str) -> Send:
        answer = {"event": "error", "code": code, "msg": text, "connId": _CONNECTION_ID}
        return Send(msgspec.json.encode(answer).decode())
