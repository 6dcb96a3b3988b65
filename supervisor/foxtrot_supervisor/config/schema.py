"""The configuration: every key with its type, default, range and description, declared here and nowhere else.

Field names are the keys of the TOML file; every time in seconds ends in ``_s``. What a `Setting` says is used by the
checks (`check`), the example file (`example`) and docs/configuration.md (`scripts/draw_configuration.py`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Struct

from foxtrot_protocol.bar_intervals import INTERVALS
from foxtrot_protocol.spec import NEVER_DROP_LIMIT, PUT_WAIT_S, QUEUE_LIMIT, SLOW_HANDLER_MS, SPIN_US
from foxtrot_supervisor.config.cluster import ClusterConfig
from foxtrot_supervisor.config.setting import SECONDS_MAX, Range, Setting

__all__ = [
    "CLIENT_DEFAULT",
    "CONNECTIONS_MAX",
    "MORE_URLS_MAX",
    "NAME_CHARACTERS_MAX",
    "SINKS_MAX",
    "AlertsConfig",
    "ConnectionConfig",
    "EngineConfig",
    "ExchangeInfo",
    "FoxtrotConfig",
    "LogFormat",
    "MetricsConfig",
    "RecorderConfig",
    "Restart",
    "RingConfig",
    "SinkCheck",
    "SinkConfig",
    "SinkKeys",
    "StartMethod",
    "SupervisorConfig",
]

Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
StartMethod: TypeAlias = Literal["auto", "spawn", "nursery"]
LogFormat: TypeAlias = Literal["console", "json", "link"]
"""Format of log lines; ``link``: print nothing, keep the latest lines for a live view, children's lines included."""

CLIENT_DEFAULT: Literal["picows", "websockets"] = "picows"
"""WebSocket library of connections that name none."""

CONNECTIONS_MAX = 1000
"""Largest number of connections in one file; each is one or two processes."""

MORE_URLS_MAX = 16
"""Largest number of addresses of one connection beside its first."""

SINKS_MAX = 16
"""Largest number of sinks; each is a process, and each worker's ring gets a link for it."""

NAME_CHARACTERS_MAX = 40
"""Longest name of a connection: it is part of socket identities and file names."""

_TIME = Range(0.0, SECONDS_MAX)
_LENGTH = Range(0.0, SECONDS_MAX, above=True)
_MEMORY_MIB = Range(128, 1_048_576)
"""An idle worker has 85 MiB of private memory: less would end it before it begins."""


class SupervisorConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[supervisor]``: processes, deadlines, restart policy."""

    run_dir: Annotated[
        str | None,
        Setting(
            description="Directory for the sockets and the lock of the run.",
            allowed="at most 107 bytes with the name of a socket in it",
            unset="`$XDG_RUNTIME_DIR/foxtrot`, else `foxtrot-UID` in the temporary folder",
            example="/run/foxtrot",
            more="One supervisor each; must be private (0700).",
        ),
    ] = None
    start_method: Annotated[
        StartMethod,
        Setting(
            description='How workers are created: "spawn", "nursery" (forked from a template), or "auto".',
            more='`"auto"`: a nursery where this machine allows it.',
        ),
    ] = "auto"
    hello_s: Annotated[
        float, Setting(description="Longest time until a new process reports that it runs.", range=_LENGTH)
    ] = 30.0
    ready_s: Annotated[
        float, Setting(description="Longest time from then until it reports that it serves.", range=_LENGTH)
    ] = 30.0
    heartbeat_s: Annotated[
        float, Setting(description="Interval of heartbeats of every child.", range=Range(0.01, 3600.0))
    ] = 1.0
    late_s: Annotated[
        float,
        Setting(
            description="A child without a heartbeat for this long is shown as late.",
            range=_LENGTH,
            allowed="between `heartbeat_s` and `hung_s`",
            unset="`5.0`, less where `hung_s` is short",
        ),
    ] = 5.0
    hung_s: Annotated[
        float,
        Setting(
            description="A child without a heartbeat for this long is killed and replaced.",
            range=_LENGTH,
            allowed="> `heartbeat_s`",
        ),
    ] = 10.0
    stop_ask_s: Annotated[
        float, Setting(description="First rung of a stop: how long a child may take when asked.", range=_TIME)
    ] = 30.0
    stop_term_s: Annotated[
        float, Setting(description="Second rung: how long it may take after SIGTERM.", range=_TIME)
    ] = 10.0
    stop_kill_s: Annotated[
        float, Setting(description="Third rung: after SIGKILL; then it is reported as LOST.", range=_TIME)
    ] = 5.0
    shutdown_s: Annotated[float, Setting(description="Longest time of the whole shutdown.", range=_LENGTH)] = 60.0
    restart: Annotated[
        Restart,
        Setting(
            description="Which workers that end are restarted.",
            more='`"permanent"`: all; `"transient"`: those that crashed; `"temporary"`: none.',
        ),
    ] = "permanent"
    restart_intensity: Annotated[
        int,
        Setting(
            description="A worker that crashes more often than this within restart_period_s is FATAL.",
            range=Range(0, 1_000_000),
        ),
    ] = 5
    restart_period_s: Annotated[float, Setting(description="Period in which crashes are counted.", range=_LENGTH)] = (
        60.0
    )
    backoff_first_s: Annotated[float, Setting(description="Wait before the first restart.", range=_TIME)] = 0.0
    backoff_s: Annotated[
        float, Setting(description="Wait before the second restart; doubles with each further one.", range=_TIME)
    ] = 0.5
    backoff_max_s: Annotated[
        float, Setting(description="Longest wait before a restart.", range=_TIME, allowed="≥ `backoff_s`")
    ] = 60.0
    backoff_jitter: Annotated[
        float, Setting(description="Random share by which each wait is longer or shorter.", range=Range(0.0, 1.0))
    ] = 0.2
    healthy_after_s: Annotated[float, Setting(description="RUNNING for this long resets the backoff.", range=_TIME)] = (
        60.0
    )
    markets_refresh_s: Annotated[
        float,
        Setting(
            description="Interval at which connections with patterns read the exchange's instrument list again.",
            range=Range(0.0, 30 * 86_400.0),
            more="0: never. See [markets.md](markets.md#listings).",
        ),
    ] = 3600.0
    split_cpu: Annotated[
        float,
        Setting(
            description="Share of a processor core from which on a shard's worker is split.",
            range=Range(0.0, 1.0),
            more="0: never without a request. See [markets.md](markets.md#splits).",
        ),
    ] = 0.8
    split_after_s: Annotated[
        float,
        Setting(
            description="How long a worker must need more than `split_cpu` before it is split.",
            range=Range(1.0, 86_400.0),
        ),
    ] = 60.0
    worker_memory_mib: Annotated[
        int | None,
        Setting(
            description="Private memory of each worker; one that needs more ends and is replaced.",
            range=_MEMORY_MIB,
            unset="unlimited",
            example=512,
        ),
    ] = None
    engine_memory_mib: Annotated[
        int | None,
        Setting(
            description="Private memory of the engine's process.", range=_MEMORY_MIB, unset="unlimited", example=2048
        ),
    ] = None
    open_files: Annotated[
        int | None,
        Setting(
            description="Largest number of descriptors of each child.",
            range=Range(64, 1_048_576),
            unset="as many as the supervisor may have",
            example=1024,
        ),
    ] = None
    core_dumps: Annotated[
        bool,
        Setting(
            description="Whether a crashing child writes a core file.",
            more="Only the system limits its size.",
        ),
    ] = False
    bundles: Annotated[
        int,
        Setting(
            description="Crash bundles that are kept of processes that died; 0: none are made.",
            range=Range(0, 10_000),
            more="Each worker then keeps its last frames (512 KiB). See [operating.md](operating.md#crash-bundles).",
        ),
    ] = 0
    bundles_directory: Annotated[
        str | None,
        Setting(
            description="Directory of crash bundles; created if it is missing.",
            unset="`$XDG_STATE_HOME/foxtrot/bundles`, or in `~/.local/state`",
            example="/var/lib/foxtrot/bundles",
        ),
    ] = None


class EngineConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[engine]``: the process that runs the user's handlers."""

    handlers: Annotated[
        list[str],
        Setting(
            description="Functions called with the EventEngine at start, to register handlers.",
            allowed='`"module:function"` each',
            example=["my_strategy:setup"],
            more="Modules are looked for wherever Python looks, then in the working directory.",
        ),
    ] = []
    handlers_s: Annotated[
        float,
        Setting(
            description="Longest set-up of all handlers together, from the first import to the last call.",
            range=_LENGTH,
            more="Beyond it the engine ends; the cause names the handler and the line. READY has `ready_s` more.",
        ),
    ] = 120.0
    numbers: Annotated[
        Literal["float", "decimal", "text"], Setting(description="Type of prices and sizes in events.")
    ] = "float"
    transport: Annotated[
        Literal["zeromq", "ring"],
        Setting(
            description="How the engine learns of a worker's batch, which is in the worker's ring in any case.",
            more='`"zeromq"`: the batch also comes as a message. `"ring"`: a datagram names the ring to read, '
            "which takes less time: [delivery.md](delivery.md#the-way-to-the-engine).",
        ),
    ] = "zeromq"
    idle: Annotated[
        Literal["sleep", "backoff", "spin"],
        Setting(
            description="What the dispatch thread does when there is nothing to do.",
            more='`"sleep"`: it waits to be woken. `"backoff"`: it asks for more during `spin_us`, then sleeps. '
            '`"spin"`: it never sleeps and uses a whole core: [benchmarks.md](benchmarks.md#latency).',
        ),
    ] = "sleep"
    spin_us: Annotated[
        float,
        Setting(
            description='Microseconds in which idle = "backoff" asks for more before it sleeps.',
            range=Range(1.0, 1_000_000.0),
            more="Useful if it is longer than the usual time between two events.",
        ),
    ] = SPIN_US
    queue_limit: Annotated[
        int,
        Setting(
            description="Largest number of events that wait for handlers.",
            range=Range(1, 100_000_000),
            more="Also, apart from them, of symbols with a waiting conflated event.",
        ),
    ] = QUEUE_LIMIT
    never_drop_limit: Annotated[
        int,
        Setting(
            description="Largest number of waiting events before even one that must not be dropped is refused.",
            range=Range(1, 100_000_000),
        ),
    ] = NEVER_DROP_LIMIT
    put_wait_s: Annotated[
        float,
        Setting(
            description="How long `put` waits in a full queue before the event is dropped and counted.", range=_TIME
        ),
    ] = PUT_WAIT_S
    block: Annotated[
        list[str],
        Setting(
            description="Event classes that wait for room in a full queue and are then dropped.",
            allowed='event types or classes, as `"eTick."`',
            example=["eTick."],
            more="See the [policies](event-engine.md#a-queue-that-is-full).",
        ),
    ] = []
    conflate: Annotated[
        list[str],
        Setting(
            description="Event classes of which only the newest event of each symbol waits.",
            allowed="as for `block`",
            example=["eMine."],
        ),
    ] = []
    never_drop: Annotated[
        list[str],
        Setting(
            description="Event classes whose `put` raises an error instead of dropping an event.",
            allowed="as for `block`",
            example=["eMyFill."],
        ),
    ] = []
    slow_handler_ms: Annotated[
        float,
        Setting(
            description="A handler that runs longer is counted and logged with its stack.",
            range=Range(0.0, SECONDS_MAX * 1000, above=True),
        ),
    ] = SLOW_HANDLER_MS
    suspend_after: Annotated[
        int | None,
        Setting(
            description="A handler that fails this many times in a row is suspended.",
            range=Range(1, 1_000_000),
            unset="never",
            example=100,
        ),
    ] = None
    ticks: Annotated[
        Literal["off", "change", "trade", "interval"],
        Setting(
            description='When an eTick. is made: "off", after each "change", each "trade", or once per "interval".',
            more="Only for events that have a handler: [events.md](events.md#ticks).",
        ),
    ] = "change"
    tick_interval_s: Annotated[
        float, Setting(description='Interval of ticks = "interval", for each instrument.', range=_LENGTH)
    ] = 0.5
    bars_from_trades: Annotated[
        list[str],
        Setting(
            description="Intervals of eBar. events made of trades, where the exchange sends none.",
            allowed="of " + ", ".join(f'`"{interval}"`' for interval in INTERVALS),
            example=["1m"],
            more="See [events.md](events.md#bars-from-trades).",
        ),
    ] = []
    leak_sample_s: Annotated[
        float,
        Setting(
            description="Interval at which the engine's process is checked for growth; 0: never.",
            range=_TIME,
            more="See [operating.md](operating.md#leaks).",
        ),
    ] = 5.0
    book_updates: Annotated[
        Literal["snapshot", "deliver"],
        Setting(
            description="Updates of a book without its snapshot are left out until the next snapshot, or delivered.",
            more='They occur after the death of an engine and after a gap. `"snapshot"`: left out, counted '
            '(`superseded_total`) and announced, since the snapshot contains them. `"deliver"`: handed over in order, '
            "for handlers that record every update: [delivery.md](delivery.md#books-after-the-death-of-the-engine).",
        ),
    ] = "snapshot"
    preload: Annotated[
        bool,
        Setting(
            description="Keep a template process with the handlers' modules imported, to replace a dead engine sooner.",
            more="In about 100 ms: [delivery.md](delivery.md#when-the-engine-dies).",
        ),
    ] = False


class RingConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[ring]``: events of a worker that the engine has not yet applied."""

    size_mib: Annotated[
        int,
        Setting(
            description="Size of each worker's ring: a file in the run directory, allocated at its start.",
            range=Range(1, 1024),
        ),
    ] = 4
    full_wait_s: Annotated[
        float,
        Setting(
            description="How long a full ring holds back the exchange before events are dropped and announced.",
            range=_TIME,
        ),
    ] = 5.0


class MetricsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[metrics]``: a process that serves metrics and health by HTTP."""

    listen: Annotated[
        str | None,
        Setting(
            description="Address at which metrics and health are served, as host:port.",
            allowed="`host:port`; port 0: any free one",
            unset="nothing is served",
            example="127.0.0.1:9464",
            more="Needs the extra `[metrics]`: [monitoring.md](monitoring.md#metrics).",
        ),
    ] = None
    token_file: Annotated[
        str | None,
        Setting(
            description="File with a token that clients must send (Authorization: Bearer).",
            allowed="an existing file of mode 0600",
            unset="no token is needed",
            example="/etc/foxtrot/metrics.token",
            more="An address beyond this machine needs it, or `insecure`.",
        ),
    ] = None
    insecure: Annotated[
        bool,
        Setting(description="Serve an address that other machines reach without a token."),
    ] = False


class AlertsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[alerts]``: what is called when something breaks, and when it is whole again."""

    command: Annotated[
        str | None,
        Setting(
            description="Program with arguments, called with JSON on its standard input.",
            unset="none is called",
            example="/usr/local/bin/notify --channel ops",
            more="Words as in a shell, but no shell runs unless `shell` is set. Put no secret here: arguments are "
            "visible to every user of the machine. See [monitoring.md](monitoring.md#alerts).",
        ),
    ] = None
    shell: Annotated[bool, Setting(description="Have `/bin/sh -c` run the command.")] = False
    webhook_file: Annotated[
        str | None,
        Setting(
            description="File with the http(s) URL that gets the same JSON by POST.",
            allowed="an existing file of mode 0600",
            unset="none is called",
            example="/etc/foxtrot/webhook.url",
        ),
    ] = None
    deadline_s: Annotated[
        float,
        Setting(
            description="Longest time of one call; then it is ended, with everything that it has started.",
            range=Range(0.1, 3600.0),
        ),
    ] = 10.0
    calls_per_minute: Annotated[
        int,
        Setting(
            description="Largest number of calls in a minute; further alerts are summed up in the next call.",
            range=Range(1, 600),
        ),
    ] = 6


class RecorderConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[recorder]``: a process that records the frames of connections with `record`."""

    directory: Annotated[
        str | None,
        Setting(
            description="Folder of the recordings; made if it is missing.",
            unset="nothing can be recorded",
            example="recordings",
            more="Needs the extra `[record]`. Each connection has a folder of its own in it: "
            "[recording.md](recording.md).",
        ),
    ] = None
    ring_mib: Annotated[
        int,
        Setting(
            description="Size of the ring that each recorded worker keeps its frames in until they are written.",
            range=Range(1, 4096),
            more="A file in the run directory, beside the ring of its events. It holds what comes while the recorder "
            "stands still: at 1 MB/s half a minute. A frame of more than half of it is not recorded.",
        ),
    ] = 32
    segment_mib: Annotated[
        int,
        Setting(description="Size at which the next file begins, compressed.", range=Range(1, 1_048_576)),
    ] = 128
    segment_s: Annotated[
        float,
        Setting(description="Age at which the next file begins.", range=Range(1.0, SECONDS_MAX)),
    ] = 3600.0
    max_gib: Annotated[
        float | None,
        Setting(
            description="Size of all recordings together; beyond it the oldest files are removed.",
            range=_LENGTH,
            unset="unlimited",
            example=100.0,
        ),
    ] = None
    keep_days: Annotated[
        float | None,
        Setting(
            description="Age at which a file is removed.",
            range=_LENGTH,
            unset="never",
            example=30.0,
        ),
    ] = None
    level: Annotated[
        int,
        Setting(
            description="Level of zstandard.",
            range=Range(-20, 19),
            more="Lower is faster. What the levels cost: [recording.md](recording.md#costs).",
        ),
    ] = 1


