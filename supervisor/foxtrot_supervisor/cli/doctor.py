"""The command `doctor`: diagnoses a running supervisor from its status, disk space and descriptor limits."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable
from typing import Any

import click
import msgspec

from foxtrot_protocol.control import Reply, StatusRequest
from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.cli.common import absolute, config_option, find_run, json_option, known_errors, run_dir_option
from foxtrot_supervisor.cli.messages import Failure, say
from foxtrot_supervisor.cli.output import emit
from foxtrot_supervisor.client.control_client import ControlClient
from foxtrot_supervisor.report.diagnosis import Surroundings, diagnose, report_lines
from foxtrot_supervisor.telemetry.disk import disk_space

__all__ = ["ANSWER_S", "doctor", "surroundings_of"]

ANSWER_S = 10.0
"""Longest wait for the status, in seconds: a supervisor that takes longer is itself a problem."""


@click.command()
@config_option
@run_dir_option
@json_option
@click.option(
    "--bundle",
    "bundle_path",
    metavar="FILE",
    help="Also write what a bug report needs to FILE (.zip): figures, log, incidents, recent frames; no secrets.",
)
def doctor(config_path: str | None, run_dir_path: str | None, as_json: bool, bundle_path: str | None) -> None:
    """Diagnose a running supervisor.

    Looks for leaks, losses, failing handlers and a full disk.

    Exit code 0: no problem that needs attention; 8: at least one does.

    \b
    foxtrot-supervisor doctor
    foxtrot-supervisor doctor --json | jq '.findings[]'
    foxtrot-supervisor doctor --bundle report.zip
    """

    def diagnose_run() -> int:
        place = find_run(run_dir_path, config_path)
        with ControlClient(place) as client:
            reply: Reply = client.request(StatusRequest(fresh=True), ANSWER_S)
        status = reply.data
        around = surroundings_of(status)
        findings = diagnose(status, around)
        healthy = all(finding.severity != "bad" for finding in findings)
        diagnosis = {
            "healthy": healthy,
            "findings": [msgspec.structs.asdict(finding) for finding in findings],
            "disk_free_bytes": around.disk_free_bytes,
            "disk_total_bytes": around.disk_total_bytes,
            "open_files_max": {str(pid): most for pid, most in around.open_files_max.items()},
            "status": status,
        }
        if bundle_path is not None:
            _write_bundle(place, absolute(bundle_path), dict(diagnosis))
        if as_json:
            emit(diagnosis)
        else:
            for line in report_lines(status, around, findings):
                click.echo(line)
        return SupervisorExit.CLEAN if healthy else SupervisorExit.UNHEALTHY

    raise click.exceptions.Exit(int(known_errors(diagnose_run)()))


def _write_bundle(place: str, path: str, diagnosis: dict[str, Any]) -> None:
    living = importlib.import_module("foxtrot_supervisor.bundles.living")
    try:
        size, members = living.bundle_of_run(place, path, diagnosis)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror or error}", SupervisorExit.INTERNAL_ERROR) from None
    say(f"{path}: {size:,} bytes, readable by you only; look through it before you send it:")
    width = max(len(member.name) for member in members)
    for member in members:
        say(f"  {member.name.ljust(width)}  {member.about}")


def surroundings_of(status: dict[str, Any]) -> Surroundings:
    """Measure the disk space of the run directory and the descriptor limit of each process in `status`."""
    free, total = disk_space(status["supervisor"]["run_dir"])
    return Surroundings(free, total, {pid: most for pid in _pids(status) if (most := _open_files_max(pid)) is not None})


def _pids(status: dict[str, Any]) -> Iterable[int]:
    children = [status["engine"], status["nursery"], *status["simulators"], *status["services"], *status["workers"]]
    yield status["supervisor"]["pid"]
    for child in children:
        if child and child["pid"] is not None:
            yield child["pid"]


def _open_files_max(pid: int) -> int | None:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/limits", encoding="ascii") as limits:
        for line in limits:
            if line.startswith("Max open files"):
                soft = line.split()[3]
                return int(soft) if soft.isdigit() else None
    return None
