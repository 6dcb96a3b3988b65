"""Options of a simulated exchange. Data only."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

__all__ = ["ENFORCED", "ExchangeLimits", "ExchangeName", "PlaybackOptions"]

ExchangeName: TypeAlias = Literal["binance", "binance_us", "okx", "bybit", "coinbase", "kraken"]
"""Exchanges whose protocol a simulated market speaks."""


class ExchangeLimits(Struct, frozen=True, kw_only=True):
    """Rules of the exchange; times in seconds, so that tests can shorten a day to a second.

    The defaults are Binance's; `Venue.limits` has those of the others.
    """

    ping_interval_s: float | None = 20.0
    """Time between two pings (frames) of the exchange; None: it sends none."""
    pong_timeout_s: float = 60.0
    lifetime_s: float | None = 24 * 3600.0
    """Age at which a connection is closed; None: none."""
    shutdown_notice_s: float = 10.0
    """The close is announced this long before; real exchanges promise no time."""
    messages_per_s: int = 5
    """Messages of a client, pings and pongs included, in any second; one more breaks the rule."""
    requests_per_hour: int | None = None
    """Subscription requests of one connection: so many at once, which grow again over an hour. None: unlimited."""
    streams_max: int = 1024
    """Topics that one connection may hold."""
    idle_s: float | None = None
    """A connection out of use for this long is closed; what counts as use differs by exchange. None: never."""
    attempts_max: int | None = None
    """WebSocket handshakes of one address in `attempts_window_s`; Binance allows 300 in 300 s.

    None by default: everything on the loopback address would share one budget.
    """
    attempts_window_s: float = 300.0
    connections_max: int = 1_000
    """WebSocket connections open at once."""
    weight_per_minute: int | None = None
    """REST weight for each minute; Binance allows 6000. None: counted, never refused."""
    refusals_max: int | None = None
    """REST requests refused in a row after which the address is banned (418); None: never."""
    ban_s: float = 120.0
    send_buffer_bytes: int = 8 * 1024 * 1024
    """Bytes waiting for one client; a slower one is closed."""
    nested_errors: bool = False
    """Binance: errors of requests are nested under ``"error"``."""


ENFORCED = ExchangeLimits(attempts_max=300, weight_per_minute=6000, refusals_max=10)
"""Those of Binance, with all that it enforces for an address."""


class PlaybackOptions(Struct, frozen=True, kw_only=True):
    """How a recording is served; times in seconds."""

    speed: float = 1.0
    """1: as recorded; N: N times as fast; 0: as fast as it is taken."""
    at_end: Literal["idle", "close"] = "idle"
    send_all: bool = False
    """Also send frames of topics that the client did not subscribe."""
    settle_s: float = 1.0
    """Start this long after the last subscription, or at once when every recorded topic is subscribed."""
    hold_s: float = 10.0
    """How long playback waits for the request of a snapshot, and a request for playback to reach it."""
