"""Plans and specifications of all children, derived from the configuration.

Kinds and tiers: the simulated exchange (tier 0, only if a connection to it has no address), the engine and, where it is
possible, the nursery (tier 1), one or two workers for each connection (tier 2), named ``<connection>.a`` and ``.b``,
and services (`services`).
Start targets are text, and are never imported here.
"""

from __future__ import annotations

import hashlib
import urllib.parse
from collections import Counter, defaultdict
from collections.abc import Container, Mapping

import msgspec
from msgspec import Struct, structs

from foxtrot_protocol import endpoints
from foxtrot_protocol.spec import (
    ChildKind,
    ChildSpec,
    EngineSettings,
    FeedSettings,
    NurserySettings,
    ResourceLimits,
    SimulatorSettings,
    encode_spec,
)
from foxtrot_supervisor.config.cluster import NodeCluster
from foxtrot_supervisor.config.placed import Placed
from foxtrot_supervisor.config.schema import CLIENT_DEFAULT, ConnectionConfig, FoxtrotConfig, LogFormat
from foxtrot_supervisor.config.shards import Shard, logical_name, merged_as
from foxtrot_supervisor.core.cluster_settings import ForwarderSettings, plain
from foxtrot_supervisor.core.records import ChildPlan
from foxtrot_supervisor.core.services import services_of
from foxtrot_supervisor.core.targets import (
    ENGINE,
    ENGINE_MODULES,
    ENGINE_NURSERY,
    NURSERIES,
    NURSERY,
    SIMULATOR,
    Targets,
    WorkerPlace,
    engine_settings,
)

__all__ = ["ChildSpecs", "Surroundings", "SymbolChange", "other_side_of"]

_SIM = "sim"
_SIDES = ("a", "b")
_MIB = 1024 * 1024

STALE_FACTOR = 2.0
STALE_MARGIN_S = 10.0
"""The supervisor replaces a worker for stale data only when the worker, which has the first limit, clearly did not."""


TWIN_FIRST_LIFE_SHARE = 0.5
"""Share of its planned age at which the second twin is rotated the first time."""


BUNDLE_FRAMES_BYTES = 512 * 1024
"""Frames that each worker keeps for a crash bundle, in bytes."""


class Surroundings(Struct, frozen=True, kw_only=True):
    """What specifications need besides the configuration."""

    run_id: str
    run_dir: str
    parent_pid: int
    import_path: str
    log_level: str
    log_format: LogFormat
    nursery_possible: bool = False
    """Whether workers can be forked by a nursery on this machine."""
    embedded: bool = False
    """Whether the engine is the application that started the supervisor."""


class SymbolChange(Struct, frozen=True):
    """Symbols that a running worker is to subscribe, and to unsubscribe."""

    added: list[str]
    removed: list[str]


_NO_CHANGE = SymbolChange([], [])


