"""What an adapter reports besides events. Pure.

`Adapter.parse`, `on_rest` and `resync` append notices to `Adapter.notices`; the worker takes them from there after each
frame and acts on them.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

__all__ = [
    "Acknowledged",
    "BookLost",
    "CloseAnnounced",
    "Greeted",
    "Notice",
    "Pong",
    "Refused",
    "RestRequest",
    "Resubscribe",
    "Retry",
    "SendText",
    "SnapshotRejected",
    "SubscriptionsListed",
    "UnrecognizedFrame",
]


class UnrecognizedFrame(Exception):
    """A well-formed message of a type that this adapter does not know; `kind` names the type."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"unrecognized message: {kind[:200]}")
        self.kind = kind[:200]


class SendText(Struct, frozen=True):
    """Send this text on the connection, ahead of waiting requests: the answer to a ping of the exchange."""

    text: str


class Acknowledged(Struct, frozen=True):
    """The exchange accepted these topics (wire names); `subscribed` is False where it removed them."""

    wires: tuple[str, ...]
    subscribed: bool = True


Retry: TypeAlias = Literal["never", "later", "now"]
"""When a refused request can succeed: ``never``; ``later`` (rate limit, maintenance, an internal error of the venue);
``now``, at the next attempt."""


class Refused(Struct, frozen=True):
    """The exchange refused a subscription.

    `wires`: wire names of the refused topics; empty where the exchange does not say which. `retry`: ``later``, with
    backoff, for a refusal whose meaning is unknown. `exact`: each of `wires` is refused; False: the request is refused
    as a whole, perhaps because of one topic in it.
    """

    wires: tuple[str, ...]
    reason: str
    retry: Retry = "later"
    exact: bool = True


class SubscriptionsListed(Struct, frozen=True):
    """The exchange holds these topics of the connection (wire names): the answer to `Adapter.list_subscriptions`."""

    wires: frozenset[str]


class Greeted(Struct, frozen=True):
    """The exchange accepts messages from now on, where `Limits.greets_first`."""


class Pong(Struct, frozen=True):
    """The answer to our `ping_text`."""


class RestRequest(Struct, frozen=True):
    """Fetch ``rest_url + path`` and pass the answer to ``on_rest`` with the same path.

    `weight`: cost against `Limits.rest_weight`. `delay_s`: seconds to wait before the request is sent. `key`: at most
    one request of a key is in flight or waiting; a new one replaces it.
    """

    key: str
    path: str
    weight: int = 1
    delay_s: float = 0.0


class Resubscribe(Struct, frozen=True):
    """Only a new subscription restores the book of this topic (its snapshot comes on the stream)."""

    wire: str
    reason: str


class BookLost(Struct, frozen=True):
    """The book of `symbol` is invalid until the snapshot that the adapter has requested already."""

    wire: str
    symbol: str
    reason: str


class SnapshotRejected(Struct, frozen=True):
    """The snapshot of a book is unusable, for `reason`; the adapter has requested it again.

    A live book (the snapshot was requested by `Adapter.resync`) stays live.
    """

    wire: str
    symbol: str
    reason: str


class CloseAnnounced(Struct, frozen=True):
    """The exchange has announced that it closes this connection soon; the supervisor replaces it first."""

    reason: str


Notice: TypeAlias = (
    SendText
    | Acknowledged
    | Refused
    | SubscriptionsListed
    | Greeted
    | Pong
    | RestRequest
    | Resubscribe
    | BookLost
    | SnapshotRejected
    | CloseAnnounced
)
