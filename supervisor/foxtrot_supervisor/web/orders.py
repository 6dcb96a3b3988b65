"""Orders of the page to the run: decoded, checked, turned into operator requests. Pure."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from foxtrot_protocol.control import (
    ReloadRequest,
    Request,
    RestartRequest,
    StopRequest,
    StopWorkersRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)

__all__ = ["NAME_CHARS_MAX", "SYMBOLS_MAX", "OrderRefused", "describe", "read_order"]

NAME_CHARS_MAX: Final = 200
"""Characters of the name of a worker or symbol."""

SYMBOLS_MAX: Final = 500
"""Symbols in one order."""


class OrderRefused(Exception):
    """The order is none, or its question was not answered."""


class _Restart(Struct, tag="restart", tag_field="action", forbid_unknown_fields=True, frozen=True):
    worker: str
    confirm: str = ""


class _Stop(Struct, tag="stop", tag_field="action", forbid_unknown_fields=True, frozen=True):
    confirm: str = ""


class _StopWorker(Struct, tag="stop_worker", tag_field="action", forbid_unknown_fields=True, frozen=True):
    worker: str
    confirm: str = ""


class _Reload(Struct, tag="reload", tag_field="action", forbid_unknown_fields=True, frozen=True):
    pass


class _Subscribe(Struct, tag="subscribe", tag_field="action", forbid_unknown_fields=True, frozen=True):
    worker: str
    symbols: list[str]


class _Unsubscribe(Struct, tag="unsubscribe", tag_field="action", forbid_unknown_fields=True, frozen=True):
    worker: str
    symbols: list[str]
    confirm: str = ""


_Order: TypeAlias = _Restart | _Stop | _StopWorker | _Reload | _Subscribe | _Unsubscribe

_decoder = msgspec.json.Decoder(_Order)


def read_order(body: bytes) -> Request:
    """Return the operator request for the JSON object `body`; raises `OrderRefused`.

    What destroys must repeat in ``confirm`` what it destroys: the worker's name, or ``stop``.
    """
    try:
        order: _Order = _decoder.decode(body)
    except (ValueError, RecursionError):
        raise OrderRefused("the order cannot be read") from None
    match order:
        case _Restart():
            _confirmed(order.confirm, order.worker)
            return RestartRequest(_name(order.worker))
        case _Stop():
            _confirmed(order.confirm, "stop")
            return StopRequest()
        case _StopWorker():
            _confirmed(order.confirm, order.worker)
            return StopWorkersRequest([_name(order.worker)])
        case _Reload():
            return ReloadRequest()
        case _Subscribe():
            return SubscribeRequest(_name(order.worker), _symbols(order.symbols))
        case _:
            _confirmed(order.confirm, order.worker)
            return UnsubscribeRequest(_name(order.worker), _symbols(order.symbols))


def describe(request: Request) -> str:
    """Return the order as text, for the log."""
    match request:
        case RestartRequest():
            return f"restart {request.worker}"
        case StopWorkersRequest():
            return f"stop {' '.join(request.workers)}"
        case SubscribeRequest():
            return f"subscribe {request.worker} {' '.join(request.symbols)}"
        case UnsubscribeRequest():
            return f"unsubscribe {request.worker} {' '.join(request.symbols)}"
        case ReloadRequest():
            return "reload"
        case StopRequest():
            return "stop"
        case _:
            return type(request).__name__


def _confirmed(given: str, wanted: str) -> None:
    if given != wanted:
        raise OrderRefused("the question was not answered")


def _name(text: str) -> str:
    if not 0 < len(text) <= NAME_CHARS_MAX or not text.isprintable():
        raise OrderRefused(f"a name has 1 to {NAME_CHARS_MAX} printable characters")
    return text


def _symbols(symbols: list[str]) -> list[str]:
    if not 0 < len(symbols) <= SYMBOLS_MAX:
        raise OrderRefused(f"an order has 1 to {SYMBOLS_MAX} symbols")
    return [_name(symbol) for symbol in symbols]