class ChildSpecs:
    """Plans and specifications of all children of one configuration."""

    def __init__(self, config: FoxtrotConfig, around: Surroundings, targets: Targets) -> None:
        self._config = config
        self._around = around
        self._targets = targets
        self._gone: set[str] = set()
        self._services = {service.name: service for service in services_of(config, targets, around.run_dir)}
        self.places: dict[str, WorkerPlace] = {
            f"{connection.name}.{side}": WorkerPlace(connection, side)
            for connection in config.connections
            if connection.symbols  # else its worker comes with the first of them
            for side in _SIDES
        }
        """Connection and side of each worker by its name, spares included."""
        self._simulated = [c for c in config.connections if c.exchange == _SIM and not c.addresses and c.symbols]
        self._symbols = {_holder(place): _held(place) for place in self.places.values()}
        """Symbols by subscriber: each twin has its own list, both sides of other connections share one."""
        self._touched: set[str] = set()
        """Subscribers whose symbols were changed in operation."""
        self._moves: Counter[str] = Counter()
        """How often each worker has switched to its next address."""
        self._simulator: Mapping[str, str] = {}

    def succeeded_by(self, config: FoxtrotConfig) -> ChildSpecs:
        """Return the specifications for another configuration.

        Known addresses are handed on, and subscriptions that were changed in operation; of a shard, where the
        configuration still has the patterns that it had. Workers that are not in it any more keep their
        place until `forget`.
        """
        successor = ChildSpecs(config, self._around, self._targets)
        successor._simulator = self._simulator
        successor._moves = self._moves
        handed: defaultdict[str, list[list[str]]] = defaultdict(list)
        for name, place in self.places.items():
            now = successor.places.get(name)
            if now is None:
                successor.places[name] = place
                successor._gone.add(name)
            elif not isinstance(now.connection, Shard) or _configured(now) == _configured(place):
                if _holder(place) in self._touched:
                    successor._touched.add(_holder(now))
                handed[_holder(now)].append(
                    _merged(place.connection.symbols, self.symbols(name), now.connection.symbols)
                )
        successor._symbols.update({holder: lists[0] for holder, lists in handed.items()})
        return successor

    def forget(self, live: Container[str]) -> None:
        """Drop the workers that are no longer configured and not in `live`."""
        for name in [name for name in self._gone if name not in live]:
            self._gone.remove(name)
            del self.places[name]
            del self._moves[name]

    def try_another_address(self, name: str) -> None:
        """Make the next incarnation of worker `name` use its next address: this one never served."""
        if name in self.places:
            self._moves[name] += 1

    @property
    def with_nursery(self) -> bool:
        """Whether workers are forked by a nursery while it serves."""
        return self._around.nursery_possible and self._config.supervisor.start_method != "spawn"

    def first_target(self, name: str) -> str:
        """Return the start target that a spawned process of `name` calls first."""
        return self._targets.nursery if name in NURSERIES else self._targets.boot

    @property
    def with_engine_nursery(self) -> bool:
        """Whether successors of the engine are copies of a template process, as far as it serves."""
        has_engine = not self._around.embedded and not isinstance(self._config.cluster, NodeCluster)
        return self.with_nursery and self._config.engine.preload and has_engine

    @property
    def nurseries(self) -> list[str]:
        """The template processes of this configuration."""
        return [NURSERY] * self.with_nursery + [ENGINE_NURSERY] * self.with_engine_nursery

    def nursery_of(self, name: str) -> str | None:
        """The template process that `name` may be a copy of, None for none."""
        if name in self.places:
            return NURSERY if self.with_nursery else None
        return ENGINE_NURSERY if name == ENGINE and self.with_engine_nursery else None

    def plans(self) -> list[ChildPlan]:
        """Return the plans of all children, in order of start."""
        restart = self._config.supervisor.restart
        engine = ChildPlan(
            name=ENGINE,
            tier=1,
            restart=restart,
            kind="engine",
            ours=not self._around.embedded,
            ready_s=self._config.supervisor.ready_s + self._config.engine.handlers_s,
            fingerprint=self._fingerprint(ENGINE),
        )
        plans = [engine]
        if self._simulated:
            essential = any(connection.essential for connection in self._simulated)
            simulator = ChildPlan(
                name=SIMULATOR,
                tier=0,
                restart=restart,
                kind="simulator",
                essential=essential,
                fingerprint=self._fingerprint(SIMULATOR),
            )
            plans.insert(0, simulator)
        if self.with_nursery:
            nursery = ChildPlan(
                name=NURSERY,
                tier=1,
                restart="permanent",
                kind="nursery",
                essential=False,
                fingerprint=self._fingerprint(NURSERY),
            )
            plans.append(nursery)
        if self.with_engine_nursery:
            # last of all: the engine that is there is not to share its processor with it while the run starts
            template = ChildPlan(
                name=ENGINE_NURSERY,
                tier=3,
                restart="permanent",
                kind="nursery",
                essential=False,
                fingerprint=self._fingerprint(ENGINE_NURSERY),
            )
            plans.append(template)
        for name, place in self.places.items():
            if name in self._gone:
                continue
            plan, other = self._worker_plan(name, place), other_side_of(place)
            if place.connection.redundancy > 1:
                plans.append(structs.replace(plan, twin=other))
            elif place.side == _SIDES[0]:
                plans.append(structs.replace(plan, spare=self._worker_plan(other, self.places[other])))
        plans += [service.plan(self._fingerprint(name)) for name, service in self._services.items()]
        return plans

    def _worker_plan(self, name: str, place: WorkerPlace) -> ChildPlan:
        connection = place.connection
        stale_s = connection.stale_after_s
        return ChildPlan(
            name=name,
            tier=2,
            restart=connection.restart or self._config.supervisor.restart,
            essential=connection.essential,
            kind="connection",
            fingerprint=self._fingerprint(name),
            source=self._source(connection),
            stale_after_s=None if stale_s is None else stale_s * STALE_FACTOR + STALE_MARGIN_S,
        )

    def _source(self, connection: ConnectionConfig) -> str:
        """Return where the data of a connection come from, for `ChildPlan.source`."""
        # a simulated exchange that is replaced has another market
        simulator = self._fingerprint(SIMULATOR) if connection in self._simulated else ""
        return " ".join((connection.exchange, *connection.addresses, connection.rest_url or "", simulator))

    def spec(self, name: str, incarnation: int) -> ChildSpec:
        """Return the specification of an incarnation; raises `KeyError` for an unknown name."""
        place = self.places.get(name)
        sinks = [] if place is None else self.sinks_of(place.connection)
        return self._made(name, incarnation, self._simulator, self.symbols(name), self._moves[name], sinks)

    def _fingerprint(self, name: str) -> str:
        """Return the hash of the configured part of a specification, without what is found or changed in operation.

        The symbols of a shard are changed in operation. Sinks that come or go replace no worker: rings of those that
        run get their links from the supervisor.
        """
        place = self.places.get(name)
        fixed = place is not None and not isinstance(place.connection, Shard)
        symbols = list(place.connection.symbols) if place is not None and fixed else []
        return hashlib.sha256(encode_spec(self._made(name, 0, {}, symbols, 0, []))).hexdigest()

    def _made(
        self,
        name: str,
        incarnation: int,
        simulator: Mapping[str, str],
        symbols: list[str],
        moves: int,
        sinks: list[str],
    ) -> ChildSpec:
        if name == ENGINE and isinstance(self._config.cluster, NodeCluster):
            endpoint = endpoints.data_endpoint(self._around.run_dir, self._config.engine.transport)
            forwarder = ForwarderSettings(data_endpoint=endpoint, cluster=plain(self._config.cluster))
            return self._spec(name, incarnation, "engine", self._targets.forwarder, forwarder)
        if name == ENGINE:
            return self._spec(
                name,
                incarnation,
                "engine",
                self._targets.engine,
                engine_settings(self._config.engine, self._around.run_dir, self._around.import_path),
            )
        if name == SIMULATOR and self._simulated:
            simulated = self._simulator_settings(simulator)
            return self._spec(name, incarnation, "simulator", self._targets.simulator, simulated)
        if name == NURSERY and self.with_nursery:
            return self._spec(name, incarnation, "nursery", self._targets.nursery, self._nursery_settings())
        if name == ENGINE_NURSERY and self.with_engine_nursery:
            return self._spec(name, incarnation, "nursery", self._targets.nursery, self._engine_nursery_settings())
        if name in self._services:
            service = self._services[name]
            return self._spec(name, incarnation, "service", service.target, service.settings)
        place = self.places[name]
        feed = structs.replace(
            self._feed_settings(place, simulator, symbols, moves),
            rotate_share=_rotate_share(place, incarnation),
            sinks=sinks,
        )
        return self._spec(name, incarnation, "connection", self._targets.connection, feed)

    def limits(self, name: str) -> ResourceLimits:
        """Return the limits of child `name`, also of one that is no longer configured and has not ended yet."""
        config = self._config.supervisor
        memory_mib = config.engine_memory_mib if name == ENGINE else None
        # what is born in the nursery could not raise a limit that the nursery had lowered
        open_files = None if name in NURSERIES else config.open_files
        return ResourceLimits(
            memory_mib=config.worker_memory_mib if name in self.places else memory_mib,
            open_files=open_files,
            core_dumps=config.core_dumps,
        )

    def simulator_serves(self, info: Mapping[str, str]) -> None:
        """Take the addresses of the simulated exchange; its workers and its next incarnation use them."""
        self._simulator = dict(info)

    def symbols(self, name: str) -> list[str]:
        """Return the symbols that worker `name` is, or will be, subscribed to."""
        place = self.places.get(name)
        return [] if place is None else list(self._symbols.get(_holder(place), ()))

    def changes_in_operation(self, name: str) -> SymbolChange:
        """Return how the symbols of worker `name` differ from those that the configuration gives it."""
        place = self.places.get(name)
        if place is None or _holder(place) not in self._touched:
            return _NO_CHANGE
        held, configured = self.symbols(name), _held(place)
        return SymbolChange(
            [symbol for symbol in held if symbol not in configured],
            [symbol for symbol in configured if symbol not in held],
        )

    def changes_since(self, before: ChildSpecs) -> dict[str, SymbolChange]:
        """Return how the symbols of each worker of a shard differ from `before`, where they do."""
        changes = {}
        for name, place in self.places.items():
            if isinstance(place.connection, Shard) and name in before.places and name not in self._gone:
                old, new = before.symbols(name), self.symbols(name)
                change = SymbolChange(
                    [each for each in new if each not in old], [each for each in old if each not in new]
                )
                if change.added or change.removed:
                    changes[name] = change
        return changes

    def subscribed(self, name: str, symbols: list[str]) -> None:
        """Subscribe later incarnations of worker `name` to `symbols` as well."""
        known = self._symbols.setdefault(_holder(self.places[name]), [])
        self._touched.add(_holder(self.places[name]))
        known.extend(symbol for symbol in dict.fromkeys(symbols) if symbol not in known)

    def unsubscribed(self, name: str, symbols: list[str]) -> None:
        """Do not subscribe later incarnations of worker `name` to `symbols`."""
        holder = _holder(self.places[name])
        self._touched.add(holder)
        self._symbols[holder] = [symbol for symbol in self.symbols(name) if symbol not in symbols]

    # ---- settings of each kind

    def _nursery_settings(self) -> NurserySettings:
        """Return what the nursery imports.

        Of a node always the same: all installed exchanges (together about 1 MiB) and the default library. A nursery
        that followed the assignments would be replaced by the first shard of an exchange, and a worker that imports
        all of it on its own takes seconds on a busy machine, in both cases while nobody serves the shard.
        """
        connections, cluster = self._config.connections, self._config.cluster
        if isinstance(cluster, NodeCluster):
            exchanges, clients = cluster.exchanges, [CLIENT_DEFAULT]
        else:
            exchanges = [connection.exchange for connection in connections]
            clients = [connection.client for connection in connections]
        return NurserySettings(
            socket_path=endpoints.nursery_path(self._around.run_dir),
            boot=self._targets.boot,
            exchanges=sorted(set(exchanges)),
            clients=sorted(set(clients)),
        )

    def _engine_nursery_settings(self) -> NurserySettings:
        handlers = [handler.partition(":")[0] for handler in self._config.engine.handlers]
        return NurserySettings(
            socket_path=endpoints.nursery_path(self._around.run_dir, ENGINE_NURSERY),
            boot=self._targets.boot,
            modules=list(dict.fromkeys([*ENGINE_MODULES, *handlers])),
            import_path=self._around.import_path,
        )

    def _simulator_settings(self, simulator: Mapping[str, str]) -> SimulatorSettings:
        symbols = dict.fromkeys(symbol for connection in self._simulated for symbol in connection.symbols)
        port = urllib.parse.urlsplit(simulator.get("url", "")).port or 0
        return SimulatorSettings(symbols=list(symbols), port=port, rest_port=port)

    def _feed_settings(
        self, place: WorkerPlace, simulator: Mapping[str, str], symbols: list[str], moves: int
    ) -> FeedSettings:
        connection = place.connection
        addresses = connection.addresses
        # the sides begin apart, and each goes on from there
        address = addresses[(_SIDES.index(place.side) + moves) % len(addresses)] if addresses else None
        simulated = connection in self._simulated
        return FeedSettings(
            connection=merged_as(connection),
            side=_merged_side(place),
            exchange=connection.exchange,
            channels=list(connection.channels),
            symbols=list(symbols),
            data_endpoint=endpoints.data_endpoint(self._around.run_dir, self._config.engine.transport),
            url=simulator.get("url") if simulated else address,
            rest_url=simulator.get("rest_url") if simulated else connection.rest_url,
            client=connection.client,
            ca_file=connection.ca_file,
            proxy=connection.proxy,
            stale_after_s=connection.stale_after_s,
            rotate_after_s=connection.rotate_after_s,
            ring_bytes=self._config.ring.size_mib * _MIB,
            full_wait_s=self._config.ring.full_wait_s,
            frames_ring_bytes=self._frames_ring_bytes(connection),
            recorded=connection.record == "raw",
        )

    @property
    def sinks(self) -> list[str]:
        """The sinks of this configuration."""
        return [sink.name for sink in self._config.sinks]

    def sinks_of(self, connection: ConnectionConfig) -> list[str]:
        """Return the sinks that get the events of a connection."""
        name = logical_name(connection)
        return [sink.name for sink in self._config.sinks if not sink.connections or name in sink.connections]

    def _frames_ring_bytes(self, connection: ConnectionConfig) -> int:
        if connection.record == "raw":
            return self._config.recorder.ring_mib * _MIB
        return BUNDLE_FRAMES_BYTES if self._config.supervisor.bundles else 0

    def _spec(
        self,
        name: str,
        incarnation: int,
        kind: ChildKind,
        target: str,
        settings: EngineSettings | SimulatorSettings | FeedSettings | NurserySettings | ForwarderSettings | bytes,
    ) -> ChildSpec:
        around = self._around
        return ChildSpec(
            name=name,
            kind=kind,
            target=target,
            incarnation=incarnation,
            run_id=around.run_id,
            run_dir=around.run_dir,
            parent_pid=around.parent_pid,
            control_endpoint=endpoints.child_control_endpoint(around.run_dir),
            heartbeat_s=self._config.supervisor.heartbeat_s,
            log_level=around.log_level,
            log_format=around.log_format,
            settings=settings if isinstance(settings, bytes) else msgspec.msgpack.encode(settings),
            limits=self.limits(name),
        )


