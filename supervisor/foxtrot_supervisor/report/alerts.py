"""Alerts: what broke, and what is whole again. Edges only, and few of them. Pure.

`Edges` compares looks at a run. A *condition* is broken for as long as the status shows it: a process that does not
serve, a connection that does not flow, topics without data. It is reported when it breaks and when it is whole again,
never in between. An incident that ends at once (events were lost) is reported as it is.

`Pacer` gathers alerts and allows a bounded number of calls a minute. What does not fit into a call is counted by kind.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from foxtrot_supervisor.report.health import connection_flows, remote_connection_flows
from foxtrot_supervisor.report.topic_problems import topic_problems

__all__ = [
    "ALERTS_PER_CALL",
    "BROKEN_SHOWN",
    "EVENTS",
    "GATHER_S",
    "HOLD_S",
    "TEXT_CHARS_MAX",
    "Alert",
    "Edge",
    "Edges",
    "Pacer",
    "Payload",
]

Edge: TypeAlias = Literal["broke", "whole", "event"]

HOLD_S: Final = 5.0
"""Seconds for which a connection or a topic must be broken before that is an alert: a replaced worker takes less."""

GATHER_S: Final = 1.0
"""Seconds from the first alert to the call: what happens together is told together."""

ALERTS_PER_CALL: Final = 20
"""Alerts in one call; further ones are counted by kind."""

BROKEN_SHOWN: Final = 50
"""Broken conditions that a call lists."""

TEXT_CHARS_MAX: Final = 300
"""Characters of a text."""

_MINUTE_S: Final = 60.0

_ALERTS: Final = "alerts"
"""The service that calls; a call that fails is no reason for a call."""

_BREAKS: Final = frozenset({"death", "fatal", "hung", "lost_process", "stale_data"})
"""Incidents with which the condition of a process begins; the status says when it ends."""

EVENTS: Final = frozenset(
    {
        "backfill_failed",
        "crossed_book",
        "engine_fault",
        "events_dropped",
        "guard",
        "leak",
        "lost_events",
        "maintenance",
        "rate_limited",
        "reload_refused",
        "rotation_failed",
        "run_dir",
        "strays_killed",
        "template_off",
    }
)
"""Kinds of incidents that are alerts of their own."""

Key: TypeAlias = tuple[str, str]
"""Kind of the condition, and what it is of."""


class Alert(Struct, frozen=True, kw_only=True):
    """One alert."""

    edge: Edge
    kind: str
    """Kind of the condition (process, service, connection, topics, engine, handler, growth, supervisor), or of the
    incident."""
    subject: str
    """Worker, connection or process."""
    text: str
    at: float
    """Unix time in seconds."""
    broken_s: float | None = None
    """Of "whole": how long it was broken."""


class Payload(Struct, frozen=True, kw_only=True):
    """What a call is given, as JSON."""

    version: int = 1
    run_id: str
    run_dir: str
    alerts: Sequence[Alert]
    omitted: Mapping[str, int]
    """Alerts that did not fit, by kind and edge, such as "process broke"."""
    broken: Sequence[str]
    """What is broken now, as text."""
    broken_total: int


class _Broken(Struct):
    text: str
    since: float
    """Monotonic seconds."""
    told: bool = False


class Edges:
    """The conditions of one run. `now` is monotonic seconds, `at` the same instant in Unix seconds."""

    def __init__(self) -> None:
        self._broken: dict[Key, _Broken] = {}

    def look(
        self, status: Mapping[str, Any] | None, incidents: Iterable[Mapping[str, Any]], now: float, at: float
    ) -> list[Alert]:
        """Return the alerts since the last look.

        `status`: None if the supervisor does not answer. `incidents`: the new ones.
        """
        alerts = []
        levels = {("supervisor", "supervisor"): "it does not answer"} if status is None else conditions(status)
        begun: dict[Key, str] = {}
        for incident in incidents:
            if incident["kind"] in _BREAKS:
                begun.setdefault(("process", incident["worker"]), incident["cause"])
            elif incident["kind"] in EVENTS:
                alerts.append(_event(incident))
        for key, text in {**levels, **begun}.items():
            known = self._broken.get(key)
            if known is None:
                self._broken[key] = known = _Broken(text[:TEXT_CHARS_MAX], now)
            if not known.told and (key in begun or now - known.since >= _hold_s(key)):
                known.told = True
                alerts.append(Alert(edge="broke", kind=key[0], subject=key[1], text=known.text, at=at))
        if status is not None:
            alerts += self._mended(levels, now, at)
        return alerts

    def broken(self) -> list[str]:
        """Return what is broken and was reported, as text."""
        return [f"{kind} {name}: {each.text}" for (kind, name), each in self._broken.items() if each.told]

    def _mended(self, levels: Mapping[Key, str], now: float, at: float) -> list[Alert]:
        alerts = []
        for key in [key for key in self._broken if key not in levels]:
            mended = self._broken.pop(key)
            if mended.told:
                broken_s = round(now - mended.since, 3)
                text = f"whole again after {broken_s:g} s"
                alerts.append(Alert(edge="whole", kind=key[0], subject=key[1], text=text, at=at, broken_s=broken_s))
        return alerts


def conditions(status: Mapping[str, Any]) -> dict[Key, str]:
    """Return every broken condition that `status` shows."""
    found: dict[Key, str] = {}
    singles = (status["engine"], status["nursery"], status["engine_nursery"])
    children = [*filter(None, singles), *status["simulators"], *status["services"], *status["workers"]]
    for child in children:
        if child["state"] != "RUNNING" and child["desired"] == "RUNNING":
            died = child["last_exit"]["cause"] if child["last_exit"] else child["cause"]
            found["process", child["name"]] = f"{child['state']}: {died}"
        for figure, growth in child["growth"].items():
            if growth["verdict"] in ("growing", "over"):
                found["growth", child["name"]] = f"{figure} is {growth['verdict']}"
    for service in status["services"]:
        if service["problem"] and service["name"] != _ALERTS:
            found["service", service["name"]] = service["problem"]
    for name, flows in connection_flows(status).items():
        if not flows:
            found["connection", name] = "no data flow"
    for name, flows in remote_connection_flows(status).items():
        if not flows:
            found["connection", name] = "no worker of it serves on a node that can be heard"
    for worker in status["workers"]:
        bad = [problem.what for problem in topic_problems(worker) if problem.severity == "bad"]
        if bad:
            found["topics", worker["name"]] = f"{len(bad)} topics: {bad[0]}"
    if status["engine"]:
        for handler in status["engine"]["handlers"]:
            if handler["suspended"]:
                found["handler", handler["handler"]] = "suspended: it failed too often"
    return found


def _hold_s(key: Key) -> float:
    return 0.0 if key[0] in ("handler", "growth", "service") else HOLD_S


def _event(incident: Mapping[str, Any]) -> Alert:
    return Alert(
        edge="event",
        kind=incident["kind"],
        subject=incident["worker"] or "supervisor",
        text=incident["cause"][:TEXT_CHARS_MAX],
        at=incident["at_ns"] / 1e9,
    )


class Pacer:
    """Decides when a call is made, and with what. Times are monotonic seconds."""

    def __init__(self, calls_per_minute: int) -> None:
        self._calls_per_minute = calls_per_minute
        self._waiting: deque[Alert] = deque()
        self._omitted: Counter[str] = Counter()
        self._waiting_since: float | None = None
        self._calls: deque[float] = deque()

    def add(self, alerts: Iterable[Alert], now: float) -> None:
        """Take alerts; beyond `ALERTS_PER_CALL` they are counted only."""
        for alert in alerts:
            if self._waiting_since is None:
                self._waiting_since = now
            if len(self._waiting) < ALERTS_PER_CALL:
                self._waiting.append(alert)
            else:
                self._omitted[f"{alert.kind} {alert.edge}"] += 1

    def take(self, now: float) -> tuple[list[Alert], dict[str, int]] | None:
        """Return the alerts of a call that is due now and the counts of those omitted; None if none is due."""
        if self._waiting_since is None or now - self._waiting_since < GATHER_S:
            return None
        while self._calls and now - self._calls[0] >= _MINUTE_S:
            self._calls.popleft()
        if len(self._calls) >= self._calls_per_minute:
            return None
        self._calls.append(now)
        taken = list(self._waiting), dict(self._omitted)
        self._waiting.clear()
        self._omitted.clear()
        self._waiting_since = None
        return taken
