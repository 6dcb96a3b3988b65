"""What crosses to a child at its start: plain msgpack bytes, no pickle, nothing secret.

The start target is text, ``"package.module:function"``, resolved in the child, so that the supervisor
never imports what its children run. The same `boot` serves every kind of child.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from foxtrot_protocol.errors import MalformedMessage, MessageTooLarge

__all__ = [
    "NEVER_DROP_LIMIT",
    "PUT_WAIT_S",
    "QUEUE_LIMIT",
    "SLOW_HANDLER_MS",
    "SPEC_BYTES_MAX",
    "SPIN_US",
    "AlertSettings",
    "BookUpdates",
    "BundleSettings",
    "ChildKind",
    "ChildSpec",
    "EngineSettings",
    "FeedSettings",
    "Idle",
    "MetricsSettings",
    "NurserySettings",
    "RecorderSettings",
    "ResourceLimits",
    "SimulatorSettings",
    "SinkSettings",
    "decode_settings",
    "decode_spec",
    "encode_spec",
]

SPEC_BYTES_MAX = 60 * 1024
"""Spawn writes its arguments into a pipe synchronously: more than 64 KiB would block the supervisor."""

QUEUE_LIMIT = 100_000
NEVER_DROP_LIMIT = 1_000_000
PUT_WAIT_S = 5.0
SLOW_HANDLER_MS = 100.0
SPIN_US = 1000.0
"""Defaults shared by a bare `EventEngine()` and the keys of ``[engine]`` with these names."""

S = TypeVar("S")

ChildKind = Literal["engine", "connection", "simulator", "nursery", "service"]
""""service": a supervised process beside the feed; the feed neither waits for it nor depends on it."""


class FeedSettings(Struct, frozen=True, kw_only=True):
    """Settings of one worker: one connection to one exchange. Times in seconds.

    Values of configuration keys have no defaults here: the configuration declares them.
    """

    connection: str
    """Under this name the engine merges the streams of several workers."""
    side: str
    """Tells these workers apart."""
    exchange: str
    channels: list[str]
    symbols: list[str]
    data_endpoint: str
    url: str | None = None
    rest_url: str | None = None
    client: Literal["picows", "websockets"]
    ca_file: str | None = None
    proxy: str | None = None
    stale_after_s: float | None = None
    rotate_after_s: float | None = None
    rotate_share: float = 1.0
    """Of the planned age that this incarnation is to reach: twins are not to grow old together."""
    connect_s: float = 15.0
    ring_bytes: int
    full_wait_s: float
    """How long a full ring holds back the exchange before events are dropped and announced."""
    frames_ring_bytes: int = 0
    """Capacity of the ring that keeps frames before they are parsed (`frames_layout`); 0: there is none."""
    recorded: bool = False
    """Whether the recorder reads that ring, and removes it."""
    sinks: list[str] = []
    """Sinks that read the ring too, each by a link in its `endpoints.sink_directory`."""


Idle: TypeAlias = Literal["sleep", "backoff", "spin"]
"""What the engine's dispatch thread does when there is nothing to do; `[engine] idle`."""

BookUpdates: TypeAlias = Literal["snapshot", "deliver"]
"""Updates of a book that handlers cannot follow, after the engine was replaced or updates were lost.

"snapshot": not handed over, since the next snapshot contains them, and announced; "deliver": handed over in order.
"""


class EngineSettings(Struct, frozen=True, kw_only=True):
    """Settings of the engine process. `import_path` is put last on its module search path.

    Values of configuration keys have no defaults here: the configuration declares them.
    """

    data_endpoint: str
    tap_path: str
    handlers: list[str]
    import_path: str
    handlers_s: float
    numbers: Literal["float", "decimal", "text"]
    queue_limit: int
    never_drop_limit: int
    put_wait_s: float
    block: list[str]
    conflate: list[str]
    never_drop: list[str]
    slow_handler_ms: float
    suspend_after: int | None
    ticks: Literal["off", "change", "trade", "interval"]
    tick_interval_s: float
    bars_from_trades: list[str]
    leak_sample_s: float
    book_updates: BookUpdates
    idle: Idle
    spin_us: float