def other_side_of(place: WorkerPlace) -> str:
    """Return the name of the other side of the same connection."""
    side = next(side for side in _SIDES if side != place.side)
    return f"{place.connection.name}.{side}"


def _rotate_share(place: WorkerPlace, incarnation: int) -> float:
    """Rotate the second twin earlier once, so that twins that start together are not rotated together."""
    apart = place.connection.redundancy > 1 and place.side != _SIDES[0] and incarnation == 1
    return TWIN_FIRST_LIFE_SHARE if apart else 1.0


def _merged_side(place: WorkerPlace) -> str:
    """Return what tells a worker from the others that are merged with it: parts of a split shard are further sides."""
    connection = place.connection
    if isinstance(connection, Placed):
        return f"{connection.part}.{place.side}"
    if isinstance(connection, Shard) and merged_as(connection) != connection.name:
        return f"{connection.number}.{place.side}"  # a ring's identity has room for 8 bytes
    return place.side


def _configured(place: WorkerPlace) -> list[str]:
    connection = place.connection
    return connection.entries if isinstance(connection, Shard) else connection.symbols


def _held(place: WorkerPlace) -> list[str]:
    connection = place.connection
    held = connection.held if isinstance(connection, Shard) else None
    return list(connection.symbols if held is None else held)


def _merged(before: list[str], held: list[str], after: list[str]) -> list[str]:
    """Return `after` with the differences that operators have made between `before` and `held`."""
    kept = [symbol for symbol in after if symbol in held or symbol not in before]
    return kept + [symbol for symbol in held if symbol not in before and symbol not in after]


def _holder(place: WorkerPlace) -> str:
    """Return the subscriber under which the symbols of a worker are kept."""
    connection = place.connection
    return f"{connection.name}.{place.side}" if connection.redundancy > 1 else connection.name
