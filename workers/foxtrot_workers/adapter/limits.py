"""Topics and rate limits: what one connection subscribes, and what an exchange allows. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

__all__ = ["Budget", "Limits", "Topic"]


class Topic(Struct, frozen=True):
    """One subscription: `channel` and `symbol` as configured, `wire` as the exchange names the pair."""

    channel: str
    symbol: str
    wire: str


class Budget(Struct, frozen=True):
    """Rate limit: at most `limit` units in any `period_s` seconds; `limit` 0: unlimited as far as documented."""

    limit: int = 0
    period_s: float = 0.0


class Limits(Struct, frozen=True, kw_only=True):
    """Limits and timing of one exchange, by its documentation; times in seconds."""

    silence_s: float
    """A connection without a frame of any kind for this long is dead."""
    send_interval_s: float = 0.0
    """Minimum time between two messages to the exchange."""
    topics_max: int = 1000
    """Maximum number of topics on one connection."""
    topics_per_request: int = 100
    """Maximum number of topics in one subscription request."""
    lifetime_s: float | None = None
    """Age at which the exchange closes a connection; None: no such age."""
    ping_text: str | None = None
    """Text message to send on an idle connection, where the exchange requires one; None: not required."""
    ping_idle_s: float = 0.0
    """Idle time after which `ping_text` is sent."""
    ping_interval_s: float | None = None
    """Interval at which `ping_text` is sent even while data flow; None: on an idle connection only."""
    ping_frame_s: float | None = None
    """Interval at which a ping frame is sent, where the exchange counts on them; None: never."""
    greets_first: bool = False
    """Whether nothing may be sent before the exchange has greeted us (`notices.Greeted`)."""
    opening_delay_s: float = 0.0
    """Time after the connection is open before which nothing is sent."""
    acknowledge_s: float = 10.0
    """A subscription unanswered for this long is requested again; if most of a connection stays unanswered, it is
    replaced."""
    stale_channel_s: Mapping[str, float] = {}
    """By channel: a flowing topic without data for this long is stale."""
    stale_topic_s: float | None = None
    """The same for all other channels; None: their topics may pause for any time."""
    stale_connection_s: float = 30.0
    """A connection without data of any topic for this long is suspected, and replaced if the venue has data."""
    first_event_s: float = 60.0
    """An acknowledged topic without a first event for this long is silent."""
    connects: Budget = Budget()
    """Rate limit of WebSocket handshakes, shared by all workers of one address."""
    rest_weight: Budget = Budget()
    """Rate limit of REST requests by weight, shared by all workers of one address."""
    instruments_weight: int = 1
    """Weight of the request for the instrument list."""
    frame_bytes_max: int = 32 * 1024 * 1024
    """A larger frame ends the connection."""
    compression: bool = False
    """Whether to negotiate permessage-deflate."""