class SimulatorSettings(Struct, frozen=True, kw_only=True):
    """Settings of the embedded simulated exchange. `port` and `rest_port` 0: any free one."""

    symbols: list[str]
    seed: int = 1
    rate_per_s: float = 50.0
    port: int = 0
    rest_port: int = 0


class NurserySettings(Struct, frozen=True, kw_only=True):
    """Settings of a template process. `boot`: what its copies call first."""

    socket_path: str
    boot: str
    exchanges: list[str] = []
    """Exchanges whose adapters are imported ahead."""
    clients: list[str] = []
    """WebSocket libraries that are imported ahead."""
    modules: list[str] = []
    """Modules that are imported ahead; none: those that workers need."""
    import_path: str = ""
    """Folder of users' modules among them; "": none."""


class MetricsSettings(Struct, frozen=True, kw_only=True):
    """Settings of the process that serves metrics."""

    listen: str
    """``host:port``; port 0: any free one."""
    token_file: str | None = None
    """Path of the file with the token that clients must send."""
    insecure: bool = False
    """Whether an address that is not on loopback may be served without a token."""


class AlertSettings(Struct, frozen=True, kw_only=True):
    """Settings of the process that calls when something breaks; of the keys of ``[alerts]``."""

    command: str | None = None
    shell: bool = False
    webhook_file: str | None = None
    deadline_s: float
    calls_per_minute: int


class RecorderSettings(Struct, frozen=True, kw_only=True):
    """Settings of the process that records frames."""

    directory: str
    segment_bytes: int
    segment_s: float
    bytes_max: int | None = None
    """Bytes of all segments; None: unlimited."""
    keep_s: float | None = None
    """Age in seconds at which a segment is removed; None: never."""
    level: int
    """Of zstandard."""


class SinkSettings(Struct, frozen=True, kw_only=True):
    """Settings of a sink's process; of the keys of ``[[sinks]]``."""

    name: str
    kind: str
    options: dict[str, object]
    """The kind's own keys."""
    spool_bytes: int
    spool_directory: str | None
    """None: the process finds one."""
    batch_rows: int


class BundleSettings(Struct, frozen=True, kw_only=True):
    """Settings of the process that writes crash bundles."""

    directory: str
    """"": the default one of this user."""
    bundles: int
    """Number of bundles that are kept."""


class ResourceLimits(Struct, frozen=True, kw_only=True):
    """What the kernel lets one child have, and all that it starts; set by the child itself before anything else.

    Memory is limited by ``RLIMIT_DATA``: memory that the process alone may write to. ``RLIMIT_AS`` would count address
    space that is reserved and never touched (a worker has 370 to 440 MiB of it, writes to 85 and uses 50), and the
    kernel ignores ``RLIMIT_RSS``.
    """

    memory_mib: int | None = None
    """MiB of private memory; None: unlimited."""
    open_files: int | None = None
    """Descriptors; None: as many as the supervisor may have."""
    core_dumps: bool = False
    """Whether a crash writes a core file."""


class ChildSpec(Struct, frozen=True, kw_only=True):
    """Description of one child; `settings` is the encoded settings of its kind."""

    name: str
    kind: ChildKind
    target: str
    incarnation: int
    run_id: str
    run_dir: str
    parent_pid: int
    control_endpoint: str
    heartbeat_s: float
    log_level: str
    log_format: Literal["console", "json", "link"]
    """"link": send log records to the supervisor, which shows them (live view)."""
    settings: bytes
    limits: ResourceLimits = ResourceLimits()


_decoder = msgspec.msgpack.Decoder(ChildSpec)


def encode_spec(spec: ChildSpec) -> bytes:
    """`spec` as msgpack; raises `MessageTooLarge` over `SPEC_BYTES_MAX`."""
    data = msgspec.msgpack.encode(spec)
    if len(data) > SPEC_BYTES_MAX:
        raise MessageTooLarge(len(data), SPEC_BYTES_MAX)
    return data


def decode_spec(data: bytes) -> ChildSpec:
    """The specification in `data`; raises `MalformedMessage`."""
    try:
        return _decoder.decode(data)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"child specification: {error}") from None


def decode_settings(data: bytes, kind: type[S]) -> S:
    """The settings of a child of this kind; raises `MalformedMessage`."""
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"child settings: {error}") from None
