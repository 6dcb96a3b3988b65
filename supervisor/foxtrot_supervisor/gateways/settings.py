"""Settings of a vn.py gateway or Foxtrot adapter, and the configuration made from them. Pure.

A setting is a flat dictionary of strings, numbers and booleans, as made by the trading platform's connect dialog and
stored in its JSON file. Missing keys and "" mean the default.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct

__all__ = ["DEFAULT_SETTING", "PREFERRED_CHANNELS", "GatewaySettings", "SettingInvalid", "connection_name", "parse"]

DEFAULT_SETTING: dict[str, str | int | float | bool] = {
    "exchange": "binance",
    "symbols": "",
    "channels": "",
    "redundancy": 1,
    "backfill": False,
    "ticks": "change",
    "tick_interval_s": 0.5,
    "url": "",
    "rest_url": "",
    "proxy": "",
    "vt_exchange": "",
    "forward": "",
    "run_dir": "",
    "config_file": "",
    "close_s": 30.0,
}
"""Every key with its default; documented in docs/porting.md."""

PREFERRED_CHANNELS = ("trade", "quote", "book", "ticker")
"""Channels that a complete tick needs; those that the exchange has are subscribed."""

_LISTS = frozenset(("symbols", "channels", "forward"))
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_FEED_ONLY = frozenset(("symbols", "channels", "redundancy", "backfill", "url", "rest_url", "proxy"))
"""Keys that are not allowed beside a configuration file."""


class SettingInvalid(Exception):
    """The setting is invalid; the text lists every problem, one a line."""


class GatewaySettings(Struct, frozen=True, kw_only=True):
    """A checked setting."""

    exchange: str
    symbols: list[str]
    channels: list[str]
    """Empty: the preferred ones."""
    redundancy: int
    backfill: bool
    ticks: str
    tick_interval_s: float
    url: str
    rest_url: str
    proxy: str
    vt_exchange: str
    """The platform's name of the exchange in symbols; "": its default."""
    forward: list[str]
    """Event types that are forwarded unchanged, in addition to ticks."""
    run_dir: str
    config_file: str
    """Path of a configuration file, instead of the keys for connections here."""
    close_s: float

    def document(self, connection: str, channels_known: Collection[str]) -> dict[str, Any]:
        """Return the configuration of one connection of this name, as a table read from TOML."""
        channels = self.channels or [channel for channel in PREFERRED_CHANNELS if channel in channels_known]
        table: dict[str, Any] = {
            "name": connection,
            "exchange": self.exchange,
            "channels": channels,
            "symbols": self.symbols,
            "redundancy": self.redundancy,
            "backfill": self.backfill,
        }
        table |= {key: value for key in ("url", "rest_url", "proxy") if (value := getattr(self, key))}
        return {
            "engine": {"ticks": self.ticks, "tick_interval_s": self.tick_interval_s},
            "connections": [table],
        }


def parse(setting: Mapping[str, Any]) -> GatewaySettings:
    """Return the checked setting, with defaults for missing keys; raises `SettingInvalid`."""
    problems = [f'"{key}" is not a known key of the setting' for key in setting if key not in DEFAULT_SETTING]
    values: dict[str, Any] = {}
    for key, default in DEFAULT_SETTING.items():
        given = setting.get(key, default)
        if given == "" or given is None:
            given = default
        try:
            values[key] = _value(key, given, default)
        except (ValueError, KeyError):
            problems.append(f'"{key}" must be {_kind(key, default)}, not {given!r}')
    if values.get("config_file"):
        problems += [
            f'"{key}" belongs in {values["config_file"]}, the "config_file"'
            for key in sorted(_FEED_ONLY & set(setting))
            if setting[key] not in ("", DEFAULT_SETTING[key])
        ]
    if problems:
        raise SettingInvalid("\n".join(problems))
    return GatewaySettings(**values)


def connection_name(gateway_name: str) -> str:
    """Return a connection name for a gateway name: lower-case letters, digits and ``-``."""
    return re.sub(r"[^a-z0-9]+", "-", gateway_name.lower()).strip("-")[:40] or "feed"


def _value(key: str, given: Any, default: Any) -> Any:
    if key in _LISTS:
        return [part for each in _parts(given) if (part := each.strip())]
    if isinstance(default, bool):
        if isinstance(given, str):  # from a dialog or a file
            return _TRUTH[given.lower()]
        if isinstance(given, bool | int) and given in (0, 1):
            return bool(given)
        raise ValueError(key)
    if isinstance(default, str):
        if not isinstance(given, str):
            raise ValueError(key)
        return given
    if isinstance(given, bool):
        raise ValueError(key)
    try:
        return type(default)(given)
    except (TypeError, OverflowError):
        raise ValueError(key) from None


def _parts(given: Any) -> list[str]:
    if isinstance(given, str):
        return given.replace(",", " ").split()
    if isinstance(given, list | tuple) and all(isinstance(each, str) for each in given):
        return list(given)
    raise ValueError(given)


def _kind(key: str, default: Any) -> str:
    if key in _LISTS:
        return "names separated by commas"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}[type(default)]
