"""An application's configuration, with the symbols that it has subscribed since it started."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container

import msgspec

from foxtrot_supervisor.config.schema import FoxtrotConfig

__all__ = ["Subscriptions"]


class Subscriptions:
    """The configuration of the next supervisor and of the living one. Safe to use from any thread."""

    def __init__(self, config: FoxtrotConfig, sharded: Container[str] = ()) -> None:
        """`sharded`: names of connections whose symbols the supervisors keep themselves (`runtime.kept_shards`)."""
        self._sharded = sharded
        self._lock = threading.Lock()
        self._next = config
        self._in_force = config

    def begin(self) -> FoxtrotConfig:
        """Return the configuration for a supervisor that is started now, with all that was subscribed so far."""
        with self._lock:
            self._in_force = self._next
            return self._in_force

    def add(self, connection: str, symbols: list[str]) -> None:
        """Let later supervisors subscribe `symbols` as well."""
        self._change(connection, _adding(symbols))

    def remove(self, connection: str, symbols: list[str]) -> None:
        """Let later supervisors no longer subscribe `symbols`."""
        self._change(connection, lambda present: [symbol for symbol in present if symbol not in symbols])

    def add_first(self, connection: str, symbols: list[str]) -> FoxtrotConfig:
        """Add the first symbols of a connection, and return the configuration that the living supervisor is to reload.

        Other connections keep the symbols with which that supervisor was started: their workers would be replaced
        if a reload changed them.
        """
        self.add(connection, symbols)
        with self._lock:
            self._in_force = _with_symbols(self._in_force, connection, _adding(symbols))
            return self._in_force

    def has_no_symbols(self, connection: str) -> bool:
        """Whether the living supervisor knows `connection` and has no worker for it."""
        return any(each.name == connection and not each.symbols for each in self._in_force.connections)

    def _change(self, connection: str, change: Callable[[list[str]], list[str]]) -> None:
        if connection in self._sharded:
            return
        with self._lock:
            self._next = _with_symbols(self._next, connection, change)


def _adding(symbols: list[str]) -> Callable[[list[str]], list[str]]:
    return lambda present: list(dict.fromkeys([*present, *symbols]))


def _with_symbols(config: FoxtrotConfig, name: str, change: Callable[[list[str]], list[str]]) -> FoxtrotConfig:
    connections = [
        msgspec.structs.replace(each, symbols=change(each.symbols)) if each.name == name else each
        for each in config.connections
    ]
    return msgspec.structs.replace(config, connections=connections)
