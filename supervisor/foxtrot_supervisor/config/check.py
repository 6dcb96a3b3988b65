"""From the text of a configuration file to `FoxtrotConfig`, or to the list of everything wrong with it.

Decides only: the text, the folder it stood in, the exchanges that exist and the way to ask whether a file
exists are arguments. Reading the file and asking for the exchanges is `config_file`'s.

Every problem is reported, not only the first, each with the key it stands at. A value that has the wrong
type is left out of the later checks, so one mistake gives one problem.
"""

from __future__ import annotations

import contextlib
import difflib
import posixpath
import re
import tomllib
import types
import typing
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from foxtrot_protocol.bar_intervals import INTERVALS
from foxtrot_protocol.endpoints import child_control_endpoint, operator_path
from foxtrot_protocol.spec import SPEC_BYTES_MAX
from foxtrot_protocol.symbols import canonical_symbol
from foxtrot_supervisor.config.schema import (
    ConnectionConfig,
    EngineConfig,
    FoxtrotConfig,
    RingConfig,
    SupervisorConfig,
)

__all__ = [
    "CONNECTIONS_MAX",
    "EMBEDDED_EXCHANGE",
    "MORE_URLS_MAX",
    "SECONDS_MAX",
    "SYMBOL_CHARACTERS_MAX",
    "ConfigInvalid",
    "ExchangeInfo",
    "Problem",
    "check_document",
    "default_config",
    "parse_config",
]

CONNECTIONS_MAX = 500
"""Connections in one file; each is one or two processes."""

SECONDS_MAX = 7 * 86_400.0
"""No configured time is longer than a week: a longer one is a slip of units."""

MORE_URLS_MAX = 16
"""Addresses of one connection beside its first."""

SYMBOL_CHARACTERS_MAX = 64
NAME_CHARACTERS_MAX = 40
"""A connection's name stands in socket identities and file names."""

SYMBOL_BYTES_MAX = SPEC_BYTES_MAX - 8 * 1024
"""All symbols of one connection together: they cross to its worker in one start message."""

EMBEDDED_EXCHANGE = "sim"
"""Without ``url`` this exchange is served by a child of the supervisor itself."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_SECRET_PARAMETERS = frozenset(
    ("token", "key", "apikey", "api_key", "secret", "signature", "sign", "password", "passphrase", "listenkey")
)


class Problem(Struct, frozen=True):
    """One thing wrong: at `key` (a dotted path; empty for the file as a whole), for `reason`."""

    key: str
    reason: str


class ConfigInvalid(Exception):
    """The configuration cannot be used; `problems` has everything that is wrong with it."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = list(problems)
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """One line a problem: ``FILE: key: reason``."""
        return [": ".join(part for part in (self.source, p.key, p.reason) if part) for p in self.problems]


class ExchangeInfo(Struct, frozen=True):
    """What can be configured of an exchange; `error` says why it cannot be used, "" if it can."""

    exchange: str = ""
    channels: list[str] = []
    topics_max: int = 0
    """Topics (channel and symbol) that one connection may hold; 0: unlimited."""
    symbol_case: str = "exact"
    """How the venue writes symbols (`foxtrot_protocol.symbols.SymbolCase`)."""
    error: str = ""


def default_config() -> FoxtrotConfig:
    """What runs without a file: the embedded simulated exchange, one connection."""
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
    without_symbols: bool = False,
) -> FoxtrotConfig:
    """The configuration in `text`; relative paths in it are taken from `folder`.

    `source` names the file in messages. `without_symbols`: a connection may have none, to be given some in operation.
    Raises `ConfigInvalid` with every problem.
    """
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ConfigInvalid(source, [Problem("", "is not TOML that can be read: nested too deep")]) from None
    except ValueError as error:  # also what int() says of a number with thousands of digits
        raise ConfigInvalid(source, [Problem("", f"is not TOML: {error}")]) from None
    return check_document(
        document,
        source=source,
        folder=folder,
        exchanges=exchanges,
        is_file=is_file,
        without_symbols=without_symbols,
    )


