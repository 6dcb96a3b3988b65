"""Control messages of Binance spot streams. Pure.

Requests are ``{"method", "params", "id"}``; ``id`` is a signed 64-bit integer, text of up to 36 characters or
null. A success of a non-query answers ``"result": null``. An unknown symbol is not an error: it is
acknowledged and stays silent, as at the real exchange.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import msgspec

from foxtrot_workers.simulator.venues.binance import messages
from foxtrot_workers.simulator.venues.session import BadAddress, Reply, Send, Session
from foxtrot_workers.simulator.wire.frames import combine

__all__ = ["STREAMS_MAX", "BinanceSession"]

STREAMS_MAX = 1024
"""Streams one connection may hold."""

_ID_TEXT_MAX = 36
_INT64 = 2**63
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


class _Invalid(Exception):
    """The request is answered with an error of this code and text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class BinanceSession(Session):
    """One connection opened at `path` with the raw `query` text; raises `BadAddress`.

    `nested_errors`: errors are nested under ``"error"`` beside the id, as some deployments send them, instead of
    code and text at the top level.
    """

    def __init__(
        self, path: str, query: str = "", *, streams_max: int = STREAMS_MAX, nested_errors: bool = False
    ) -> None:
        super().__init__()
        self._streams_max = streams_max
        self._nested_errors = nested_errors
        self.combined = path.rstrip("/") == "/stream"
        asked = self._from_address(path, query)
        if len(asked) > streams_max:
            raise BadAddress(400, f"more than {streams_max} streams")
        self.topics.update(dict.fromkeys(asked))
        if asked:
            self.subscribed_total += 1

    def _from_address(self, path: str, query: str) -> list[str]:
        if self.combined:
            values = dict(part.partition("=")[::2] for part in query.split("&"))
            return [name for name in unquote(values.get("streams", "")).split("/") if name]
        if path == "/ws" or path.startswith("/ws/"):
            return [name for name in unquote(path[len("/ws/") :]).split("/") if name]
        raise BadAddress(404, "no stream at this address")

    @property
    def form(self) -> str:
        """Combined streams name their stream in each frame."""
        return "combined" if self.combined else "raw"

    def envelope(self, topic: str, payload: bytes) -> bytes:
        """Return `payload` with the stream's name on a combined connection, unchanged otherwise."""
        return combine(topic, payload) if self.combined else payload

    def shutdown_notice(self, now_ms: int) -> str:
        """The event ``serverShutdown``."""
        return self.envelope("!serverShutdown", messages.server_shutdown(now_ms)).decode()

    def on_message(self, data: bytes, now_ns: int) -> list[Reply]:
        """Return the one answer to a request."""
        request_id: Any = None
        try:
            try:
                request = msgspec.json.decode(data)
            except (msgspec.DecodeError, RecursionError) as error:
                raise _Invalid(3, f"Invalid JSON: {error}") from None
            if not isinstance(request, dict):
                raise _Invalid(3, "Invalid JSON: expected an object")
            request_id = self._request_id(request)
            answer = {"result": self._run(request), "id": request_id}
        except _Invalid as invalid:
            error_body = {"code": invalid.code, "msg": invalid.text}
            answer = {"error": error_body, "id": request_id} if self._nested_errors else error_body
        return [Send(msgspec.json.encode(answer).decode())]

    def _request_id(self, request: dict[str, Any]) -> int | str | None:
        value = request.get("id")
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64:
            return value
        if isinstance(value, str) and len(value) <= _ID_TEXT_MAX and value.isascii() and value.isalnum():
            return value
        raise _Invalid(2, "Invalid request: request ID must be an unsigned integer, a string or null")

    def _run(self, request: dict[str, Any]) -> Any:
        for key in request:
            if key not in ("method", "params", "id"):
                raise _Invalid(2, f"Invalid request: unknown field `{key}`")
        method = request.get("method")
        if method not in _METHODS:
            raise _Invalid(2, f"Invalid request: unknown variant `{method}`, expected one of {', '.join(_METHODS)}")
        params = request.get("params", [])
        if not isinstance(params, list):
            raise _Invalid(2, "Invalid request: invalid type, expected a list of parameters")
        if method == "SUBSCRIBE":
            return self._subscribe(self._names(params))
        if method == "UNSUBSCRIBE":
            for name in self._names(params):
                self.topics.pop(name, None)
            return None
        if method == "LIST_SUBSCRIPTIONS":
            return list(self.topics)
        return self._property(params, set_it=method == "SET_PROPERTY")

    def _names(self, params: list[Any]) -> list[str]:
        if not params:
            raise _Invalid(2, "Invalid request: missing parameters")
        if not all(isinstance(name, str) and name for name in params):
            raise _Invalid(2, "Invalid request: invalid type, expected a string")
        return params

    def _subscribe(self, names: list[str]) -> None:
        for name in names:
            refusal = self.refuse(name)
            if refusal is not None:
                raise _Invalid(*refusal)
        new = [name for name in dict.fromkeys(names) if name not in self.topics]
        if len(self.topics) + len(new) > self._streams_max:
            self.over_limit()
            raise _Invalid(2, "Invalid request: too many parameters")
        self.topics.update(dict.fromkeys(new))
        self.subscribed_total += 1

    def _property(self, params: list[Any], *, set_it: bool) -> Any:
        wanted = 2 if set_it else 1
        if len(params) > wanted:
            raise _Invalid(2, "Invalid request: too many parameters")
        if len(params) < wanted:
            raise _Invalid(2, "Invalid request: missing parameters")
        if params[0] != "combined":
            raise _Invalid(0, f"Unknown property: {params[0]}")
        if not set_it:
            return self.combined
        if not isinstance(params[1], bool):
            raise _Invalid(1, "Invalid value type: expected Boolean")
        self.combined = params[1]
        return None
