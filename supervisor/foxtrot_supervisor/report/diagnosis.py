"""Diagnosis of a running supervisor from its status. Pure.

A *finding* says where, what and how severe. ``bad`` needs attention: a leak, lost events, a process that is FATAL or
LOST, a full disk. ``watch`` is worth knowing: restarts, failing or slow handlers, announced gaps. Without findings the
supervisor is healthy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from foxtrot_supervisor.report.clocks import clock_problem
from foxtrot_supervisor.report.topic_problems import Severity, topic_problems

__all__ = ["DISK_BAD_BYTES", "DISK_WATCH_BYTES", "FD_SHARE", "Finding", "Surroundings", "diagnose", "report_lines"]

FD_SHARE = 0.8
"""Share of its descriptors from which on a process is reported."""

DISK_BAD_BYTES = 64 * 1024 * 1024
DISK_WATCH_BYTES = 512 * 1024 * 1024
"""Free space in the run directory, which holds the rings, below which it is reported."""

HEARTBEAT_OLD_S = 10.0
"""Age of the last heartbeat of a RUNNING child above which it is reported, in seconds."""

Status: TypeAlias = Mapping[str, Any]


class Finding(Struct, frozen=True):
    """One problem of a process, a handler or the disk."""

    severity: Severity
    where: str
    """``supervisor``, ``engine``, a child's name, ``handler NAME``, ``disk``."""
    what: str
    detail: str = ""
    """Further lines; "" without any."""


class Surroundings(Struct, frozen=True):
    """Facts beside the status, measured on the same machine; None: unknown."""

    disk_free_bytes: int | None = None
    disk_total_bytes: int | None = None
    open_files_max: Mapping[int, int] = {}
    """Limit of open descriptors of each process id."""


def diagnose(status: Status, around: Surroundings) -> list[Finding]:
    """Return all findings, the most severe first."""
    found = [
        *_process("supervisor", status["supervisor"], around),
        *(finding for child in _children(status) for finding in _child(child, around)),
        *_engine(status["engine"]),
        *(Finding("bad", each["name"], each["problem"]) for each in status["services"] if each["problem"]),
        *(finding for worker in status["workers"] for finding in _worker(worker)),
        *_remote(status.get("remote_workers") or ()),
        *_clocks(status.get("clocks", ())),
        *_disk(around),
    ]
    return sorted(found, key=lambda finding: finding.severity)


def report_lines(status: Status, around: Surroundings, findings: list[Finding]) -> list[str]:
    """Return the report as lines of text."""
    lines = [f"hot paths: {status['supervisor']['form']}", "processes:"]
    for name, process in [("supervisor", status["supervisor"]), *((c["name"], c) for c in _children(status))]:
        lines.append(f"  {name}: {process['state']}{_figures(process)}")
    engine = status["engine"]
    if engine:
        owners = ", ".join(engine["owners"]) or "none"
        lines += [
            f"engine: {engine['queue_depth']} queued, dispatch p50 {engine['dispatch_p50_us']:g} us"
            f" p99 {engine['dispatch_p99_us']:g} us, {engine['slow_handlers']} slow calls,"
            f" {engine['handler_errors_total']} failed; owners: {owners}",
            "handlers (the most conspicuous ones):",
            *(f"  {_handler_line(handler)}" for handler in engine["handlers"]),
        ]
    lines.append("accounts:")
    lines += [
        f"  {worker['name']}: {worker['committed_total']} committed = {worker['applied_total']} applied"
        f" + {worker['deduplicated_total']} deduplicated + {worker['superseded_total']} superseded"
        f" + {worker['lost_total']} lost + in its rings;"
        f" {worker['gaps_total']} gaps announced"
        for worker in status["workers"]
    ]
    if around.disk_free_bytes is not None:
        lines.append(f"disk: {_mib(around.disk_free_bytes)} free in the run directory")
    if not findings:
        return [*lines, "nothing found"]
    lines.append("findings:")
    for finding in findings:
        lines.append(f"  {finding.severity.upper()} {finding.where}: {finding.what}")
        lines += [f"      {line}" for line in finding.detail.splitlines()]
    return lines


# ---- rules


def _clocks(clocks: Iterable[Status]) -> Iterator[Finding]:
    for clock in clocks:
        problem = clock_problem(clock)
        if problem:
            yield Finding("watch", "clock", problem)


def _process(name: str, process: Status, around: Surroundings) -> Iterator[Finding]:
    for figure, growth in process["growth"].items():
        if growth["verdict"] == "growing":
            pace = _amount(figure, growth["per_hour"])
            yield Finding("bad", name, f"{figure} grows by {pace} per hour, over {growth['span_s']:g} s")
        elif growth["verdict"] == "over":
            yield Finding("bad", name, f"{figure} is over its limit")
    most, has = around.open_files_max.get(process["pid"]), process["open_fds"]
    if most and has and has > FD_SHARE * most:
        yield Finding("bad", name, f"{has} of {most} descriptors are open")