def check_document(
    document: dict[str, Any],
    *,
    source: str,
    folder: str,
    exchanges: Mapping[str, ExchangeInfo],
    is_file: Callable[[str], bool],
    without_symbols: bool = False,
) -> FoxtrotConfig:
    """As `parse_config`, from a document that was already read as TOML."""
    checker = _Checker(folder, exchanges, is_file, without_symbols=without_symbols)
    config = checker.check(document)
    if checker.problems:
        raise ConfigInvalid(source, checker.problems)
    return config


# ---- one value


class _Range(Struct, frozen=True):
    """Allowed values: `least` (itself excluded if `above`) to `most`."""

    least: float
    most: float
    above: bool = False

    def reason(self, value: float) -> str | None:
        """Why `value` is not allowed, None if it is; NaN never is."""
        if self.least <= value <= self.most and not (self.above and value == self.least):
            return None
        low = f"{'more than' if self.above else 'at least'} {_number(self.least)}"
        return f"must be {low} and at most {_number(self.most)}, not {_number(value)}"


_TIME = _Range(0.0, SECONDS_MAX)
_LENGTH = _Range(0.0, SECONDS_MAX, above=True)
_MEMORY_MIB = _Range(128, 1_048_576)
"""A worker that does nothing has 85 MiB: less would end it before it began."""

_RANGES: dict[type[Struct], dict[str, _Range]] = {
    SupervisorConfig: {
        "hello_s": _LENGTH,
        "ready_s": _LENGTH,
        "heartbeat_s": _Range(0.01, 3600.0),
        "late_s": _LENGTH,
        "hung_s": _LENGTH,
        "stop_ask_s": _TIME,
        "stop_term_s": _TIME,
        "stop_kill_s": _TIME,
        "shutdown_s": _LENGTH,
        "restart_intensity": _Range(0, 1_000_000),
        "restart_period_s": _LENGTH,
        "backoff_first_s": _TIME,
        "backoff_s": _TIME,
        "backoff_max_s": _TIME,
        "backoff_jitter": _Range(0.0, 1.0),
        "healthy_after_s": _TIME,
        "worker_memory_mib": _MEMORY_MIB,
        "engine_memory_mib": _MEMORY_MIB,
        "open_files": _Range(64, 1_048_576),
    },
    EngineConfig: {
        "handlers_s": _LENGTH,
        "queue_limit": _Range(1, 100_000_000),
        "never_drop_limit": _Range(1, 100_000_000),
        "put_wait_s": _TIME,
        "suspend_after": _Range(1, 1_000_000),
        "slow_handler_ms": _Range(0.0, SECONDS_MAX * 1000, above=True),
        "tick_interval_s": _LENGTH,
        "leak_sample_s": _TIME,
    },
    RingConfig: {"size_mib": _Range(1, 1024), "full_wait_s": _TIME},
    ConnectionConfig: {"redundancy": _Range(1, 2), "stale_after_s": _LENGTH, "rotate_after_s": _LENGTH},
}


