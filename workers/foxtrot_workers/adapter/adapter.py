"""The seam between an exchange and everything else.

An `Adapter` is pure: frames in, events out, no socket, no clock, no logging. One instance serves one
connection's life; it holds what that connection must remember (book continuity, request ids). A third
party adds an exchange by an entry point in the group ``foxtrot.exchanges`` that names an Adapter class.

How the shell drives it:

1. ``topics(channels, symbols)`` names what will be subscribed; then ``address(base)``, which may depend on it,
   gives the URL to connect to.
2. After connecting, ``opening()`` gives texts to send at once, then ``subscribe(topics)`` the subscription
   requests; the feed sends them no faster than ``limits.send_interval_s``.
3. Every data frame goes through ``parse(frame, receive_ns, out)``, which appends events to `out`. Anything
   that is not an event (acknowledgement, refusal, pong, a REST request that a book needs) is appended to
   ``self.notices``; the shell looks there after each frame.
4. A REST answer that a `RestRequest` asked for comes back through ``on_rest``.
5. Trades that nobody received are asked for by ``backfill_request``, the answer read by ``on_backfill``. What of it may
   be believed, and how many pages it takes, is `backfill`'s to decide.

Errors: ``parse`` raises `msgspec.DecodeError` (with its subclass ValidationError) for what is not valid
JSON or breaks a type, `UnrecognizedFrame` for a message type it does not know. The shell counts the frame as rejected,
keeps a sample, and goes on: an adapter must stay usable after it raised.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, TypeAlias

from msgspec import Struct

from foxtrot_protocol.events import MarketEvent, Trade
from foxtrot_protocol.identity import DEFAULT_IDENTITIES, IdentityRule
from foxtrot_protocol.symbols import SymbolCase, canonical_symbol

__all__ = [
    "Acknowledged",
    "Adapter",
    "BookLost",
    "Budget",
    "CloseAnnounced",
    "Limits",
    "Notice",
    "Pong",
    "Refused",
    "RestRequest",
    "Resubscribe",
    "Retry",
    "SendText",
    "SnapshotRejected",
    "Topic",
    "UnrecognizedFrame",
]


class UnrecognizedFrame(Exception):
    """A well-formed message of a type this adapter does not know; `kind` names it."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"unrecognized message: {kind[:200]}")
        self.kind = kind[:200]


class Topic(Struct, frozen=True):
    """One subscription: `channel` and `symbol` as configured, `wire` as the exchange names the pair of them."""

    channel: str
    symbol: str
    wire: str


class Budget(Struct, frozen=True):
    """At most `limit` in any `period_s` seconds; `limit` 0: the exchange gives no number."""

    limit: int = 0
    period_s: float = 0.0


class Limits(Struct, frozen=True, kw_only=True):
    """What the exchange allows and does; times in seconds. Source: the exchange's documents."""

    silence_s: float
    """No frame of any kind for this long: the connection is dead."""
    send_interval_s: float = 0.0
    """Least time between two messages of ours."""
    topics_max: int = 1000
    """Topics one connection may hold."""
    topics_per_request: int = 100
    lifetime_s: float | None = None
    """The exchange closes a connection at this age."""
    ping_text: str | None = None
    """What we send when idle, where the exchange wants the client to ping by message."""
    ping_idle_s: float = 0.0
    """Send `ping_text` after this long without a frame."""
    acknowledge_s: float = 10.0
    """A subscription unanswered for this long is asked again, once, then the connection is replaced."""
    stale_channel_s: Mapping[str, float] = {}
    """By channel: a flowing topic without data for this long is stale."""
    stale_topic_s: float | None = None
    """The same for channels that are not named there; None: they may rest."""
    stale_connection_s: float = 30.0
    """No data of any topic for this long: the connection is suspected, and replaced if the venue has data."""
    first_event_s: float = 60.0
    """An acknowledged topic without a first event for this long is silent."""
    connects: Budget = Budget()
    """WebSocket handshakes of all workers together at one address."""
    rest_weight: Budget = Budget()
    """Weight of the REST requests of all workers together at one address."""
    instruments_weight: int = 1
    """Weight of the request for the instrument list."""
    frame_bytes_max: int = 32 * 1024 * 1024
    compression: bool = False


class SendText(Struct, frozen=True):
    """Send this text on the connection (answers to the exchange's own pings)."""

    text: str


class Acknowledged(Struct, frozen=True):
    """The exchange accepted these topics (wire names); `subscribed` False: they were removed."""

    wires: tuple[str, ...]
    subscribed: bool = True


Retry: TypeAlias = Literal["never", "later", "now"]
"""What a refusal means: the request can never succeed; it can after a while (rate limit, maintenance, an internal error
of the venue); it can at once."""


class Refused(Struct, frozen=True):
    """The exchange refused these topics (wire names; empty: it did not say which).

    `retry`: unknown refusals are retried later, with backoff. `exact`: it refused each of them; otherwise the whole
    request, perhaps for the sake of one of them.
    """

    wires: tuple[str, ...]
    reason: str
    retry: Retry = "later"
    exact: bool = True


class Pong(Struct, frozen=True):
    """The answer to our `ping_text`."""


class RestRequest(Struct, frozen=True):
    """Fetch ``rest_url + path``, then call ``on_rest`` with the same path; `weight` is its price.

    The shell fetches after `delay_s`; one request a `key` at a time: a new one replaces a waiting one.
    """

    key: str
    path: str
    weight: int = 1
    delay_s: float = 0.0


