"""Keys of a ``[[sinks]]`` table of kind "redis". Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from foxtrot_supervisor.config.setting import Range, Setting
from foxtrot_supervisor.sinks.stores.settings import StoreSettings

__all__ = ["RedisSettings"]


class RedisSettings(StoreSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Redis is, and how its streams are called and bounded."""

    url: Annotated[
        str,
        Setting(
            description="Address of the server.",
            allowed="`redis://HOST:PORT/DB`, `rediss://HOST:PORT/DB` (TLS), `unix:///PATH`",
        ),
    ] = "redis://127.0.0.1:6379/0"
    prefix: Annotated[
        str,
        Setting(
            description="First part of the names of all keys.",
            allowed="printable ASCII without spaces; at most 100",
            more="A Redis Cluster needs one in braces, as `{foxtrot}`: all keys are then in one slot.",
        ),
    ] = "foxtrot"
    streams: Annotated[
        Literal["kind", "symbol"],
        Setting(description="One stream for each kind of event, or for each kind, exchange and symbol."),
    ] = "kind"
    max_entries: Annotated[
        int,
        Setting(
            description="About how many entries each stream keeps; Redis drops the oldest beyond.",
            range=Range(1000, 1_000_000_000),
        ),
    ] = 1_000_000
    duplicate_window_s: Annotated[
        int,
        Setting(
            description="How long, at least, the keys of events are remembered; 0: not at all.",
            range=Range(0, 86_400),
            more="Rows that this sink writes repeatedly are recognized without it. It recognizes the same event from "
            "another host, or after its spool was deleted.",
        ),
    ] = 120
