"""Control messages of Bybit v5 public channels. Pure.

A request has ``op``, ``args`` and perhaps ``req_id``, and is answered as a whole: one bad topic fails all of it. Topics
of a session carry the category of its address in front: ``spot/publicTrade.BTCUSDT``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from foxtrot_workers.simulator.venues.session import Close, Reply, Send, Session

__all__ = ["ARGS_CHARS_MAX", "SPOT_ARGS_MAX", "BybitSession"]

ARGS_CHARS_MAX = 21_000
"""Characters of all topics of one connection."""

SPOT_ARGS_MAX = 10
"""Topics in one request, spot only."""

_CONNECTION_ID = "2324d924-aa4d-45b0-a858-7b8be29ab52b"


class BybitSession(Session):
    """One connection.

    Args:
        category: of its address.
        knows: whether a topic, without the category, exists there.
        idle_s: the connection is closed when the client has sent no ping, and nothing was sent to it, for so long.
    """

    def __init__(self, category: str, knows: Callable[[str], bool], *, idle_s: float | None = None) -> None:
        super().__init__()
        self._category = category
        self._knows = knows
        self._idle_s = idle_s

    def shutdown_notice(self, now_ms: int) -> None:
        """Bybit does not announce short maintenance."""

    def idle(self, open_s: float, received_s: float, sent_s: float, now_ns: int) -> list[Reply]:
        """Close a connection out of use."""
        if self._idle_s is None or min(received_s, sent_s) < self._idle_s:
            return []
        return [Close(1000, "idle")]

    def on_message(self, data: bytes, now_ns: int) -> list[Reply]:
        """Return the one answer to a request."""
        try:
            request = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError):
            request = None
        if not isinstance(request, dict):
            return [self._answer(success=False, text="error:invalid json", request={"op": "", "args": None})]
        op, args, request_id = request.get("op"), request.get("args"), request.get("req_id", "")
        if op == "ping":
            return [self._answer(success=True, text="pong", request_id=request_id, op="ping")]
        if op not in ("subscribe", "unsubscribe"):
            return [self._answer(success=False, text="error:invalid op", request={"op": op, "args": args})]
        if not isinstance(args, list) or not args or not all(isinstance(arg, str) for arg in args):
            return [self._answer(success=False, text="error:invalid args", request={"op": op, "args": args})]
        failure = self._subscribe(args) if op == "subscribe" else self._unsubscribe(args)
        if failure:
            return [self._answer(success=False, text=failure, request_id=request_id, op=op)]
        text = "subscribe" if op == "subscribe" and self._category != "spot" else ""
        return [self._answer(success=True, text=text, request_id=request_id, op=op)]

    def _subscribe(self, args: list[str]) -> str:
        """Subscribe all of `args`; return why not, "" if done."""
        if self._category == "spot" and len(args) > SPOT_ARGS_MAX:
            return f"args size >{SPOT_ARGS_MAX}"
        topics = [f"{self._category}/{arg}" for arg in args]
        for arg, topic in zip(args, topics, strict=True):
            refusal = self.refuse(arg)
            if refusal is not None:
                return refusal[1] or f"error:{refusal[0]}"
            if not self._knows(arg):
                return f"Invalid topic: {arg}"
            if topic in self.topics:
                return f"error:already subscribed,topic:{arg}"
        if sum(map(len, self.topics)) + sum(map(len, topics)) > ARGS_CHARS_MAX:
            return "error:args too long"
        self.topics.update(dict.fromkeys(topics))
        self.subscribed_total += 1
        return ""

    def _unsubscribe(self, args: list[str]) -> str:
        for arg in args:
            self.topics.pop(f"{self._category}/{arg}", None)
        return ""

    def _answer(self, *, success: bool, text: str, **more: Any) -> Send:
        answer: dict[str, Any] = {"success": success, "ret_msg": text, "conn_id": _CONNECTION_ID}
        if "request_id" in more:
            answer["req_id"] = more.pop("request_id")
        return Send(msgspec.json.encode({**answer, **more}).decode())
