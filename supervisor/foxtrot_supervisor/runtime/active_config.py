"""The configuration in force, and what follows from it. A reload replaces it as a whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from msgspec import structs

from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.config.shards import Placements, Shard, logical_name, merged_as, placements_of
from foxtrot_supervisor.core.child_specs import ChildSpecs
from foxtrot_supervisor.runtime.strays import STRAYS_S

__all__ = ["ActiveConfig"]


class ActiveConfig:
    """Shared by the parts of the supervisor, so that each sees the configuration that a reload has brought."""

    def __init__(
        self, config: FoxtrotConfig, specs: ChildSpecs, keep: Callable[[Placements], None] = lambda _: None
    ) -> None:
        """`keep` gets the shards, with what they hold, whenever these may have changed."""
        self._keep = keep
        self.config = config
        self.specs = specs
        """Plans and specifications of the children of `config`."""

    def adopt(self, config: FoxtrotConfig, specs: ChildSpecs) -> None:
        """Put another configuration in force."""
        self.config, self.specs = config, specs
        self._keep(self.shards())

    def symbols_changed(self, worker: str, symbols: list[str], *, added: bool) -> None:
        """Note that a worker has changed its subscriptions: its successors begin with them."""
        (self.specs.subscribed if added else self.specs.unsubscribed)(worker, symbols)
        self._keep(self.shards())

    @property
    def heartbeat_s(self) -> float:
        """Seconds between two heartbeats of a child."""
        return self.config.supervisor.heartbeat_s

    @property
    def connections_with_backfill(self) -> list[str]:
        """Names, as the engine merges them, of the connections whose holes are filled by REST."""
        return list(dict.fromkeys(merged_as(each) for each in self.config.connections if each.backfill))

    def workers_merged_as(self, name: str) -> list[str]:
        """Return the workers whose streams the engine merges under this name."""
        return [worker for worker, place in self.specs.places.items() if merged_as(place.connection) == name]

    def workers_of(self, name: str) -> list[str]:
        """Return the worker of that name, or all workers of the connection or shard of that name."""
        return [
            worker
            for worker, place in self.specs.places.items()
            if name in (worker, place.connection.name, logical_name(place.connection))
        ]

    def placements(self) -> dict[str, list[Shard]]:
        """Return the sharded connections with the symbols that are subscribed (`shards.placements_of`)."""
        held = self._held()
        return placements_of(self.config, lambda name: held[name])

    def shards(self) -> dict[str, list[Shard]]:
        """Return the sharded connections as configured, with what each shard holds beside it."""
        held = self._held()
        return {
            name: [structs.replace(shard, held=list(dict.fromkeys(held[shard.name]))) for shard in shards]
            for name, shards in placements_of(self.config, lambda _: ()).items()
        }

    def _held(self) -> defaultdict[str, list[str]]:
        """Return the symbols that are subscribed, by the name of the connection."""
        held: defaultdict[str, list[str]] = defaultdict(list)
        for worker, place in self.specs.places.items():
            held[place.connection.name] += self.specs.symbols(worker)
        return held

    @property
    def start_limit_s(self) -> float:
        """Limit in seconds for one step of the start."""
        limits = self.config.supervisor
        return limits.hello_s + limits.ready_s + self.config.engine.handlers_s

    @property
    def stop_limit_s(self) -> float:
        """Limit in seconds for one step of the stop."""
        return self._ladder_s + STRAYS_S

    @property
    def restart_limit_s(self) -> float:
        """Limit in seconds for a replacement, until it serves or has failed."""
        limits = self.config.supervisor
        return self._ladder_s + limits.hello_s + limits.ready_s

    @property
    def _ladder_s(self) -> float:
        limits = self.config.supervisor
        return limits.stop_ask_s + limits.stop_term_s + limits.stop_kill_s