def _child(child: Status, around: Surroundings) -> Iterator[Finding]:
    name = child["name"]
    yield from _process(name, child, around)
    if child["state"] in ("FATAL", "LOST"):
        yield Finding("bad", name, f"is {child['state']}", child["cause"])
    elif child["state"] != child["desired"] and child["state"] not in ("STARTING", "CONNECTING", "STOPPING"):
        yield Finding("watch", name, f"is {child['state']}", child["cause"])
    age_s = child["heartbeat_age_s"]
    if child["state"] == "RUNNING" and age_s is not None and age_s > HEARTBEAT_OLD_S:
        yield Finding("bad", name, f"has sent no heartbeat for {age_s:g} s", child["stacks"])
    if child["restarts_total"]:
        last = child["last_exit"]
        detail = f"last: {last['cause']}" if last else ""
        yield Finding("watch", name, f"was restarted {_times(child['restarts_total'])}", detail)


def _engine(engine: Status) -> Iterator[Finding]:
    if not engine:
        return
    for leak in engine["leaks"]:
        first, _, detail = leak.partition("\n")
        # a closed owner may be held on purpose
        severity: Severity = "watch" if first.startswith("held") else "bad"
        yield Finding(severity, "engine", first, detail)
    for key, text in _ENGINE_BAD.items():
        if engine[key]:
            yield Finding("bad", "engine", f"{engine[key]} {text}")
    for handler in engine["handlers"]:
        where = f"handler {handler['handler']}"
        if handler["suspended"]:
            yield Finding("bad", where, "is suspended: it failed too often", _handler_line(handler))
        elif handler["errors"]:
            yield Finding("watch", where, f"has failed {_times(handler['errors'])}", _handler_line(handler))
        elif handler["slow"]:
            yield Finding("watch", where, f"was slow {_times(handler['slow'])}", _handler_line(handler))


_ENGINE_BAD = {
    "account_violations_total": "ring accounts do not balance",
    "dropped_total": "events were dropped: the queue was full",
    "rejected_total": "batches could not be read",
}


def _remote(rows: Iterable[Status]) -> Iterator[Finding]:
    """Findings of workers on other nodes, as far as this engine knows them."""
    unknown = 0
    for row in rows:
        name = row["worker"]
        yield from _missing(name, row)
        if row["state"] == "away":
            yield Finding("bad", name, f"its node {row['node']} does not announce itself")
        unknown += row["state"] == "unknown" and bool(row["shard"])
    if unknown:
        yield Finding("watch", "cluster", f"of {unknown} workers the state is unknown")


def _missing(name: str, worker: Status) -> Iterator[Finding]:
    """Findings of events that handlers did not get."""
    if worker["lost_total"]:
        yield Finding("bad", name, f"{worker['lost_total']} events were lost (announced as gaps)")
    if worker.get("lost_batches_total"):
        batches = worker["lost_batches_total"]
        yield Finding("bad", name, f"{batches} batches with an unknown number of events were lost (announced as gaps)")
    if worker["gaps_total"]:
        yield Finding("watch", name, f"{worker['gaps_total']} gaps were announced")


def _worker(worker: Status) -> Iterator[Finding]:
    name = worker["name"]
    yield from _missing(name, worker)
    if worker["dropped_total"]:
        yield Finding("bad", name, f"{worker['dropped_total']} events were dropped: its ring was full")
    if worker["rejected_total"]:
        yield Finding("watch", name, f"{worker['rejected_total']} frames could not be parsed")
    if worker["templates_off_total"]:
        what = "kinds of frames that Python parses alone, since their templates differed"
        yield Finding("watch", name, f"{what}: {worker['templates_off_total']}")
    for problem in topic_problems(worker):
        yield Finding(problem.severity, name, problem.what, problem.reason)


def _disk(around: Surroundings) -> Iterator[Finding]:
    free = around.disk_free_bytes
    if free is not None and free < DISK_WATCH_BYTES:
        severity: Severity = "bad" if free < DISK_BAD_BYTES else "watch"
        yield Finding(severity, "disk", f"{_mib(free)} free in the run directory")


# ---- text


def _children(status: Status) -> list[Status]:
    single = [child for child in (status["engine"], status["nursery"]) if child]
    return [*single, *status["simulators"], *status["services"], *status["workers"]]


def _figures(process: Status) -> str:
    if process["rss_bytes"] is None:
        return ""
    grown = [
        f"{figure} {growth['verdict']}" for figure, growth in process["growth"].items() if growth["verdict"] != "steady"
    ]
    return (
        f", {_mib(process['rss_bytes'])}, {process['open_fds']} descriptors, {process['threads']} threads,"
        f" {process['tasks']} tasks; {', '.join(grown) or 'nothing grows'}"
    )


def _handler_line(handler: Status) -> str:
    owners = ", ".join(handler["owners"]) or "no owner"
    return (
        f"{handler['handler']} for {handler['type'] or 'every event'}, of {owners}: {handler['calls']} calls,"
        f" p50 {handler['p50_us']:g} us, p99 {handler['p99_us']:g} us, max {handler['max_us']:g} us,"
        f" {handler['slow']} slow, {handler['errors']} failed"
    )


def _amount(figure: str, value: float) -> str:
    return _mib(value) if figure.endswith("_bytes") else f"{value:.1f}"


def _mib(value: float) -> str:
    return f"{value / 1024 / 1024:.1f} MiB"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
