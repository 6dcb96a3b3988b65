"""Check of a configuration: from its text to a `FoxtrotConfig`, or to the list of all mistakes in it.

Pure: the text, its folder, the installed exchanges and the test whether a file exists are arguments. `load` reads the
file and `exchanges` the list of exchanges.

Every problem is reported, not only the first, each with its key. A value of the wrong type is left out of the later
checks, so that one mistake gives one problem.
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from foxtrot_protocol.bar_intervals import INTERVALS
from foxtrot_protocol.endpoints import child_control_endpoint, operator_path
from foxtrot_protocol.spec import SPEC_BYTES_MAX
from foxtrot_protocol.symbols import canonical_symbol
from foxtrot_supervisor.config.cluster import CLUSTER_FILES, ClusterConfig, cluster_problems
from foxtrot_supervisor.config.problems import ConfigInvalid, Problem
from foxtrot_supervisor.config.schema import (
    CONNECTIONS_MAX,
    MORE_URLS_MAX,
    NAME_CHARACTERS_MAX,
    SINKS_MAX,
    AlertsConfig,
    ConnectionConfig,
    EngineConfig,
    ExchangeInfo,
    FoxtrotConfig,
    MetricsConfig,
    RecorderConfig,
    RingConfig,
    SinkCheck,
    SinkConfig,
    SinkKeys,
    SupervisorConfig,
)
from foxtrot_supervisor.config.section import read_section, unknown_keys
from foxtrot_supervisor.config.values import (
    EMBEDDED_EXCHANGE,
    absence,
    closest,
    command_reason,
    found,
    handler_reason,
    is_loopback,
    listen_reason,
    offered,
    proxy_reason,
    repeated,
    rest_url_beside,
    short,
    split_address,
    symbol_reason,
    url_reasons,
)
from foxtrot_supervisor.markets.selection import entry_problem, is_pattern

__all__ = ["SinkChecker", "check_document", "default_config", "no_sinks", "parse_config"]

SYMBOL_BYTES_MAX = SPEC_BYTES_MAX - 8 * 1024
"""Largest size of all symbols of one connection together, in bytes: they are sent to its worker in one message."""

SinkChecker: TypeAlias = Callable[[Sequence[tuple[str, Mapping[str, Any]]], str], Sequence[SinkCheck]]
"""Checks the own keys of sinks: given kind and table of each, and the folder of relative paths."""


def no_sinks(tables: Sequence[tuple[str, Mapping[str, Any]]], folder: str) -> list[SinkCheck]:
    """Refuse every sink: for configurations that cannot have any."""
    return [SinkCheck(problems=[("kind", "sinks cannot be used here")]) for _ in tables]


_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def default_config() -> FoxtrotConfig:
    """Return the configuration that holds without a file: one connection to the embedded simulated exchange."""
    return FoxtrotConfig(
        connections=[
            ConnectionConfig(
                name=EMBEDDED_EXCHANGE,
                exchange=EMBEDDED_EXCHANGE,
                channels=["trade", "quote", "book"],
                symbols=["BTCUSDT", "ETHUSDT"],
            )
        ]
    )


def parse_config(
    text: str,
    *,
    source: str,
    folder: str,
    exchanges: Mapping[str, ExchangeInfo],
    is_file: Callable[[str], bool],
    sinks: SinkChecker = no_sinks,
    without_symbols: bool = False,
    without_connections: bool = False,
) -> FoxtrotConfig:
    """Return the configuration in `text` (TOML).

    `source` names the file in messages; relative paths in it are resolved against `folder`. `exchanges`: the installed
    ones, by configuration name. `sinks` checks what the kinds of sinks define. `without_symbols`: a connection may
    have no symbols, to subscribe some later; `without_connections`: it may have no connection.
    Raises `ConfigInvalid` with every problem.
    """
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ConfigInvalid(source, [Problem("", "is not readable TOML: nested too deep")]) from None
    except ValueError as error:  # also raised by int() for a number with thousands of digits
        raise ConfigInvalid(source, [Problem("", f"is not TOML: {error}")]) from None
    return check_document(
        document,
        source=source,
        folder=folder,
        exchanges=exchanges,
        is_file=is_file,
        sinks=sinks,
        without_symbols=without_symbols,
        without_connections=without_connections,
    )


def check_document(
    document: dict[str, Any],
    *,
    source: str,
    folder: str,
    exchanges: Mapping[str, ExchangeInfo],
    is_file: Callable[[str], bool],
    sinks: SinkChecker = no_sinks,
    without_symbols: bool = False,
    without_connections: bool = False,
) -> FoxtrotConfig:
    """Return the configuration in `document`, a table already read from TOML; otherwise as `parse_config`."""
    checker = _Checker(
        folder, exchanges, is_file, sinks, without_symbols=without_symbols, without_connections=without_connections
    )
    config = checker.check(document)
    if checker.problems:
        raise ConfigInvalid(source, checker.problems)
    return config


class _Checker:
    """Collects the problems of one document."""

    def __init__(
        self,
        folder: str,
        exchanges: Mapping[str, ExchangeInfo],
        is_file: Callable[[str], bool],
        sinks: SinkChecker,
        *,
        without_symbols: bool,
        without_connections: bool,
    ) -> None:
        self._without_symbols = without_symbols
        self._without_connections = without_connections
        self.problems: list[Problem] = []
        self._folder = folder
        self._exchanges = exchanges
        self._is_file = is_file
        self._check_options = sinks

    def check(self, document: dict[str, Any]) -> FoxtrotConfig:
        """Return the configuration; it is meaningful only if `problems` is empty afterwards."""
        self._unknown(document, FoxtrotConfig.__struct_fields__, "")
        supervisor = self._supervisor(self._table(document, "supervisor"))
        engine = self._engine(self._table(document, "engine"))
        ring = self._section(RingConfig, self._table(document, "ring"), "ring")
        metrics = self._metrics(self._table(document, "metrics"))
        alerts = self._alerts(self._table(document, "alerts"))
        recorder = self._recorder(self._table(document, "recorder"))
        cluster = self._cluster(self._table(document, "cluster"))
        connections = self._connections(document)
        for index, connection in enumerate(connections):
            if connection.get("record") == "raw" and "directory" not in recorder:
                self._problem(f"connections[{index}].record", "needs a folder for the recordings: [recorder] directory")
        sinks = self._sinks(document, connections)
        if self.problems:
            return FoxtrotConfig()
        return FoxtrotConfig(
            supervisor=SupervisorConfig(**supervisor),
            engine=EngineConfig(**engine),
            ring=RingConfig(**ring),
            metrics=MetricsConfig(**metrics),
            alerts=AlertsConfig(**alerts),
            recorder=RecorderConfig(**recorder),
            cluster=ClusterConfig(**cluster),
            sinks=[SinkConfig(**sink) for sink in sinks],
            connections=[ConnectionConfig(**connection) for connection in connections],
        )

    def _problem(self, key: str, reason: str | None) -> None:
        if reason is not None:
            self.problems.append(Problem(key, reason))

    def _table(self, document: dict[str, Any], key: str) -> dict[str, Any]:
        table = document.get(key, {})
        if isinstance(table, dict):
            return table
        self._problem(key, f"must be a table, headed [{key}], not {found(table)}")
        return {}

    def _unknown(self, table: Mapping[str, object], known: Sequence[str], path: str) -> None:
        self.problems += unknown_keys(table, known, path)

    def _section(self, kind: type[Struct], table: dict[str, Any], path: str) -> dict[str, Any]:
        """Return the values of `table` that have the declared type and range; report the others."""
        good, problems = read_section(kind, table, path)
        self.problems += problems
        return good

    def _supervisor(self, table: dict[str, Any]) -> dict[str, Any]:
        good = self._section(SupervisorConfig, table, "supervisor")
        if "run_dir" in good:
            self._run_dir(good)
        if "bundles_directory" in good:
            self._directory(good, "supervisor.bundles_directory")
        values = SupervisorConfig(**good)
        if "late_s" not in table:
            # between heartbeat_s and hung_s, so that a short hung_s does not require a third key
            good["late_s"] = min(values.late_s, (values.heartbeat_s + values.hung_s) / 2)
        elif not values.heartbeat_s < values.late_s <= values.hung_s:
            self._problem("supervisor.late_s", "must lie between heartbeat_s and hung_s")
        if values.heartbeat_s >= values.hung_s:
            self._problem("supervisor.hung_s", f"must be more than heartbeat_s ({values.heartbeat_s:g})")
        if values.backoff_max_s < values.backoff_s:
            self._problem("supervisor.backoff_max_s", f"must be at least backoff_s ({values.backoff_s:g})")
        return good

    def _run_dir(self, good: dict[str, Any]) -> None:
        run_dir = good["run_dir"]
        if not run_dir or "\0" in run_dir:
            self._problem("supervisor.run_dir", "is empty or holds a NUL")
            return
        good["run_dir"] = run_dir = self._resolved(run_dir)
        try:
            child_control_endpoint(run_dir)
            operator_path(run_dir)
        except ValueError as error:
            self._problem("supervisor.run_dir", str(error))

    def _directory(self, good: dict[str, Any], path: str) -> None:
        key = path.rpartition(".")[2]
        if not good[key] or "\0" in good[key]:
            self._problem(path, "is empty or holds a NUL")
        else:
            good[key] = self._resolved(good[key])

    def _engine(self, table: dict[str, Any]) -> dict[str, Any]:
        good = self._section(EngineConfig, table, "engine")
        handlers = good.get("handlers", [])
        for index, handler in enumerate(handlers):
            self._problem(f"engine.handlers[{index}]", handler_reason(handler))
        for handler in repeated(handlers):
            self._problem("engine.handlers", f'lists "{short(handler)}" more than once')
        policies = ("block", "conflate", "never_drop")
        named = [(policy, event) for policy in policies for event in good.get(policy, [])]
        for policy, event in named:
            if not event:
                self._problem(f"engine.{policy}", "names an event that is empty")
        for event in repeated([event for _, event in named]):
            where = " and ".join(policy for policy, named_there in named if named_there == event)
            self._problem("engine", f'names "{short(event)}" more than once: in {where}')
        intervals = good.get("bars_from_trades", [])
        for index, interval in enumerate(intervals):
            if interval not in INTERVALS:
                reason = f'"{short(interval)}" is no interval (known: {", ".join(INTERVALS)})'
                self._problem(f"engine.bars_from_trades[{index}]", reason)
        for interval in repeated(intervals):
            self._problem("engine.bars_from_trades", f'lists "{short(interval)}" more than once')
        return good

    def _metrics(self, table: dict[str, Any]) -> dict[str, Any]:
        good = self._section(MetricsConfig, table, "metrics")
        self._private_file(good, "metrics.token_file")
        listen = good.get("listen")
        if listen is None:
            return good
        reason = listen_reason(listen)
        if (
            reason is None
            and not is_loopback(split_address(listen)[0])
            and not ("token_file" in good or good.get("insecure"))
        ):
            reason = f'"{short(listen)}" can be reached by others: set token_file, or insecure = true'
        self._problem("metrics.listen", reason)
        return good

    def _alerts(self, table: dict[str, Any]) -> dict[str, Any]:
        good = self._section(AlertsConfig, table, "alerts")
        self._private_file(good, "alerts.webhook_file")
        if "command" in good and not good.get("shell"):
            self._problem("alerts.command", command_reason(good["command"]))
        elif good.get("shell") and not good.get("command", "").strip():
            self._problem("alerts.shell", "needs command")
        return good

    def _recorder(self, table: dict[str, Any]) -> dict[str, Any]:
        good = self._section(RecorderConfig, table, "recorder")
        if good.get("directory") is not None:
            self._directory(good, "recorder.directory")
        return good

    def _cluster(self, table: dict[str, Any]) -> dict[str, Any]:
        good = self._section(ClusterConfig, table, "cluster")
        for key in CLUSTER_FILES:
            self._private_file(good, f"cluster.{key}")
        for key, reason in cluster_problems(good):
            self._problem(f"cluster.{key}", reason)
        return good

    def _private_file(self, good: dict[str, Any], path: str) -> None:
        """Resolve a key that names an existing file; the process that needs it reads it."""
        key = path.partition(".")[2]
        if key in good:
            good[key] = self._resolved(good[key])
            if not self._is_file(good[key]):
                self._problem(path, f"there is no file {good[key]}")

    def _tables(self, document: dict[str, Any], key: str) -> list[dict[str, Any]] | None:
        tables = document.get(key, [])
        if isinstance(tables, list) and all(isinstance(table, dict) for table in tables):
            return tables
        self._problem(key, f"must be tables, each headed [[{key}]]")
        return None

    def _sinks(self, document: dict[str, Any], connections: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        tables = self._tables(document, "sinks") or []
        if len(tables) > SINKS_MAX:
            self._problem("sinks", f"has {len(tables)} sinks, at most {SINKS_MAX} are allowed")
            return []
        known = [connection.get("name") for connection in connections]
        good, own = [], []
        for index, table in enumerate(tables):
            path = f"sinks[{index}]"
            common = {key: value for key, value in table.items() if key in SinkKeys.__struct_fields__}
            sink = self._section(SinkKeys, common, path)
            for key in ("name", "kind"):
                if key not in table:
                    self._problem(f"{path}.{key}", "is missing")
            self._name(sink, path)
            for name in sink.get("connections", []):
                if name not in known:
                    self._problem(f"{path}.connections", f'"{short(name)}" is the name of no connection')
            for name in repeated(sink.get("connections", [])):
                self._problem(f"{path}.connections", f'lists "{short(name)}" more than once')
            if "spool_directory" in sink:
                self._directory(sink, f"{path}.spool_directory")
            if "kind" in sink:
                own.append((index, sink["kind"], {key: table[key] for key in table if key not in common}))
            good.append(sink)
        self._unique(good, "sinks", "name")
        self._unique(good, "sinks", "spool_directory")
        if own:
            checks = self._check_options([(kind, options) for _, kind, options in own], self._folder)
            for (index, _, _), check in zip(own, checks, strict=True):
                good[index]["options"] = check.options
                for key, reason in check.problems:
                    self._problem(f"sinks[{index}].{key}", reason)
        return good

    def _unique(self, tables: Sequence[Mapping[str, Any]], heading: str, key: str) -> None:
        first: dict[str, int] = {}
        for index, table in enumerate(tables):
            value = table.get(key)
            if value is None:
                continue
            if value in first:
                self._problem(f"{heading}[{index}].{key}", f'"{value}" is the {key} of {heading}[{first[value]}] too')
            first.setdefault(value, index)

    def _name(self, good: Mapping[str, Any], path: str) -> None:
        if "name" in good and (not _NAME.fullmatch(good["name"]) or len(good["name"]) > NAME_CHARACTERS_MAX):
            self._problem(
                f"{path}.name",
                f'must be at most {NAME_CHARACTERS_MAX} of a-z, 0-9 and "-", not beginning with "-", '
                f'not "{short(good["name"])}"',
            )

    def _connections(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        tables = self._tables(document, "connections")
        if tables is None:
            return []
        if not tables and not self._without_connections:
            self._problem("connections", "is missing: at least one [[connections]] is needed")
        if len(tables) > CONNECTIONS_MAX:
            self._problem("connections", f"has {len(tables)} connections, at most {CONNECTIONS_MAX} are allowed")
        good = [self._connection(table, f"connections[{index}]") for index, table in enumerate(tables)]
        self._unique(good, "connections", "name")
        return good

    def _connection(self, table: dict[str, Any], path: str) -> dict[str, Any]:
        good = self._section(ConnectionConfig, table, path)
        for key in ("name", "exchange", "channels", "symbols"):
            if key not in table:
                self._problem(f"{path}.{key}", "is missing")
        self._name(good, path)
        self._exchange(good, path)
        self._symbols(good, path)
        for key, schemes in (("url", ("ws", "wss")), ("rest_url", ("http", "https")), ("proxy", ("http", "https"))):
            for reason in url_reasons(good[key], schemes) if key in good else ():
                self._problem(f"{path}.{key}", reason)
        if "proxy" in good:
            self._problem(f"{path}.proxy", proxy_reason(good["proxy"]))
        self._more_urls(good, path)
        if "url" in good and "rest_url" not in good:
            info = self._exchanges.get(good.get("exchange", ""), ExchangeInfo())
            good.update(rest_url_beside(good["url"], good.get("exchange"), info.testnet_url, info.testnet_rest_url))
        if "ca_file" in good:
            good["ca_file"] = self._resolved(good["ca_file"])
            if not self._is_file(good["ca_file"]):
                self._problem(f"{path}.ca_file", f"there is no file {good['ca_file']}")
        return good

    def _more_urls(self, good: dict[str, Any], path: str) -> None:
        urls = good.get("more_urls", [])
        if urls and "url" not in good:
            self._problem(f"{path}.more_urls", "needs url: they are further addresses beside it")
        if len(urls) > MORE_URLS_MAX:
            self._problem(f"{path}.more_urls", f"must hold at most {MORE_URLS_MAX} addresses, not {len(urls)}")
        for index, url in enumerate(urls):
            for reason in url_reasons(url, ("ws", "wss")):
                self._problem(f"{path}.more_urls[{index}]", reason)
        if repeated([*urls, good.get("url", "")]):
            self._problem(f"{path}.more_urls", "names an address that stands there or as url already")

    def _exchange(self, good: dict[str, Any], path: str) -> None:
        channels = good.get("channels")
        if channels is not None and not channels:
            self._problem(f"{path}.channels", "is empty: nothing would be subscribed")
        for channel in repeated(channels or []):
            self._problem(f"{path}.channels", f'lists "{short(channel)}" more than once')
        if "exchange" not in good:
            return
        name = good["exchange"]
        info = self._exchanges.get(name)
        if info is None:
            known = ", ".join(sorted(self._exchanges))
            self._problem(
                f"{path}.exchange", f'"{short(name)}" is not known{closest(name, self._exchanges)} (known: {known})'
            )
            return
        if info.error:
            self._problem(f"{path}.exchange", f'"{name}" cannot be used: {info.error}')
            return
        self._channels(channels or [], name, info, path)

    def _channels(self, channels: Sequence[str], name: str, info: ExchangeInfo, path: str) -> None:
        for index, channel in enumerate(channels):
            if channel not in info.channels:
                reason = absence(channel, info.absent) or closest(channel, info.channels)
                self._problem(
                    f"{path}.channels[{index}]",
                    f'{name} has no channel "{short(channel)}"{reason} (it has: {offered(info.channels)})',
                )

    def _symbols(self, good: dict[str, Any], path: str) -> None:
        symbols = good.get("symbols")
        if symbols is None:
            return
        if not symbols and not self._without_symbols:
            self._problem(f"{path}.symbols", "is empty: nothing would be subscribed")
        for index, symbol in enumerate(symbols):
            reason = symbol_reason(symbol) or (entry_problem(symbol) or None if is_pattern(symbol) else None)
            self._problem(f"{path}.symbols[{index}]", reason)
        if symbols and all(symbol.startswith("!") for symbol in symbols):
            self._problem(f"{path}.symbols", 'only excludes: name what is to be subscribed, such as "*"')
        info = self._exchanges.get(good.get("exchange", ""), ExchangeInfo())
        # from here on in the spelling of the venue, also where a reload compares symbols
        good["symbols"] = symbols = [
            symbol if is_pattern(symbol) else canonical_symbol(symbol, info.symbol_case) for symbol in symbols
        ]
        for symbol in repeated(symbols):
            self._problem(f"{path}.symbols", f'lists "{short(symbol)}" more than once')
        size = sum(len(symbol.encode(errors="replace")) + 3 for symbol in symbols)
        if size > SYMBOL_BYTES_MAX:
            self._problem(f"{path}.symbols", f"is {size} bytes long, one connection carries {SYMBOL_BYTES_MAX}")

    def _resolved(self, path: str) -> str:
        return posixpath.normpath(posixpath.join(self._folder, path))
