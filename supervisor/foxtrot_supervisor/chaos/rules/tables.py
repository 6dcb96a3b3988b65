"""The schedule and the report of `chaos` as tables for people; pure. Programs take the JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from foxtrot_supervisor.chaos.rules.delivery_faults import DeliveryStep
from foxtrot_supervisor.chaos.rules.mishaps import Mishap
from foxtrot_supervisor.chaos.rules.report import Figures, TradeAccount
from foxtrot_supervisor.chaos.rules.schedule import FAULTS, PHASES, Step

__all__ = ["render_chaos", "render_mishap_plan", "render_mishaps", "render_plan"]


def render_plan(steps: Sequence[Step | DeliveryStep]) -> RenderableType:
    """A pass, before it is done."""
    table = Table(title="Schedule", title_justify="left")
    for heading in ("step", "phase", "fault", "victim", "delay", "blows"):
        table.add_column(heading)
    for step in steps:
        blows = ", ".join(f"{fault} -> {child}" for child, fault in step.blows) or step.fault
        table.add_row(str(step.number), step.phase, step.fault, step.victim, f"{step.delay_s:.3f} s", blows)
    return table


def render_mishap_plan(mishaps: Sequence[Mishap]) -> RenderableType:
    """Return the mishaps that would be played, as a table."""
    table = Table(title="Mishaps", title_justify="left")
    for heading in ("", "mishap", "what is done", "what is promised"):
        table.add_column(heading)
    for mishap in mishaps:
        table.add_row(mishap.letter, mishap.name, mishap.done, mishap.promised)
    return table


def render_mishaps(report: dict[str, Any]) -> RenderableType:
    """Return the report of `mishaps.mishap_report` as tables."""
    table = Table(title="Mishaps", title_justify="left")
    for heading in ("", "mishap", "took", "verdict", "broken promises, or why it was skipped"):
        table.add_column(heading, justify="right" if heading == "took" else "left")
    for row in report["mishaps"]:
        why = "; ".join(row["broken"]) or row["skipped"]
        table.add_row(row["letter"], row["name"], f"{row['took_s']:.1f} s", row["verdict"], why)
    totals = report["mishap_totals"]
    counts = ", ".join(f"{count} {verdict}" for verdict, count in totals.items())
    parts: list[RenderableType] = [table, counts]
    if report["logs"]:
        parts.append(f"logs: {report['logs']}")
    parts.append(f"{'all promises held' if report['held'] else 'PROMISES WERE BROKEN'} (took {report['took_s']:g} s)")
    return Group(*parts)


def render_chaos(report: dict[str, Any]) -> RenderableType:
    """The report of `chaos.run_chaos` as tables."""
    parts: list[RenderableType] = []
    if "steps" in report:
        parts += [_steps(report["steps"]), _totals(report["totals"])]
        if report["delivery_steps"]:
            parts.append(_delivery_steps(report["delivery_steps"]))
    if "kills" in report:
        parts.append(_figures("SIGKILL of a worker", report["kills"], ("detected_ms", "hello_ms", "event_ms")))
        parts.append(f"PSS of a worker, MiB: {', '.join(f'{mib:g}' for mib in report['kills']['worker_pss_mib'])}")
    for row in report.get("campaigns", ()):
        parts.append(_campaign(row))
    if "supervisor_kills" in report:
        names = ("slowest_child_gone_ms", "next_start_ms")
        parts.append(_figures("SIGKILL of the supervisor", report["supervisor_kills"], names))
    if "recordings" in report:
        parts.append(_recordings(report["recordings"]))
    parts += [f"broken: {promise}" for promise in report.get("broken", ())]
    if report.get("logs"):
        parts.append(f"logs: {report['logs']}")
    ways = f"{report['start_method']}, {report['transport']}"
    how = f"seed {report['seed']}, {ways}, took {report['took_s']:g} s"
    parts.append(f"{'all promises held' if report['held'] else 'PROMISES WERE BROKEN'} ({how})")
    return Group(*parts)


def _recordings(figures: dict[str, Any]) -> RenderableType:
    table = Table(title="Recording and its replay", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), f"{value:,}")
    return table


def _campaign(row: dict[str, Any]) -> RenderableType:
    sides = "one worker each" if row["redundancy"] == 1 else f"{row['redundancy']} workers each"
    healed = ", backfill" if row["backfill"] else ""
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in [*row.get("delivery", {}).items(), *_others(row)]:
        if name not in ("lost_runs", "marked_by_engine", "repeated_by_engine"):
            table.add_row(name.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
    return Group(f"{row['campaign']}: {row['connections']} connections, {sides}{healed}", table)


def _others(row: dict[str, Any]) -> list[tuple[str, object]]:
    """Return the figures beside the account of trades."""
    figures: Figures | None = row["recovery_ms"]
    found: list[tuple[str, object]] = [("events a second", row.get("events_per_s", 0))]
    if figures is not None:
        found.append(("recovery, ms: median, max", f"{figures.median:,.0f}, {figures.max:,.0f}"))
    for name, key in (
        ("of nodes without power", "recovery_silent_ms"),
        ("until taken over", "taken_ms"),
        ("until the engine was taken over", "engine_taken_ms"),
    ):
        others: Figures | None = row.get(key)
        if others is not None:
            found.append((f"{name}, ms: median, max", f"{others.median:,.0f}, {others.max:,.0f}"))
    for key, others in row.get("cuts", {}).items():
        if others is not None:
            name = key.removesuffix("_ms").replace("_", " ")
            found.append((f"cut off: {name}, ms: median, max", f"{others.median:,.0f}, {others.max:,.0f}"))
    for name, key in (("marked after a death", "marked_by_engine"), ("of these given before", "repeated_by_engine")):
        counts = sorted(row.get("delivery", {}).get(key, {}).values())
        if row.get("engine_taken_ms") is not None and counts:
            found.append((f"trades {name}: median, max", f"{counts[len(counts) // 2]:,}, {counts[-1]:,}"))
    if "phases" in row:
        found.append(("kills", ", ".join(f"{phase} {count}" for phase, count in row["phases"].items())))
    for kind, most in row.get("memory_mib", {}).items():
        found.append((f"{kind}, MiB: RSS, PSS, growth", ", ".join(f"{value:,.1f}" for value in most.values())))
    if "dropped" in row:
        found.append(("dropped", row["dropped"]))
    if "connections_untouched" in row:
        found.append(("connections", "untouched" if row["connections_untouched"] else "disturbed"))
    return found


def _steps(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="Faults (times in ms from the blow)", title_justify="left")
    for heading in ("fault", "phase", "victim", "noticed", "HELLO", "event", "exit", "verdict"):
        table.add_column(heading, justify="right" if heading in ("noticed", "HELLO", "event", "exit") else "left")
    for row in sorted(rows, key=lambda row: (list(FAULTS).index(row["fault"]), PHASES.index(row["phase"]))):
        times = [_shortest(row["recoveries"], name) for name in ("seen_ms", "hello_ms", "event_ms")]
        if row["gone_ms"] is not None:
            times[0] = f"gone {row['gone_ms']:.0f}"
        exit_code = "" if row["exit_code"] is None else str(row["exit_code"])
        table.add_row(
            row["fault"], row["phase"], row["victim"], *times, exit_code, "; ".join(row["broken"]) or row["verdict"]
        )
    return table


def _delivery_steps(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="Delivery (trades; recovery in ms)", title_justify="left")
    told = ("sent", "seen", "lost", "announced", "duplicated", "out_of_order", "redelivered", "backfilled")
    for heading in ("fault", "workers", *(name.replace("_", " ") for name in told), "recovery", "verdict"):
        table.add_column(heading, justify="left" if heading in ("fault", "workers", "verdict") else "right")
    for row in rows:
        account = row["delivery"] or {}
        recovery = "-" if row["recovery_ms"] is None else f"{row['recovery_ms']:,.0f}"
        figures = [f"{account[name]:,}" if account else "-" for name in told]
        table.add_row(row["fault"], row["sides"], *figures, recovery, "; ".join(row["broken"]) or row["verdict"])
    return table


def _shortest(recoveries: list[dict[str, Any]], name: str) -> str:
    """Of several who were struck: each."""
    return ", ".join("-" if recovery[name] is None else f"{recovery[name]:.0f}" for recovery in recoveries)


def _totals(totals: dict[str, Any]) -> RenderableType:
    trades: TradeAccount = totals["trades"]
    lines: list[RenderableType] = [
        f"{totals['steps']} steps, {totals['broken']} broken, {totals['orphans']} orphans, next start: "
        f"{totals['last_start']}",
        f"trades: {trades.sent} sent to workers, {trades.seen} seen, {trades.lost} lost, {trades.duplicated} "
        f"duplicated; {trades.unheard} made while nobody was connected",
    ]
    return Group(_figures("Workers replaced", totals["recovery"], tuple(totals["recovery"])), *lines)


def _figures(title: str, values: dict[str, Any], names: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in ("ms", "count", "median", "p99", "max"):
        table.add_column(heading, justify="left" if heading == "ms" else "right")
    for name in names:
        found: Figures | None = values[name]
        if found is not None:
            numbers = (f"{number:,.1f}" for number in (found.median, found.p99, found.max))
            table.add_row(name.removesuffix("_ms").replace("_", " "), str(found.count), *numbers)
    return table