def _without_none(hint: Any) -> Any:
    """`hint` without its None: TOML has none, so absence is the only way to say it."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return next(part for part in typing.get_args(hint) if part is not type(None))
    return hint


def _expected(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in typing.get_args(hint))
    if typing.get_origin(hint) is list:
        return "a list of texts"
    return {str: "text", bool: "true or false", int: "a whole number", float: "a number"}[hint]


def _found(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f'the text "{_short(value)}"'
    if isinstance(value, int | float):
        return _number(value)
    return f"the {type(value).__name__} {value}"


def _number(value: float) -> str:
    try:
        return f"{value:.12g}"
    except OverflowError:  # an integer beyond any float
        return "a number that large"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _fits(hint: Any, value: object) -> bool:
    if typing.get_origin(hint) is Literal:
        return isinstance(value, str) and value in typing.get_args(hint)
    if typing.get_origin(hint) is list:
        return isinstance(value, list) and all(isinstance(element, str) for element in value)
    if hint in (int, float):
        kinds = (int,) if hint is int else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)
    return isinstance(value, hint)


def _closest(word: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, list(known), n=1)
    return f'; did you mean "{found[0]}"?' if found else ""


def _repeated(values: Sequence[str]) -> list[str]:
    return sorted(value for value, count in Counter(values).items() if count > 1)


def _url_reasons(url: str, schemes: Sequence[str]) -> list[str]:
    """Why `url` cannot be used; empty if it can. Never repeats the URL, which may hold a secret."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        return [f"is no URL: {error}"]
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    reasons = []
    if parts.scheme not in schemes:
        reasons.append(f"must begin with {wanted}")
    elif not host:
        reasons.append("names no host")
    if parts.username is not None or parts.password is not None:
        reasons.append("must not hold a user or password: secrets never stand in this file")
    secret = sorted(key for key, _ in parse_qsl(parts.query) if key.lower() in _SECRET_PARAMETERS)
    if secret:
        reasons.append(f'must not hold the parameter "{secret[0]}": secrets never stand in this file')
    return reasons


def _proxy_reason(url: str) -> str | None:
    """Why `url`, which is well formed, names no proxy; None if it does."""
    with contextlib.suppress(ValueError):  # reported already
        parts = urlsplit(url)
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            return "must end after the port: a proxy has no path, query or fragment"
    return None


def _rest_url_beside(url: str, exchange: str | None) -> dict[str, str]:
    """The REST address that goes with a simulator's: without it a book would be built on the real exchange's."""
    with contextlib.suppress(ValueError):  # a wrong URL has been reported
        parts = urlsplit(url)
        if parts.netloc and (exchange == EMBEDDED_EXCHANGE or parts.hostname in _LOOPBACK):
            return {"rest_url": f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc}"}
    return {}


def _handler_reason(handler: str) -> str | None:
    module, colon, function = handler.partition(":")
    if colon and all(part.isidentifier() for part in (*module.split("."), *function.split("."))):
        return None
    return f'must be "module:function", not "{_short(handler)}"'


def _symbol_reason(symbol: str) -> str | None:
    if not symbol:
        return "is empty"
    if len(symbol) > SYMBOL_CHARACTERS_MAX:
        return f"has more than {SYMBOL_CHARACTERS_MAX} characters"
    if not symbol.isprintable() or " " in symbol:
        return f"holds a space or a control character: {symbol!r}"
    return None


# ---- the document


