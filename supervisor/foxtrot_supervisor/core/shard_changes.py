"""Which workers of a sharded connection change their subscriptions. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from foxtrot_protocol.symbols import canonical_symbol
from foxtrot_supervisor.config.shards import Shard
from foxtrot_supervisor.core.targets import WorkerPlace
from foxtrot_supervisor.markets.placement import add

__all__ = ["changes_for"]


def changes_for(
    name: str,
    workers: Sequence[str],
    places: Mapping[str, WorkerPlace],
    held: Callable[[str], Sequence[str]],
    symbols: Sequence[str],
    *,
    added: bool,
) -> dict[str, list[str]]:
    """Return the symbols that each worker subscribes (or unsubscribes, unless `added`).

    Args:
        name: a worker, a connection, or a sharded connection.
        workers: those that `name` stands for.
        places: connection and side of each worker.
        held: returns the symbols of a worker.
        symbols: as an operator names them.
        added: whether they are to be subscribed.

    Of a sharded connection, a symbol is added to one shard with room, and removed from the shard that has it. Raises
    ValueError if no shard has room.
    """
    shards: dict[str, Sequence[str]] = {}
    whole: Shard | None = None
    for worker in workers:
        connection = places[worker].connection
        if isinstance(connection, Shard) and connection.shard_of == name:
            shards[connection.name] = held(worker)
            whole = connection
    if whole is None:
        return {worker: list(symbols) for worker in workers}
    wanted = [canonical_symbol(symbol, whole.symbol_case) for symbol in symbols]
    if added:
        changes = add(wanted, shards, whole.symbols_max)
    else:
        changes = {shard: [symbol for symbol in wanted if symbol in placed] for shard, placed in shards.items()}
    parts = {worker: changes.get(places[worker].connection.name, []) for worker in workers}
    return {worker: part for worker, part in parts.items() if part}
