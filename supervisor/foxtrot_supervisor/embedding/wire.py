"""What passes between an application that is its own engine and the supervisor that is its child. Pure.

The order to start is a file in the private run directory, rewritten for a reload; nothing of it stands in the arguments
of the process. Back comes news, one JSON object a line, through a pipe. All else goes over the planes that every
supervisor has: the control plane to its engine, the operators' interface.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.core.targets import Targets

__all__ = [
    "NEWS_BYTES_MAX",
    "ORDER_NAME",
    "Alive",
    "Call",
    "Ended",
    "News",
    "NewsReader",
    "Serving",
    "StartOrder",
    "decode_order",
    "encode_news",
    "encode_order",
]

ORDER_NAME = "application.json"
"""File of the order in the run directory."""

NEWS_BYTES_MAX = 4 * 1024 * 1024
"""Longest line of news: the end of a run with 1,000 workers has about 300 KB."""


class StartOrder(Struct, frozen=True, kw_only=True):
    """What the supervisor is started with. Numbers of descriptors are those in the child."""

    sys_path: list[str]
    """Module search path of the application."""
    config: FoxtrotConfig
    run_id: str
    application_pid: int
    directory: int
    """Descriptor of the run directory,"""
    lock: int
    """and of its lock, held by both."""
    news: int
    """Descriptor to write news to."""
    log_level: str
    incarnations_before: int = 0
    """Incarnations that an earlier supervisor of this application may have used."""
    targets: Targets = Targets()


class Serving(Struct, tag="serving", frozen=True):
    """Operators are answered from now on."""

    pid: int


class Call(Struct, tag="call", frozen=True):
    """The application is to be the engine, by this incarnation: it says HELLO now."""

    incarnation: int


class Alive(Struct, tag="alive", frozen=True):
    """The supervisor's control loop turns."""


class Ended(Struct, tag="ended", frozen=True):
    """Everything has ended: exit code, the outcome that a `stop` gets, and why it could not begin, if so."""

    exit_code: int
    outcome: dict[str, Any] = {}
    failure: str = ""


News: TypeAlias = Serving | Call | Alive | Ended

_news_decoder = msgspec.json.Decoder(News)


def encode_order(order: StartOrder) -> bytes:
    """`order` as JSON."""
    return msgspec.json.encode(order)


def decode_order(data: bytes) -> StartOrder:
    """The order in `data`; raises `MalformedMessage`."""
    try:
        return msgspec.json.decode(data, type=StartOrder)
    except (msgspec.MsgspecError, ValueError) as error:
        raise MalformedMessage(f"start order: {error}") from None


def encode_news(news: News) -> bytes:
    """`news` as a line."""
    return msgspec.json.encode(news) + b"\n"


class NewsReader:
    """Puts news together from the bytes of a pipe, however they are cut."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[News]:
        """The news that `data` completes; raises `MalformedMessage`."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > NEWS_BYTES_MAX:
            raise MalformedMessage(f"news longer than {NEWS_BYTES_MAX} bytes")
        try:
            return [_news_decoder.decode(line) for line in lines]
        except (msgspec.MsgspecError, ValueError) as error:
            raise MalformedMessage(f"news: {error}") from None
