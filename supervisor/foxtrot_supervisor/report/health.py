"""Whether a run is ready, from its status: the engine healthy and every connection flowing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from foxtrot_supervisor.core.services import LANDING

__all__ = ["REASONS_MAX", "REMOTE_SERVES", "connection_flows", "not_ready", "remote_connection_flows"]

REASONS_MAX: Final = 50
"""Reasons that are listed; further ones are counted."""

REMOTE_SERVES: Final = ("serving", "leaving")
"""States of a worker on another node that serves: one that another node is to take over does until then."""

_ACCEPTED: Final = ("flowing", "acknowledged")


def connection_flows(status: Mapping[str, Any]) -> dict[str, bool]:
    """Return for each connection whether it flows.

    It does if one of its workers serves and the exchange has accepted, or sends, at least one of its topics. A topic
    that may rest has no data for a while; one that should have some is ``silent`` or ``stale`` then. A connection whose
    workers an operator has stopped is left out.
    """
    flows: dict[str, bool] = {}
    for worker in status["workers"]:
        if worker.get("stopped_by_operator"):
            continue
        serves = worker["state"] == "RUNNING" and any(topic["state"] in _ACCEPTED for topic in worker["topics"])
        flows[worker["connection"]] = flows.get(worker["connection"], False) or serves
    return flows


def remote_connection_flows(status: Mapping[str, Any]) -> dict[str, bool]:
    """Return for each connection of a cluster whether one of its workers serves, as far as their nodes can be heard.

    What the exchange sends of each topic is known on the node alone.
    """
    flows: dict[str, bool] = {}
    for row in status.get("remote_workers") or ():
        if row["shard"]:
            flows[row["connection"]] = flows.get(row["connection"], False) or row["state"] in REMOTE_SERVES
    return flows


def not_ready(status: Mapping[str, Any]) -> list[str]:
    """Return every reason why the run is not ready, [] if it is."""
    reasons = []
    state = status["supervisor"]["state"]
    if state in ("stopping", "stopped"):
        reasons.append(f"the run is {state}")
    engine = status["engine"]
    if not engine or engine["state"] != "RUNNING":
        reasons.append(f"engine is {engine['state'] if engine else 'missing'}")
    elif engine["health"] in ("late", "hung"):
        reasons.append(f"engine is {engine['health']}")
    flows, remote = connection_flows(status), remote_connection_flows(status)
    stuck: list[tuple[str, list[Any], Callable[[Mapping[str, Any]], str]]]
    stuck = [(name, status["workers"], _how) for name in flows if not flows[name]]
    stuck += [(name, status["remote_workers"], _how_remote) for name in remote if not remote[name]]
    for name, workers, how in stuck[:REASONS_MAX]:
        reasons.append(
            f"connection {name} does not flow: "
            + "; ".join(how(worker) for worker in workers if worker["connection"] == name)
        )
    if len(stuck) > REASONS_MAX:
        reasons.append(f"{len(stuck) - REASONS_MAX} further connections do not flow")
    if not flows and not remote:
        reasons.append(_without_connections(status))
    return reasons


def _without_connections(status: Mapping[str, Any]) -> str:
    if status["workers"]:
        return "an operator has stopped every connection"
    if any(service["name"] == LANDING for service in status.get("services") or ()):
        return "no worker of the cluster is known"
    return "there is no connection"


def _how(worker: Mapping[str, Any]) -> str:
    name = worker["name"]
    if worker["state"] != "RUNNING":
        return f"{name} is {worker['state']}{' by an operator' if worker.get('stopped_by_operator') else ''}"
    states = sorted({topic["state"] for topic in worker["topics"]})
    return f"{name} is RUNNING, topics {', '.join(states)}" if states else f"{name} is RUNNING without topics"


def _how_remote(row: Mapping[str, Any]) -> str:
    return f"{row['worker']} on {row['node'] or 'no node'} is {row['state']}"
