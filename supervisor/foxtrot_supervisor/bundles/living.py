"""A bundle of a living run, for a bug report: figures of all processes, log, incidents, frames where they are kept."""

from __future__ import annotations

import time
from typing import Any

from foxtrot_protocol.control import IncidentsRequest
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.bundles import evidence
from foxtrot_supervisor.bundles.archive import Member, write_bundle
from foxtrot_supervisor.client.control_client import ControlClient
from foxtrot_supervisor.client.log_tail import LogTail

__all__ = ["ANSWER_S", "FRAMES_BYTES_MAX", "bundle_of_run"]

ANSWER_S = 10.0
"""Longest wait for an answer of the supervisor, in seconds."""

FRAMES_BYTES_MAX = 256 * 1024 * 1024
"""Bytes of frames, as text: of further workers none are taken."""


def bundle_of_run(run_dir: str, path: str, diagnosis: dict[str, Any]) -> tuple[int, list[Member]]:
    """Write a bundle of the run in `run_dir` to `path`; return its size in bytes and what is in it.

    `diagnosis`: findings of `doctor`, and the status that they are about. Raises OSError, and what a request raises.
    """
    members = [
        evidence.json_member("status.json", diagnosis.pop("status"), "figures of all processes"),
        evidence.json_member("diagnosis.json", diagnosis, "what `doctor` found"),
        evidence.json_member("incidents.json", _incidents(run_dir), "the incidents of the run"),
    ]
    log = _log(run_dir)
    members.append(evidence.log_member(log))
    taken = 0
    optional: list[Member | None] = [evidence.stacks_member(log), evidence.configuration_member(run_dir)]
    for worker, incarnation in evidence.kept_frames(run_dir):
        if taken < FRAMES_BYTES_MAX:
            frames = evidence.frames_member(run_dir, worker, incarnation)
            taken += 0 if frames is None else len(frames.content)
            optional.append(frames)
    members += [member for member in optional if member is not None]
    members.append(evidence.versions_member())
    manifest = evidence.manifest_member({"bundle": "run", "at_ns": time.time_ns()}, members)
    return write_bundle(path, [manifest, *members]), [manifest, *members]


def _incidents(run_dir: str) -> list[Any]:
    found: list[Any] = []
    with ControlClient(run_dir) as client:
        while True:
            page = client.request(IncidentsRequest(found[-1]["seq"] if found else 0), ANSWER_S).data
            found += page.get("incidents") or []
            if not page.get("more"):
                return found


def _log(run_dir: str) -> list[dict[str, Any]]:
    tail = LogTail()
    lines: list[dict[str, Any]] = []
    with ControlClient(run_dir) as client:
        while tail.more:
            try:
                lines += tail.take(client.request(tail.request(), ANSWER_S).data)
            except MalformedMessage:
                break
    return lines
