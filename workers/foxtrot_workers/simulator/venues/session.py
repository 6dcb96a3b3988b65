"""Subscriptions of one connection: the seam between the server and each wire protocol. Pure."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

__all__ = ["BadAddress", "Close", "Reply", "Send", "Session"]


class BadAddress(Exception):
    """The address is refused with the HTTP status `status`."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Send(Struct, frozen=True):
    """Send this text to the client."""

    text: str


class Close(Struct, frozen=True):
    """Close the connection with this code."""

    code: int
    reason: str


Reply: TypeAlias = Send | Close


class Session(abc.ABC):
    """The subscriptions of one connection, and the answers to its client. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.topics: dict[str, None] = {}
        """Subscribed topics in the order of subscription (a dict: ordered, with fast membership)."""
        self.subscribed_total = 0
        """Requests that subscribed something, the address included."""
        self.refuse: Callable[[str], tuple[int, str] | None] = lambda topic: None
        """Returns the error code and text that refuse the subscription of a topic now; None accepts it."""
        self.over_limit: Callable[[], None] = lambda: None
        """Called when a request asks for more topics than a connection may hold."""

    @property
    def form(self) -> str:
        """Connections of the same form are sent the same bytes."""
        return ""

    def greeting(self, now_ns: int) -> list[Reply]:
        """Return what a new connection is sent before anything else; `now_ns`: ns since 1970."""
        return []

    def wants_first(self, topic: str) -> bool:
        """Return whether the new subscription of `topic` wants what new subscribers are sent first."""
        return True

    @abc.abstractmethod
    def on_message(self, data: bytes, now_ns: int) -> list[Reply]:
        """Return the answers to one text message of the client, which came at `now_ns` since 1970."""

    def idle(self, open_s: float, received_s: float, sent_s: float, now_ns: int) -> list[Reply]:
        """Return what the exchange does on its own account: heartbeats, and the close of connections out of use.

        Called a few times a second.

        Args:
            open_s: seconds since the connection was opened.
            received_s: seconds since the client's last message.
            sent_s: seconds since the last frame to the client.
            now_ns: ns since 1970.
        """
        return []

    def too_fast(self) -> list[Reply]:
        """Return the answer to a message beyond the rate that the exchange allows."""
        return [Close(1008, "Too many requests")]

    def envelope(self, topic: str, payload: bytes) -> bytes:
        """Return `payload`, data of `topic`, in the form that this connection uses."""
        return payload

    @abc.abstractmethod
    def shutdown_notice(self, now_ms: int) -> str | None:
        """Return the text that announces the close of the connection, None if the exchange announces nothing.

        `now_ms`: ms since 1970.
        """
