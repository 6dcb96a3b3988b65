"""What one connection has agreed with the exchange: the seam between the server and each wire protocol; pure."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

__all__ = ["Close", "Reply", "Send", "Session"]


class Send(Struct, frozen=True):
    """Send this text to the client."""

    text: str


class Close(Struct, frozen=True):
    """Close the connection with this code."""

    code: int
    reason: str


Reply: TypeAlias = Send | Close


class Session(abc.ABC):
    """One connection's subscriptions; told what the client sent, says what to answer."""

    def __init__(self) -> None:
        self.topics: dict[str, None] = {}
        """Subscribed topics in the order asked; a dict, because order matters and membership must be cheap."""
        self.subscribed_total = 0
        """Requests that subscribed something, the address included."""
        self.refuse: Callable[[str], tuple[int, str] | None] = lambda topic: None
        """Error code and text with which the subscription of a topic is refused now; None: it is not."""

    @abc.abstractmethod
    def on_message(self, data: bytes) -> list[Reply]:
        """The answers to one text message of the client."""

    @abc.abstractmethod
    def envelope(self, topic: str, payload: bytes) -> bytes:
        """`payload` as this connection wants data of `topic`."""

    @abc.abstractmethod
    def shutdown_notice(self, now_ms: int) -> str:
        """The text that announces the end of the connection; `now_ms`: time since 1970."""
