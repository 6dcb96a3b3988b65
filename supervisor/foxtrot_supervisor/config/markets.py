"""The symbols of a configuration, resolved with the exchanges' instrument lists."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from foxtrot_protocol.instruments import Instrument
from foxtrot_supervisor.config.problems import ConfigInvalid, Problem
from foxtrot_supervisor.config.schema import ConnectionConfig, ExchangeInfo, FoxtrotConfig
from foxtrot_supervisor.config.shards import Placements, expanded, needs_list, placements_of
from foxtrot_supervisor.config.values import EMBEDDED_EXCHANGE
from foxtrot_supervisor.markets.age import age_text
from foxtrot_supervisor.markets.market_list import ListSource, ListUnavailable, fetch, kept

__all__ = ["FRESH_S", "Markets", "source_of"]

FRESH_S: Final = 3600.0
"""A kept list that is younger than this many seconds is used without asking the exchange."""


def source_of(connection: ConnectionConfig) -> ListSource:
    """Return where the list of a connection comes from."""
    return ListSource(
        exchange=connection.exchange,
        rest_url=connection.rest_url,
        ca_file=connection.ca_file,
        proxy=connection.proxy,
    )


class Markets:
    """Resolves symbols.

    Args:
        directory: of kept lists (`market_list.cache_path`).
        say: receives a line for people: what is fetched, and where an old list is used.
    """

    def __init__(self, directory: str, say: Callable[[str], None]) -> None:
        self._directory = directory
        self._say = say

    def resolve(
        self,
        config: FoxtrotConfig,
        exchanges: Mapping[str, ExchangeInfo],
        source: str = "",
        *,
        online: bool,
        present: Placements | None = None,
    ) -> FoxtrotConfig:
        """Return `config` with symbols in place of patterns, and shards in place of sharded connections.

        Args:
            config: as checked.
            exchanges: by name.
            source: names the file in errors.
            online: ask the exchange where the kept list is missing or old. Otherwise kept lists are used, whatever
                their age: a running supervisor starts no process for this.
            present: where the symbols are that are subscribed; they stay there. None: none is.

        Raises `ConfigInvalid`.
        """
        lists = self._lists(config, exchanges, source, online)
        resolved = expanded(config, exchanges, lists, present or {}, source)
        for name, shards in placements_of(resolved, lambda _: ()).items():
            count = sum(len(shard.symbols) for shard in shards)
            self._say(f"{name}: {count} symbols on {len(shards)} worker(s)")
        return resolved

    def _lists(
        self, config: FoxtrotConfig, exchanges: Mapping[str, ExchangeInfo], source: str, online: bool
    ) -> dict[str, Sequence[Instrument]]:
        lists: dict[str, Sequence[Instrument]] = {}
        problems: list[Problem] = []
        found: dict[ListSource, Sequence[Instrument]] = {}
        for index, connection in enumerate(config.connections):
            if not needs_list(connection, exchanges.get(connection.exchange, ExchangeInfo())):
                continue
            try:
                lists[connection.name] = self._list(connection, found, online)
            except ListUnavailable as failure:
                reason = f"cannot be resolved without the list of instruments: {failure}"
                problems.append(Problem(f"connections[{index}].symbols", reason))
        if problems and online:
            raise ListUnavailable(str(ConfigInvalid(source, problems)))
        if problems:
            raise ConfigInvalid(source, problems)
        return lists

    def _list(
        self, connection: ConnectionConfig, found: dict[ListSource, Sequence[Instrument]], online: bool
    ) -> Sequence[Instrument]:
        if connection.exchange == EMBEDDED_EXCHANGE and connection.url is None:
            raise ListUnavailable("the embedded simulated exchange has none before it runs; name the symbols")
        source = source_of(connection)
        if source not in found:
            found[source] = self._fetched(source, online)
        return found[source]

    def _fetched(self, source: ListSource, online: bool) -> Sequence[Instrument]:
        old = kept(source, self._directory)
        now = time.time()
        age_s = max(0.0, now - old.fetched_at) if old is not None else 0.0
        if old is not None and (age_s < FRESH_S or not online):
            return old.instruments
        if not online:
            raise ListUnavailable(f"none is kept: `foxtrot-supervisor markets {source.exchange}` fetches it")
        self._say(f"{source.exchange}: fetching the list of instruments")
        try:
            return fetch(source, self._directory, now).instruments
        except ListUnavailable as failure:
            if old is None:
                raise
            self._say(f"{source.exchange}: the list of instruments is {age_text(age_s)} old: {failure}")
            return old.instruments
