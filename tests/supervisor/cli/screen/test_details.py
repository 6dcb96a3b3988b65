"""The screens of one process and of all incidents."""

from __future__ import annotations

from pathlib import Path

from foxtrot_supervisor.cli.screen.app import local
from foxtrot_supervisor.cli.screen.details import Details, IncidentList
from tests.supervisor.cli.screen.played_run import PlayedRun, driven, shown, until


async def test_a_connection_shows_each_of_its_workers_and_the_log(tmp_path: Path) -> None:
    run = PlayedRun()
    run.incidents = [{"seq": 1, "at_ns": 1, "kind": "death", "worker": "twin.b", "cause": "killed"}]
    run.log = [{"timestamp": "2026-01-01T00:00:00Z", "level": "warning", "event": "connect_failed", "seq": 1}]
    async with driven(tmp_path, run) as pilot:
        pilot.app.push_screen(Details(pilot.app.observer, local, "twin"))  # type: ignore[attr-defined]
        await until(pilot, lambda: "connect_failed" in shown(pilot, "#log"))
        facts = shown(pilot, "#facts")
        for fact in ("twin.a  RUNNING", "twin.b  BACKOFF", "cause: connection refused", "killed"):
            assert fact in facts, fact


async def test_without_a_log_and_without_the_process(tmp_path: Path) -> None:
    run = PlayedRun()
    async with driven(tmp_path, run) as pilot:
        pilot.app.push_screen(Details(pilot.app.observer, local, "single.a"))  # type: ignore[attr-defined]
        await until(pilot, lambda: "no log line" in shown(pilot, "#log"))
        run.status = {**run.status, "workers": []}
        await until(pilot, lambda: "no single.a any more" in shown(pilot, "#facts"))


async def test_all_incidents(tmp_path: Path) -> None:
    run = PlayedRun()
    run.incidents = [{"seq": number, "at_ns": 1, "kind": "gap", "cause": f"number {number}"} for number in range(1, 99)]
    async with driven(tmp_path, run) as pilot:
        await pilot.press("i")
        assert isinstance(pilot.app.screen, IncidentList)
        await until(pilot, lambda: "number 98" in shown(pilot, "#facts"))
        assert "number 1\n" in shown(pilot, "#facts") + "\n"