class Resubscribe(Struct, frozen=True):
    """This topic's book is broken in a way that only a new subscription mends."""

    wire: str
    reason: str


class BookLost(Struct, frozen=True):
    """The book of `symbol` is invalid until a snapshot follows (which the adapter has asked for)."""

    wire: str
    symbol: str
    reason: str


class SnapshotRejected(Struct, frozen=True):
    """The snapshot of a book could not be used, for `reason`; the adapter has requested it again.

    Of a book that is live (it was only to be published whole) nothing is lost.
    """

    wire: str
    symbol: str
    reason: str


class CloseAnnounced(Struct, frozen=True):
    """The exchange will close this connection soon: replace it now."""

    reason: str


Notice: TypeAlias = (
    SendText | Acknowledged | Refused | Pong | RestRequest | Resubscribe | BookLost | SnapshotRejected | CloseAnnounced
)


class Adapter(abc.ABC):
    """One exchange's protocol, for one connection."""

    name: ClassVar[str]
    """As in the configuration: ``exchange = "binance"``."""
    exchange: ClassVar[str]
    """As in events: ``BINANCE``."""
    channels: ClassVar[frozenset[str]]
    """Configuration channels this exchange offers."""
    url: ClassVar[str]
    rest_url: ClassVar[str]
    limits: ClassVar[Limits]
    backfill_order: ClassVar[Literal["forward", "backward"]] = "forward"
    """Where a page of past trades begins: at the first identifier asked for, or at the last, going back."""
    identities: ClassVar[Mapping[str, IdentityRule]] = {}
    """How copies of an event are recognized, by event type (``eMarketTrade.``); what is not named here is treated by
    `identity.DEFAULT_IDENTITIES`, which assumes little."""
    symbol_case: ClassVar[SymbolCase] = "exact"
    """How the venue writes symbols; unless ``exact`` they may be configured in any case."""
    hosts: ClassVar[frozenset[str]] = frozenset()
    """Further host names (or domains above them) by which a recording is known to be of this exchange."""

    def __init__(self, *, adopt: bool = False) -> None:
        """`adopt`: accept topics nobody subscribed (replay); otherwise their frames are unrecognized."""
        self.adopt = adopt
        self.notices: list[Notice] = []
        self.last_data_ns: dict[str, int] = {}
        """Receive time of the last data frame of each topic, by wire name."""
        self.held_ns: dict[str, int] = {}
        """The same of updates that wait for a snapshot: they show that the stream lives, and are no data yet."""

    @abc.abstractmethod
    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """The topics for these channels and symbols; symbols as configured (the exchange's own)."""

    @abc.abstractmethod
    def address(self, base: str) -> str:
        """The URL to connect to; `base` is `url` or what the configuration put in its place."""

    def canonical(self, symbols: Sequence[str]) -> list[str]:
        """`symbols` as the venue writes them, each once."""
        return list(dict.fromkeys(canonical_symbol(symbol, self.symbol_case) for symbol in symbols))

    def identity_rules(self, channels: Sequence[str]) -> dict[str, IdentityRule]:
        """`identities` of a connection with these channels, completed by the defaults."""
        return {**DEFAULT_IDENTITIES, **self.identities}

    def opening(self) -> list[str]:
        """Texts to send as soon as the connection is open."""
        return []

    @abc.abstractmethod
    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Request texts that subscribe `topics`, each within the exchange's limits; `parse` accepts them from now."""

    @abc.abstractmethod
    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Request texts that unsubscribe `topics`."""

    @abc.abstractmethod
    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Append the events of `frame` to `out`; the hot path."""

    def on_rest(  # noqa: B027 - an exchange without REST needs none
        self, path: str, status: int, body: bytes, receive_ns: int, out: list[MarketEvent[str]]
    ) -> None:
        """The answer to a `RestRequest`: `path` (in replay: the recorded URL), HTTP `status`, `body`."""

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        """Show the books among `topics`, which flow, whole once more: the engine that knew them has been replaced.

        Ask for what that takes by `notices`; returned are those that have to be subscribed anew for it, as where the
        snapshot comes on the stream. Unless overridden: those whose channel's name begins with ``book``.
        """
        return [topic for topic in topics if topic.channel.startswith("book")]

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        """How to fetch the events `first_id` to `last_id` of a stream (an event type), or a first page of them.

        One that also shows the next trade beyond tells more: then it is known that there is nothing between. None where
        the exchange offers no way.
        """
        return None

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        """The trades in an answer (status 200) to `backfill_request`; those beyond what was asked may be among them.

        Raises as `parse` does, and ValueError for an answer that says that it is none.
        """
        raise NotImplementedError

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        """A cheap request whose answer changes when `topic` has new data; None where the exchange offers none.

        Asked only of a connection that brings no data: two answers, some time apart, tell a quiet market from a dead
        stream.
        """
        return None

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        """From an answer (status 200) to `liveness_request`: text that differs from the last if `topic` has new data.

        Raises as `parse` does.
        """
        raise NotImplementedError

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        """REST path of the instrument list that has `symbols`; of all instruments where there are none.

        None where there is no such list, or not one for all of them.
        """
        return None

    def instruments(self, body: bytes) -> dict[str, str]:
        """From an instrument list: the exchange's symbol to BASE-QUOTE[-...] for each instrument."""
        return {}

    def instrument(self, symbol: str) -> str:
        """BASE-QUOTE as far as `symbol` itself tells, where no instrument list is at hand."""
        return symbol