class _Checker:
    """Collects the problems of one document."""

    def __init__(
        self,
        folder: str,
        exchanges: Mapping[str, ExchangeInfo],
        is_file: Callable[[str], bool],
        *,
        without_symbols: bool,
    ) -> None:
        self._without_symbols = without_symbols
        self.problems: list[Problem] = []
        self._folder = folder
        self._exchanges = exchanges
        self._is_file = is_file

    def check(self, document: dict[str, Any]) -> FoxtrotConfig:
        """The configuration, meaningful only if `problems` stays empty."""
        self._unknown(document, FoxtrotConfig.__struct_fields__, "")
        supervisor = self._supervisor(self._table(document, "supervisor"))
        engine = self._engine(self._table(document, "engine"))
        ring = self._section(RingConfig, self._table(document, "ring"), "ring")
        connections = self._connections(document)
        if self.problems:
            return FoxtrotConfig()
        return FoxtrotConfig(
            supervisor=SupervisorConfig(**supervisor),
            engine=EngineConfig(**engine),
            ring=RingConfig(**ring),
            connections=[ConnectionConfig(**connection) for connection in connections],
        )

    def _problem(self, key: str, reason: str | None) -> None:
        if reason is not None:
            self.problems.append(Problem(key, reason))

    def _table(self, document: dict[str, Any], key: str) -> dict[str, Any]:
        table = document.get(key, {})
        if isinstance(table, dict):
            return table
        self._problem(key, f"must be a table, headed [{key}], not {_found(table)}")
        return {}

    def _unknown(self, table: Mapping[str, object], known: Sequence[str], path: str) -> None:
        for key in table:
            if key not in known:
                self._problem(f"{path}{_key(key)}", f"is not a known key{_closest(key, known)}")

    def _section(self, kind: type[Struct], table: dict[str, Any], path: str) -> dict[str, Any]:
        """The values of `table` that have the right type and range."""
        hints = typing.get_type_hints(kind)
        self._unknown(table, kind.__struct_fields__, f"{path}.")
        good = {}
        for key in kind.__struct_fields__:
            if key not in table:
                continue
            hint, value = _without_none(hints[key]), table[key]
            if not _fits(hint, value):
                self._problem(f"{path}.{key}", f"must be {_expected(hint)}, not {self._misfit(hint, value)}")
                continue
            bounds = _RANGES.get(kind, {}).get(key)
            reason = bounds.reason(value) if bounds is not None else None
            self._problem(f"{path}.{key}", reason)
            if reason is None:
                good[key] = float(value) if hint is float else value
        return good

    @staticmethod
    def _misfit(hint: Any, value: object) -> str:
        if typing.get_origin(hint) is list and isinstance(value, list):
            index, element = next((i, e) for i, e in enumerate(value) if not isinstance(e, str))
            return f"{_found(element)} (element {index})"
        return _found(value)

    def _supervisor(self, table: dict[str, Any]) -> dict[str, Any]:
        good = self._section(SupervisorConfig, table, "supervisor")
        if "run_dir" in good:
            self._run_dir(good)
        values = SupervisorConfig(**good)
        if "late_s" not in table:
            # between the two that frame it, so that a short hung_s needs no third key
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

    def _engine(self, table: dict[str, Any]) -> dict[str, Any]:
        good = self._section(EngineConfig, table, "engine")
        handlers = good.get("handlers", [])
        for index, handler in enumerate(handlers):
            self._problem(f"engine.handlers[{index}]", _handler_reason(handler))
        for handler in _repeated(handlers):
            self._problem("engine.handlers", f'lists "{_short(handler)}" more than once')
        policies = ("block", "conflate", "never_drop")
        named = [(policy, event) for policy in policies for event in good.get(policy, [])]
        for policy, event in named:
            if not event:
                self._problem(f"engine.{policy}", "names an event that is empty")
        for event in _repeated([event for _, event in named]):
            where = " and ".join(policy for policy, named_there in named if named_there == event)
            self._problem("engine", f'names "{_short(event)}" more than once: in {where}')
        intervals = good.get("bars_from_trades", [])
        for index, interval in enumerate(intervals):
            if interval not in INTERVALS:
                reason = f'"{_short(interval)}" is no interval (known: {", ".join(INTERVALS)})'
                self._problem(f"engine.bars_from_trades[{index}]", reason)
        for interval in _repeated(intervals):
            self._problem("engine.bars_from_trades", f'lists "{_short(interval)}" more than once')
        return good

    def _connections(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        tables = document.get("connections", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._problem("connections", "must be tables, each headed [[connections]]")
            return []
        if not tables:
            self._problem("connections", "there is none: at least one [[connections]] is needed")
        if len(tables) > CONNECTIONS_MAX:
            self._problem("connections", f"has {len(tables)} connections, at most {CONNECTIONS_MAX} are allowed")
        good = [self._connection(table, f"connections[{index}]") for index, table in enumerate(tables)]
        first: dict[str, int] = {}
        for index, connection in enumerate(good):
            name = connection.get("name")
            if name is None:
                continue
            if name in first:
                self._problem(f"connections[{index}].name", f'"{name}" is the name of connections[{first[name]}] too')
            first.setdefault(name, index)
        return good

    def _connection(self, table: dict[str, Any], path: str) -> dict[str, Any]:
        good = self._section(ConnectionConfig, table, path)
        for key in ("name", "exchange", "channels", "symbols"):
            if key not in table:
                self._problem(f"{path}.{key}", "is missing")
        if "name" in good and (not _NAME.fullmatch(good["name"]) or len(good["name"]) > NAME_CHARACTERS_MAX):
            self._problem(
                f"{path}.name",
                f'must be at most {NAME_CHARACTERS_MAX} of a-z, 0-9 and "-", not beginning with "-", '
                f'not "{_short(good["name"])}"',
            )
        self._exchange(good, path)
        self._symbols(good, path)
        for key, schemes in (("url", ("ws", "wss")), ("rest_url", ("http", "https")), ("proxy", ("http", "https"))):
            for reason in _url_reasons(good[key], schemes) if key in good else ():
                self._problem(f"{path}.{key}", reason)
        if "proxy" in good:
            self._problem(f"{path}.proxy", _proxy_reason(good["proxy"]))
        self._more_urls(good, path)
        if "url" in good and "rest_url" not in good:
            good.update(_rest_url_beside(good["url"], good.get("exchange")))
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
            for reason in _url_reasons(url, ("ws", "wss")):
                self._problem(f"{path}.more_urls[{index}]", reason)
        if _repeated([*urls, good.get("url", "")]):
            self._problem(f"{path}.more_urls", "names an address that stands there or as url already")

    def _exchange(self, good: dict[str, Any], path: str) -> None:
        channels = good.get("channels")
        if channels is not None and not channels:
            self._problem(f"{path}.channels", "is empty: nothing would be subscribed")
        for channel in _repeated(channels or []):
            self._problem(f"{path}.channels", f'lists "{_short(channel)}" more than once')
        if "exchange" not in good:
            return
        name = good["exchange"]
        info = self._exchanges.get(name)
        if info is None:
            known = ", ".join(sorted(self._exchanges))
            self._problem(
                f"{path}.exchange", f'"{_short(name)}" is not known{_closest(name, self._exchanges)} (known: {known})'
            )
            return
        if info.error:
            self._problem(f"{path}.exchange", f'"{name}" cannot be used: {info.error}')
            return
        self._channels(channels or [], name, info, path)
        self._topic_count(good, info, path)

    def _channels(self, channels: Sequence[str], name: str, info: ExchangeInfo, path: str) -> None:
        for index, channel in enumerate(channels):
            if channel not in info.channels:
                offered = ", ".join(sorted(info.channels))
                self._problem(
                    f"{path}.channels[{index}]",
                    f'{name} has no channel "{_short(channel)}"{_closest(channel, info.channels)} (it has: {offered})',
                )

    def _topic_count(self, good: dict[str, Any], info: ExchangeInfo, path: str) -> None:
        count = len(good.get("channels", [])) * len(good.get("symbols", []))
        if info.topics_max and count > info.topics_max:
            self._problem(
                f"{path}.symbols",
                f"{count} topics (channels times symbols) are more than the {info.topics_max} that one connection "
                "may hold: spread the symbols over several connections",
            )

    def _symbols(self, good: dict[str, Any], path: str) -> None:
        symbols = good.get("symbols")
        if symbols is None:
            return
        if not symbols and not self._without_symbols:
            self._problem(f"{path}.symbols", "is empty: nothing would be subscribed")
        for index, symbol in enumerate(symbols):
            self._problem(f"{path}.symbols[{index}]", _symbol_reason(symbol))
        info = self._exchanges.get(good.get("exchange", ""), ExchangeInfo())
        # from here on symbols are the venue's own: so are those that are compared at a reload
        good["symbols"] = symbols = [canonical_symbol(symbol, info.symbol_case) for symbol in symbols]
        for symbol in _repeated(symbols):
            self._problem(f"{path}.symbols", f'lists "{_short(symbol)}" more than once')
        size = sum(len(symbol.encode(errors="replace")) + 3 for symbol in symbols)
        if size > SYMBOL_BYTES_MAX:
            self._problem(f"{path}.symbols", f"is {size} bytes long, one connection carries {SYMBOL_BYTES_MAX}")

    def _resolved(self, path: str) -> str:
        return posixpath.normpath(posixpath.join(self._folder, path))


def _key(key: str) -> str:
    """A key as TOML would write it: one with dots in it must not look like a path."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{_short(key)}"'