class SinkKeys(Struct, frozen=True, kw_only=True):
    """``[[sinks]]``: a process that hands every event on to a store; the keys that all kinds have."""

    name: Annotated[
        str,
        Setting(
            description='Unique name, of a-z, 0-9 and "-".',
            allowed=f"a-z, 0-9, `-`; at most {NAME_CHARACTERS_MAX}; unique",
            more="Its process is `sink-NAME`.",
        ),
    ]
    kind: Annotated[
        str,
        Setting(
            description="Kind of sink, each with further keys of its own.",
            allowed="an installed kind",
            more="See [sinks.md](sinks.md).",
        ),
    ]
    connections: Annotated[
        list[str],
        Setting(
            description="Connections whose events it gets.",
            allowed="names of connections, none twice",
            unset="all",
            example=["binance-spot"],
        ),
    ] = []
    spool_mib: Annotated[
        int,
        Setting(
            description="Largest size of what it keeps while its store cannot be reached.",
            range=Range(4, 1_048_576),
            more="Beyond that the rings are its buffer; what workers overwrite there is announced as a gap.",
        ),
    ] = 256
    spool_directory: Annotated[
        str | None,
        Setting(
            description="Directory in which it keeps that.",
            unset="`$STATE_DIRECTORY/sinks/NAME` (systemd), else `sinks/NAME` in the run directory",
            example="/var/lib/foxtrot/tape",
            more="Private, of one sink only. The run directory usually does not survive a restart of the machine.",
        ),
    ] = None
    batch_rows: Annotated[
        int,
        Setting(description="Largest number of events handed to the store at once.", range=Range(1, 100_000)),
    ] = 1000


