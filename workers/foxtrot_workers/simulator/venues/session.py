"""Subscriptions of one connection: the seam between the server and each wire protocol. Pure."""

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
    """The subscriptions of one connection, and the answers to its client."""

    def __init__(self) -> None:
        self.topics: dict[str, None] = {}
        """Subscribed topics in the order of subscription (a dict: ordered, with fast membership)."""
        self.subscribed_total = 0
        """Requests that subscribed something, the address included."""
        self.refuse: Callable[[str], tuple[int, str] | None] = lambda topic: None
        """Returns the error code and text that refuse the subscription of a topic now; None accepts it."""

    @abc.abstractmethod
    def on_message(self, data: bytes) -> list[Reply]:
        """Return the answers to one text message of the client."""

    @abc.abstractmethod
    def envelope(self, topic: str, payload: bytes) -> bytes:
        """Return `payload`, data of `topic`, in the form that this connection uses."""

    @abc.abstractmethod
    def shutdown_notice(self, now_ms: int) -> str:
        """Return the text that announces the close of the connection; `now_ms`: time since 1970."""
