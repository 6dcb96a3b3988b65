"""The seam between an exchange and the rest of the system.

An `Adapter` is pure: frames in, events out; it uses no socket, no clock and no log. One instance serves one connection
and holds its state (book continuity, request identifiers). A third party adds an exchange by an entry point in the
group ``foxtrot.exchanges`` that names an Adapter class.

How a worker drives it:

1. ``topics(channels, symbols)`` returns the topics to subscribe; then ``address(base)``, which may depend on them,
   returns the URL to connect to. Where the exchange must be asked for it first, ``access_request()`` returns that
   request and ``on_access`` the URL (`access`).
2. After connecting, the worker sends the texts of ``opening()``, then the requests of ``subscribe(topics)``, no faster
   than ``limits.send_interval_s`` allows.
3. Every data frame goes to ``parse(frame, receive_ns, out)``, which appends events to `out`. Everything else
   (acknowledgement, refusal, pong, a REST request for a book) is appended to ``self.notices`` (`notices`); the worker
   takes it from there after each frame.
4. The answer to a `RestRequest` is passed to ``on_rest``.
5. Missed trades are requested by ``backfill_request`` and read by ``on_backfill``. `feed.backfill` decides how many
   pages are fetched and which of the trades are trusted.

Errors: ``parse`` raises `msgspec.DecodeError` (or its subclass ValidationError) for invalid JSON or a wrong type, and
`UnrecognizedFrame` for an unknown message type. The worker counts the frame as rejected, logs a sample and continues:
an adapter must stay usable after it has raised.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, TypeAlias

from foxtrot_protocol.events import MarketEvent, Trade
from foxtrot_protocol.identity import DEFAULT_IDENTITIES, IdentityRule
from foxtrot_protocol.instruments import Instrument, kind_of
from foxtrot_protocol.symbols import SymbolCase, canonical_symbol
from foxtrot_workers.adapter.access import AccessRequest
from foxtrot_workers.adapter.frame_kinds import FrameKinds
from foxtrot_workers.adapter.limits import Limits, Topic
from foxtrot_workers.adapter.notices import Notice, RestRequest
from foxtrot_workers.adapter.system import SystemStatus, SystemTime
from foxtrot_workers.adapter.venue import VenueFacts

__all__ = ["Adapter", "BackfillOrder"]

BackfillOrder: TypeAlias = Literal["forward", "backward", "newest"]
"""How a page of past trades lies in a gap: it starts at the first identifier requested (``forward``), ends at the last
(``backward``), or has the newest trades whatever is requested (``newest``): then one page is all that the exchange
offers, and the part of a gap before it stays announced."""


class Adapter(abc.ABC):
    """One exchange's protocol, for one connection."""

    name: ClassVar[str]
    """Name in the configuration: ``exchange = "binance"``."""
    exchange: ClassVar[str]
    """Name in events: ``BINANCE``."""
    channels: ClassVar[frozenset[str]]
    """Configuration channels this exchange offers."""
    url: ClassVar[str]
    """WebSocket URL of the exchange; `address` adds what the topics need."""
    rest_url: ClassVar[str]
    """Base of the REST paths."""
    limits: ClassVar[Limits]
    facts: ClassVar[VenueFacts | None] = None
    """Connection facts for people, ``check`` and the reference page of exchanges; None: not stated."""
    backfill_order: ClassVar[BackfillOrder] = "forward"
    identities: ClassVar[Mapping[str, IdentityRule]] = {}
    """How copies of an event are recognized, by event type (``eMarketTrade.``); others follow
    `identity.DEFAULT_IDENTITIES`, which is conservative."""
    symbol_case: ClassVar[SymbolCase] = "exact"
    """Case of the venue's symbols; unless ``exact``, symbols may be configured in any case."""
    closed: ClassVar[str] = ""
    """Why no connection can be configured, such as the end of the exchange; "" while it is open. Recordings can be
    replayed in any case."""
    symbols_have_dashes: ClassVar[bool] = True
    """Whether a symbol of the venue may have a dash; otherwise ``BTC-USDT`` names an instrument in a configuration."""
    hosts: ClassVar[frozenset[str]] = frozenset()
    """Additional host names, or their parent domains, that identify a recording of this exchange."""

    def __init__(self, *, adopt: bool = False) -> None:
        """`adopt`: accept frames of topics that were not subscribed (replay); otherwise they are unrecognized."""
        self.adopt = adopt
        self.notices: list[Notice] = []
        self.frame_kinds = FrameKinds()
        """What templates may be learned of; an adapter that declares nothing is parsed by Python (`frame_kinds`)."""
        self.last_data_ns: dict[str, int] = {}
        """Receive time of the last data frame of each topic, by wire name."""
        self.opened_ns = 0
        """Wall clock at which the connection was opened, in nanoseconds since 1970; 0 before that, and in replay."""
        self.held_ns: dict[str, int] = {}
        """Receive time of the last update of each topic that waits for a snapshot: the stream is alive, but has not
        delivered data yet."""

    @abc.abstractmethod
    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Return the topics for these channels and symbols (the exchange's spelling, as configured).

        Raises ValueError or LookupError for what the exchange does not offer.
        """

    @abc.abstractmethod
    def address(self, base: str) -> str:
        """Return the URL to connect to; `base` is `url` or the configured replacement."""

    def access_request(self) -> AccessRequest | None:
        """Return the REST request whose answer is needed to connect; None where `address` is enough."""
        return None

    def on_access(self, base: str, body: bytes) -> str:
        """Return the URL to connect to, with its token, from an answer (status 200) to `access_request`.

        `base`: `url`, or the configured replacement, which then wins over the answer's address. Raises as `parse` does,
        and ValueError where the answer is a refusal; its text is logged, so it must not quote a token.
        """
        raise NotImplementedError

    def connection_limits(self) -> Limits:
        """Return the limits of this connection, now that it is open: `limits`, unless its exchange has set others.

        Only `silence_s`, `first_event_s` and the pings may differ.
        """
        return self.limits

    def canonical(self, symbols: Sequence[str]) -> list[str]:
        """Return `symbols` as the venue writes them, without duplicates."""
        return list(dict.fromkeys(canonical_symbol(symbol, self.symbol_case) for symbol in symbols))

    def identity_rules(self, channels: Sequence[str]) -> dict[str, IdentityRule]:
        """Return `identities` for a connection with these channels, completed by the defaults."""
        return {**DEFAULT_IDENTITIES, **self.identities}

    def opening(self) -> list[str]:
        """Return the texts to send as soon as the connection is open."""
        return []

    @abc.abstractmethod
    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return request texts that subscribe `topics`, each within the exchange's limits.

        From now on `parse` accepts frames of these topics.
        """

    @abc.abstractmethod
    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return request texts that unsubscribe `topics`."""

    def list_subscriptions(self) -> list[str]:
        """Return the request texts that ask which topics this connection holds; [] where the exchange cannot be asked.

        The answer becomes a notice `SubscriptionsListed`.
        """
        return []

    @abc.abstractmethod
    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Append the events of `frame` to `out`. The hot path.

        `receive_ns`: wall clock at which the frame was read, in nanoseconds. Raises: see the module.
        """

    def parse_burst(
        self, frames: Sequence[bytes], start: int, stop: int, receive_ns: int, out: list[MarketEvent[str]]
    ) -> int:
        """Append the events of frames from `start` on as `parse` would; return the index of the first that is left.

        For speed only: one call for many frames. An adapter may leave any frame to `parse`, as this does with all. It
        returns after a frame that has left a notice, before one that it does not know, and before one whose parser
        raises; of that one it has appended nothing. `stop`: index at which it returns in any case. The hot path.
        """
        return start

    def on_rest(  # noqa: B027 - not every exchange needs REST
        self, path: str, status: int, body: bytes, receive_ns: int, out: list[MarketEvent[str]]
    ) -> None:
        """Process the answer to a `RestRequest`.

        Args:
            path: of the request (in replay: the recorded URL).
            status: HTTP status; 0 where no answer was received.
            body: of the answer.
            receive_ns: wall clock of the answer, in nanoseconds.
            out: receives the events.
        """

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        """Request fresh snapshots of the live books among `topics`: the engine that held these books was replaced.

        REST requests are appended to `notices`. Returns the topics that must be subscribed again instead, because
        their snapshot comes on the stream; by default all topics whose channel starts with ``book``.
        """
        return [topic for topic in topics if topic.channel.startswith("book")]

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        """Return the request for the events `first_id` to `last_id` of a stream, or for a first page of them.

        `stream`: an event type. A page that includes the next trade after `last_id` also proves that the page is
        complete. None where the exchange has no such request.
        """
        return None

    def backfill_page(
        self, symbol: str, stream: str, first_id: int, last_id: int, start_ns: int, end_ns: int
    ) -> RestRequest | None:
        """Return the request as `backfill_request` does, which it calls unless the exchange pages by time.

        Args:
            symbol: the exchange's spelling.
            stream: an event type.
            first_id: first identifier that is still missing.
            last_id: last one.
            start_ns: receive time of the last event before all that was missing at first; 0 if unknown.
            end_ns: receive time of the first event after it.
        """
        return self.backfill_request(symbol, stream, first_id, last_id)

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        """Return the trades in an answer (status 200) to `backfill_request`; it may include trades outside the request.

        Raises as `parse` does, and ValueError where the body is an error message of the exchange.
        """
        raise NotImplementedError

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        """Return a cheap request whose answer changes when `topic` has new data; None where there is no such request.

        Used only on a connection that delivers no data: two answers, some time apart, distinguish a quiet market from a
        dead stream.
        """
        return None

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        """Return a text that changes whenever `topic` has new data, from an answer (status 200) to `liveness_request`.

        Raises as `parse` does.
        """
        raise NotImplementedError

    def system_time(self) -> SystemTime | None:
        """Return how to ask the exchange for its time; None where it does not say, or in steps of a second."""
        return None

    def system_status(self) -> SystemStatus | None:
        """Return how to ask the exchange whether it is in maintenance; None where it does not say."""
        return None

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        """Return the REST path of the instrument list that has `symbols`; of all instruments if `symbols` is empty.

        None where the exchange has no such list, or no single list for all of `symbols`.
        """
        return None

    def instruments(self, body: bytes) -> dict[str, str]:
        """Read an instrument list: the exchange's symbol to BASE-QUOTE[-...] for each instrument."""
        return {}

    def list_paths(self) -> list[str]:
        """Return the REST paths whose answers together list all instruments; [] where the exchange has no list."""
        path = self.instruments_path([])
        return [] if path is None else [path]

    def listed(self, body: bytes) -> list[Instrument]:
        """Read an answer (status 200) to one of `list_paths`. Raises as `parse` does, and ValueError for a refusal."""
        return [
            Instrument(symbol=symbol, instrument=name, kind=kind_of(name))
            for symbol, name in self.instruments(body).items()
        ]

    def next_list_path(self, path: str, body: bytes) -> str | None:
        """Return the path of the page after the answer `body` to `path`; None where the answer has all of it."""
        return None

    def instrument(self, symbol: str) -> str:
        """Derive BASE-QUOTE from `symbol` alone, where no instrument list is available."""
        return symbol