class SinkConfig(SinkKeys, frozen=True, kw_only=True):
    """One sink, complete."""

    options: dict[str, Any] = {}
    """Its kind's own keys, checked and completed by the kind."""


class SinkCheck(Struct, frozen=True):
    """What a kind of sinks says of its own keys in one table."""

    problems: list[tuple[str, str]] = []
    """Key and reason of each mistake."""
    options: dict[str, Any] = {}
    """The keys with defaults and absolute paths; meaningful without problems."""


class ConnectionConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[connections]]``: one subscription set at one exchange."""

    name: Annotated[
        str,
        Setting(
            description='Unique name, of a-z, 0-9 and "-".',
            allowed=f"a-z, 0-9, `-`; at most {NAME_CHARACTERS_MAX}; unique",
            more="Its worker is `NAME.a`, with redundancy 2 also `NAME.b`; with redundancy 1 a rotation changes from "
            "one to the other.",
        ),
    ]
    exchange: Annotated[
        str,
        Setting(
            description="Exchange, as listed by `foxtrot-supervisor check`.",
            allowed="an installed exchange",
            more='`"sim"` without `url` is served by an embedded simulated exchange, a child of the supervisor.',
        ),
    ]
    channels: Annotated[
        list[str],
        Setting(
            description="Channels to subscribe.",
            allowed="those of the exchange; not empty, none twice",
            more="`trade`, `quote`, `book`, …",
        ),
    ]
    symbols: Annotated[
        list[str],
        Setting(
            description="Symbols, as the exchange spells them, or patterns.",
            allowed="not empty, none twice",
            more="In any case where the exchange writes all symbols in one case (Binance, OKX): `btcusdt` is read as "
            "`BTCUSDT`. Instruments (`BTC-USDT`), patterns (`*-USDT`, `!*UP-USDT`, `kind:perpetual`) and more symbols "
            "than one socket holds: [markets.md](markets.md). An embedding program may leave it empty: "
            "[embedding.md](embedding.md).",
        ),
    ]
    shard_symbols: Annotated[
        int | None,
        Setting(
            description="Largest number of symbols of one worker; more are spread over several.",
            range=Range(1, 10_000),
            unset="as many as the exchange allows on one socket",
            example=100,
            more="Its workers are `NAME-1.a`, `NAME-2.a`, …: [markets.md](markets.md#shards).",
        ),
    ] = None
    redundancy: Annotated[
        int,
        Setting(
            description="Number of workers that hold the same streams; handlers get each event once.",
            range=Range(1, 2),
            more="See [delivery.md](delivery.md). They are never replaced both at once on purpose: "
            "[operating.md](operating.md#rotation).",
        ),
    ] = 1
    backfill: Annotated[
        bool,
        Setting(
            description="Whether missed trades are fetched over REST, where the exchange offers it.",
            more="See [delivery.md](delivery.md). `reload` changes it without replacing a worker.",
        ),
    ] = False
    stale_after_s: Annotated[
        float | None,
        Setting(
            description="A topic without data for this long is stale and is subscribed again.",
            range=_LENGTH,
            unset="the limits of the exchange, [by channel](#staleness)",
            example=30.0,
            more="Holds for every channel. If most topics of the connection are silent, it is replaced.",
        ),
    ] = None
    rotate_after_s: Annotated[
        float | None,
        Setting(
            description="Age at which the connection is replaced without a break.",
            range=_LENGTH,
            unset="23/24 of the limit of the exchange; never where it has none",
            example=82800.0,
            more="Up to a tenth earlier, at random: [operating.md](operating.md#rotation).",
        ),
    ] = None
    client: Annotated[Literal["picows", "websockets"], Setting(description="WebSocket library.")] = CLIENT_DEFAULT
    url: Annotated[
        str | None,
        Setting(
            description="WebSocket address in place of the exchange's own: a testnet, a simulator.",
            allowed="`ws://`, `wss://`",
            unset="that of the exchange",
            example="wss://testnet.example",
        ),
    ] = None
    more_urls: Annotated[
        list[str],
        Setting(
            description="Further addresses of the same exchange beside url.",
            allowed=f"at most {MORE_URLS_MAX}, none twice; only beside `url`",
            more="Side a begins with `url`, side b with the next one; a worker that failed to serve uses the next "
            "address at its next start.",
        ),
    ] = []
    rest_url: Annotated[
        str | None,
        Setting(
            description="REST address of book snapshots and past trades.",
            allowed="`http://`, `https://`",
            unset="that of the exchange; beside a `url` of its test network, that of the test network; beside a `url` "
            "on the loopback address (or of `sim`) the same host and port",
            example="https://testnet.example",
        ),
    ] = None
    ca_file: Annotated[
        str | None,
        Setting(
            description="Certificate authority to trust in place of the system's.",
            allowed="an existing file",
            unset="those of the system",
            example="ca.pem",
        ),
    ] = None
    proxy: Annotated[
        str | None,
        Setting(
            description="Proxy for the stream (CONNECT) and for REST.",
            allowed="`http://HOST:PORT`, `https://HOST:PORT`; no credentials",
            unset="none; proxy variables of the environment are ignored",
            example="http://proxy.example:3128",
            more="An `https://` proxy is verified by `ca_file` as the exchange is.",
        ),
    ] = None
    restart: Annotated[
        Restart | None,
        Setting(
            description="As in [supervisor], for this connection.",
            unset="that of `[supervisor]`",
            example="permanent",
        ),
    ] = None
    essential: Annotated[bool, Setting(description="Whether FATAL here makes the exit status 5.")] = True
    record: Annotated[
        Literal["off", "raw"],
        Setting(
            description="Whether everything that is received and sent is recorded, as it came.",
            more='`"raw"` needs `[recorder] directory`: [recording.md](recording.md). Of twins both are recorded.',
        ),
    ] = "off"

    @property
    def addresses(self) -> list[str]:
        """WebSocket addresses, the first one first; empty: the exchange's own."""
        return [] if self.url is None else [self.url, *self.more_urls]


class FoxtrotConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    supervisor: SupervisorConfig = SupervisorConfig()
    engine: EngineConfig = EngineConfig()
    ring: RingConfig = RingConfig()
    metrics: MetricsConfig = MetricsConfig()
    alerts: AlertsConfig = AlertsConfig()
    recorder: RecorderConfig = RecorderConfig()
    cluster: ClusterConfig = ClusterConfig()
    sinks: list[SinkConfig] = []
    connections: list[ConnectionConfig] = []


class ExchangeInfo(Struct, frozen=True):
    """What can be configured of an exchange; `error` says why it cannot be used, "" if it can."""

    exchange: str = ""
    channels: list[str] = []
    topics_max: int = 0
    """Topics (channel and symbol) that one connection may hold; 0: unlimited."""
    symbols_max: int = 0
    """Symbols that one connection should hold, where its pace of messages or books allows less; 0: as `topics_max`."""
    connections_max: int = 0
    """Connections that its rate limit of handshakes lets one address open within one period; 0: unlimited."""
    symbols_have_dashes: bool = True
    """Whether a name such as ``BTC-USDT`` may be a symbol of the exchange, not only an instrument."""
    symbol_case: str = "exact"
    """How the venue writes symbols (`foxtrot_protocol.symbols.SymbolCase`)."""
    absent: dict[str, str] = {}
    """By channel, or kind of channel (``bar``), that it has not: the reason, or what it has instead."""
    testnet_url: str = ""
    testnet_rest_url: str = ""
    """Addresses of its test network; "" where it has none, or one without REST."""
    error: str = ""
