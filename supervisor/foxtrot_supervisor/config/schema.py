"""The configuration as frozen data, with its defaults; reading and checking a file is `config`'s.

Field names are the keys of the TOML file; every time in seconds ends in ``_s``.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

__all__ = [
    "ConnectionConfig",
    "EngineConfig",
    "FoxtrotConfig",
    "LogFormat",
    "Restart",
    "RingConfig",
    "StartMethod",
    "SupervisorConfig",
]

Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
StartMethod: TypeAlias = Literal["auto", "spawn", "nursery"]
LogFormat: TypeAlias = Literal["console", "json", "link"]
"""Format of log lines; ``link``: print nothing, keep the latest lines for a live view, children's lines included."""


class SupervisorConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[supervisor]``: processes, deadlines, restart policy."""

    run_dir: str | None = None
    """None: $XDG_RUNTIME_DIR/foxtrot, else a private folder under the temporary directory."""
    start_method: StartMethod = "auto"
    hello_s: float = 30.0
    ready_s: float = 30.0
    heartbeat_s: float = 1.0
    late_s: float = 5.0
    hung_s: float = 10.0
    stop_ask_s: float = 30.0
    stop_term_s: float = 10.0
    stop_kill_s: float = 5.0
    shutdown_s: float = 60.0
    restart: Restart = "permanent"
    restart_intensity: int = 5
    restart_period_s: float = 60.0
    backoff_first_s: float = 0.0
    backoff_s: float = 0.5
    backoff_max_s: float = 60.0
    backoff_jitter: float = 0.2
    healthy_after_s: float = 60.0
    worker_memory_mib: int | None = None
    """Private memory of each worker; None: unlimited."""
    engine_memory_mib: int | None = None
    open_files: int | None = None
    """Descriptors of each child; None: as many as the supervisor may have."""
    core_dumps: bool = False


class EngineConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[engine]``: the process that runs the user's handlers."""

    handlers: list[str] = []
    handlers_s: float = 120.0
    """Longest set-up of all handlers together, in seconds."""
    numbers: Literal["float", "decimal", "text"] = "float"
    queue_limit: int = 100_000
    never_drop_limit: int = 1_000_000
    put_wait_s: float = 5.0
    block: list[str] = []
    """Event classes whose policy is not to be the default one; so are the next two."""
    conflate: list[str] = []
    never_drop: list[str] = []
    slow_handler_ms: float = 100.0
    suspend_after: int | None = None
    """Failures in a row that suspend a handler; None: no number does."""
    ticks: Literal["off", "change", "trade", "interval"] = "change"
    tick_interval_s: float = 0.5
    bars_from_trades: list[str] = []
    leak_sample_s: float = 5.0
    book_updates: Literal["snapshot", "deliver"] = "snapshot"
    """Updates of books that handlers have no snapshot of: contained in the next one, or handed over all the same."""
    preload: bool = False
    """Keep a template process with the engine's and the handlers' modules imported, for a quick successor."""


class RingConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[ring]``: what a worker may hold that the engine has not yet applied."""

    size_mib: int = 4
    full_wait_s: float = 5.0


class ConnectionConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[connections]]``: one subscription set at one exchange."""

    name: str
    exchange: str
    channels: list[str]
    symbols: list[str]
    redundancy: int = 1
    backfill: bool = False
    stale_after_s: float | None = None
    rotate_after_s: float | None = None
    client: Literal["picows", "websockets"] = "picows"
    url: str | None = None
    more_urls: list[str] = []
    """Further addresses beside `url`: the sides begin with different ones, and go on from one that fails."""
    rest_url: str | None = None
    ca_file: str | None = None
    proxy: str | None = None
    restart: Restart | None = None
    essential: bool = True

    @property
    def addresses(self) -> list[str]:
        """WebSocket addresses, the first one first; empty: the exchange's own."""
        return [] if self.url is None else [self.url, *self.more_urls]


class FoxtrotConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    supervisor: SupervisorConfig = SupervisorConfig()
    engine: EngineConfig = EngineConfig()
    ring: RingConfig = RingConfig()
    connections: list[ConnectionConfig] = []
