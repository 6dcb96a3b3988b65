"""Names on the way from a worker to engines elsewhere: workers, incarnations, subjects. Pure."""

from __future__ import annotations

from foxtrot_supervisor.cluster.names import cluster_incarnation

__all__ = ["EVENT_PREFIX", "REQUEST_PREFIX", "engine_incarnation", "engine_worker", "event_subject", "request_subject"]

EVENT_PREFIX = "events"
"""First token of the subjects of batches."""

REQUEST_PREFIX = "foxtrot.requests"
"""First tokens of the subjects of engines' requests."""


def engine_worker(connection: str, side: str, worker: str) -> str:
    """Return the name that a worker has at every engine: what is before its last point is the connection.

    `connection` and `side`: of its ring; `worker`: its name on its own host, used if the ring names no connection.
    """
    return f"{connection}.{side.replace('.', '-')}" if connection and side else worker


def engine_incarnation(worker: str, incarnation: int) -> int:
    """Return the incarnation of a worker as every engine counts it: a later holder of the shard has a higher one.

    `worker` and `incarnation`: on its own host. A worker that no cluster has placed keeps its incarnation.
    """
    try:
        return cluster_incarnation(worker, incarnation)
    except ValueError:
        return incarnation


def event_subject(connection: str, side: str, worker: str) -> str:
    """Return the subject of the batches of a worker, from the connection and side of its ring."""
    return f"{EVENT_PREFIX}.{_place(connection, side, worker)}"


def request_subject(connection: str, side: str, worker: str) -> str:
    """Return the subject at which the host of this worker takes an engine's requests."""
    return f"{REQUEST_PREFIX}.{_place(connection, side, worker)}"


def _place(connection: str, side: str, worker: str) -> str:
    tokens = [connection, *side.split(".")] if connection and side else [worker]
    return ".".join(_token(token) for token in tokens)


def _token(text: str) -> str:
    """Return `text` as one token of a subject: points, wildcards, blanks and what is not printable are replaced."""
    return "".join(c if c.isascii() and c.isprintable() and c not in ".*> " else "_" for c in text) or "_"
