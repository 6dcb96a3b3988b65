"""Whether a run is ready, from its status: the engine healthy and every connection flowing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["REASONS_MAX", "connection_flows", "not_ready"]

REASONS_MAX: Final = 50
"""Reasons that are listed; further ones are counted."""

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
    flows = connection_flows(status)
    stuck = [name for name in flows if not flows[name]]
    for name in stuck[:REASONS_MAX]:
        workers = [worker for worker in status["workers"] if worker["connection"] == name]
        how = "; ".join(f"{worker['name']} is {_how(worker)}" for worker in workers)
        reasons.append(f"connection {name} does not flow: {how}")
    if len(stuck) > REASONS_MAX:
        reasons.append(f"{len(stuck) - REASONS_MAX} further connections do not flow")
    if not flows:
        reasons.append("an operator has stopped every connection" if status["workers"] else "there is no connection")
    return reasons


def _how(worker: Mapping[str, Any]) -> str:
    if worker["state"] != "RUNNING":
        return f"{worker['state']}{' by an operator' if worker.get('stopped_by_operator') else ''}"
    states = sorted({topic["state"] for topic in worker["topics"]})
    return f"RUNNING, topics {', '.join(states)}" if states else "RUNNING without topics"
