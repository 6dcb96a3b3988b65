"""Start target of the service that writes crash bundles (`[supervisor] bundles`).

A client of the run like any other: it learns of deaths from the incidents, and reads files. The supervisor waits for
nothing of it. It keeps each ring mapped while its worker lives, so the last events are there when the engine has
removed the file, and it removes the frames rings of dead workers that no recorder reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Heartbeat, Stop, ToChild
from foxtrot_protocol.control import IncidentsRequest, Request, StatusRequest
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.frames_layout import FRAMES_DIRECTORY, frames_name
from foxtrot_protocol.spec import BundleSettings, decode_settings
from foxtrot_supervisor.bundles import evidence
from foxtrot_supervisor.bundles.archive import SUFFIX, Member, kept_bundles, prune, write_bundle
from foxtrot_supervisor.bundles.cases import Case, Cases
from foxtrot_supervisor.client.async_control import AsyncControlClient
from foxtrot_supervisor.client.log_tail import LogTail
from foxtrot_supervisor.client.ring_files import RingFile, RingName, list_rings
from foxtrot_supervisor.client.trust import NotRunning, NotTrusted
from foxtrot_supervisor.recording.frames_reader import FramesReader

__all__ = ["ANSWER_S", "FRAMES_KEPT_S", "LOG_LINES_MAX", "LOOK_S", "RINGS_HELD_MAX", "default_directory", "run"]

LOOK_S: Final = 0.5
"""Seconds between two looks at the run."""

ANSWER_S: Final = 5.0
"""Longest wait for an answer of the supervisor."""

FRAMES_KEPT_S: Final = 10.0
"""The frames ring of a dead worker is kept for so long, for an incident that may still come."""

RINGS_HELD_MAX: Final = 2_000
"""Rings kept mapped; further workers have bundles without their last events."""

LOG_LINES_MAX: Final = 2_000
"""Lines of the log in a bundle."""

STATUSES_KEPT_MAX: Final = 10_000

PROBLEM_CHARS_MAX: Final = 300


async def run(context: ChildContext) -> int:
    """Write bundles until stopped."""
    settings = decode_settings(context.spec.settings, BundleSettings)
    stopped = asyncio.Event()

    def on_command(command: ToChild) -> None:
        if isinstance(command, Stop):
            stopped.set()

    context.on_command(on_command)
    directory = settings.directory or default_directory(os.environ)
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
    except OSError as error:
        reason = f"{directory}: {error.strerror}"
        context.log.error("bundles_unusable", reason=reason)
        context.failed(reason)
        return ChildExit.CONFIGURATION
    bundler = _Bundler(context, directory, settings.bundles)
    context.heartbeat_from(bundler.fill)
    context.ready()
    try:
        while not stopped.is_set():
            await bundler.look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), LOOK_S)
        await bundler.look(last=True)
    finally:
        bundler.close()
    return ChildExit.CLEAN


def default_directory(environment: Mapping[str, str]) -> str:
    """Return where bundles are kept unless a directory is configured."""
    base = environment.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.local/state")
    return os.path.join(base, "foxtrot", "bundles")


class _Bundler:
    def __init__(self, context: ChildContext, directory: str, count_max: int) -> None:
        self._context = context
        self._directory = directory
        self._count_max = count_max
        self._run_dir = context.spec.run_dir
        self._client = AsyncControlClient(self._run_dir)
        self._cases = Cases()
        self._after = 0
        self._rings: dict[tuple[str, int], RingFile] = {}
        self._statuses: dict[tuple[str, int], Mapping[str, Any]] = {}
        """Latest status of each incarnation: its counters, once it is dead."""
        self._dead_since: dict[tuple[str, int], float] = {}
        """Frames rings whose workers are gone, and since when that is known."""
        kept = kept_bundles(directory)
        self._counts = {
            "bundles_total": 0,
            "failures_total": 0,
            "kept": len(kept),
            "kept_bytes": sum(each.size for each in kept),
        }
        self._latest: deque[str] = deque(maxlen=5)
        self._problem = ""

    def fill(self, heartbeat: Heartbeat) -> Heartbeat:
        """Return `heartbeat` with the counts, the latest bundles and the latest problem."""
        return msgspec.structs.replace(
            heartbeat, counts=dict(self._counts), problem=self._problem, recent=list(self._latest)
        )

    async def look(self, *, last: bool = False) -> None:
        """Look once at rings, incidents and frames; `last`: make what waits now, and leave no frames behind."""
        self._hold_rings()
        status = await self._ask(StatusRequest())
        if status is not None:
            self._remember(status)
        while (page := await self._ask(IncidentsRequest(self._after))) is not None and page["incidents"]:
            self._after = page["incidents"][-1]["seq"]
            self._cases.look(page["incidents"], time.monotonic())
        for case in self._cases.due(float("inf") if last else time.monotonic()):
            await self._make(case)
        await asyncio.to_thread(self._drop_frames, 0.0 if last else FRAMES_KEPT_S)

    def close(self) -> None:
        """Close everything."""
        self._client.close()
        for ring in self._rings.values():
            ring.close()

    # ---- one bundle

    async def _make(self, case: Case) -> None:
        log = await self._log_of(case.worker)
        ring = self._rings.pop((case.worker, case.incarnation), None)
        status = self._statuses.get((case.worker, case.incarnation))
        try:
            path, size, kept = await asyncio.to_thread(self._write, case, log, ring, status)
        except OSError as error:
            self._counts["failures_total"] += 1
            self._problem = f"{self._directory}: {error.strerror or error}"[:PROBLEM_CHARS_MAX]
            self._context.log.error("bundle_failed", worker=case.worker, reason=self._problem)
            return
        finally:
            if ring is not None:
                ring.close()
        self._counts["bundles_total"] += 1
        self._counts["kept"], self._counts["kept_bytes"] = kept
        self._latest.append(f"{case.worker}#{case.incarnation}: {path}")
        self._context.log.warning("bundle_made", worker=case.worker, path=path, size_bytes=size)

    def _write(
        self, case: Case, log: list[dict[str, Any]], ring: RingFile | None, status: Mapping[str, Any] | None
    ) -> tuple[str, int, tuple[int, int]]:
        """Write a bundle; return its path and size, and number and bytes of those that are kept."""
        members: list[Member | None] = [
            evidence.frames_member(self._run_dir, case.worker, case.incarnation),
            None if ring is None else evidence.events_member(ring, case.worker, case.incarnation),
            evidence.stacks_member(log),
            evidence.log_member(log),
            evidence.json_member("status.json", status, "its last figures") if status is not None else None,
            evidence.configuration_member(self._run_dir),
            evidence.versions_member(),
        ]
        there = [member for member in members if member is not None]
        facts = {
            "bundle": "crash",
            "worker": case.worker,
            "incarnation": case.incarnation,
            "connection": case.connection,
            "exchange": case.exchange,
            "kind": case.kind,
            "cause": case.cause,
            "at_ns": case.at_ns,
            "run_id": self._context.spec.run_id,
            **case.details,
        }
        at = datetime.datetime.fromtimestamp(case.at_ns / 1e9, datetime.UTC)
        name = f"{at:%Y%m%dT%H%M%S}-{case.worker}-{case.incarnation}{SUFFIX}"
        path = os.path.join(self._directory, name)
        size = write_bundle(path, [evidence.manifest_member(facts, there), *there])
        kept = prune(self._directory, self._count_max)
        return path, size, (len(kept), sum(each.size for each in kept))

    async def _log_of(self, worker: str) -> list[dict[str, Any]]:
        tail = LogTail(worker)
        lines: deque[dict[str, Any]] = deque(maxlen=LOG_LINES_MAX)
        while tail.more:
            answer = await self._ask(tail.request())
            if answer is None:
                break
            try:
                lines.extend(tail.take(answer))
            except MalformedMessage:
                break
        return list(lines)

    # ---- what is kept for bundles that may come

    def _hold_rings(self) -> None:
        """Map the rings of new workers."""
        try:
            names = list_rings(self._run_dir)
        except OSError:
            return  # the directory is removed, or being made again
        present = {(name.worker, name.incarnation) for name in names}
        for worker, incarnation in present:
            if (worker, incarnation) not in self._rings and len(self._rings) < RINGS_HELD_MAX:
                with contextlib.suppress(OSError, MalformedMessage):
                    self._rings[worker, incarnation] = RingFile(self._run_dir, RingName(worker, incarnation))
        newest: dict[str, int] = {}
        for worker, incarnation in self._rings:
            newest[worker] = max(newest.get(worker, 0), incarnation)
        for key in list(self._rings):
            # the one before may be asked for yet
            if key not in present and key[1] < newest[key[0]] - 1 and not self._cases.is_waiting(*key):
                self._rings.pop(key).close()

    def _remember(self, status: Mapping[str, Any]) -> None:
        for row in (status.get("engine") or {}, *(status.get("workers") or ())):
            if row.get("pid") is not None:
                self._statuses.pop((row["name"], row["incarnation"]), None)
                self._statuses[row["name"], row["incarnation"]] = row
        while len(self._statuses) > STATUSES_KEPT_MAX:
            del self._statuses[next(iter(self._statuses))]

    def _drop_frames(self, kept_s: float) -> None:
        """Remove frames rings whose workers have been dead for `kept_s` seconds, and that no recorder reads."""
        directory = os.path.join(self._run_dir, FRAMES_DIRECTORY)
        now = time.monotonic()
        present = set(evidence.kept_frames(self._run_dir))
        for key in [key for key in self._dead_since if key not in present]:
            del self._dead_since[key]
        for worker, incarnation in present:
            key = (worker, incarnation)
            if key not in self._dead_since and self._is_left(directory, worker, incarnation):
                self._dead_since[key] = now
            since = self._dead_since.get(key)
            if since is not None and now - since >= kept_s and not self._cases.is_waiting(*key):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(directory, frames_name(worker, incarnation)))
        if not kept_s:
            with contextlib.suppress(OSError):  # there are others in it, or there is none
                os.rmdir(directory)

    def _is_left(self, directory: str, worker: str, incarnation: int) -> bool:
        """Whether a frames ring is ours to remove: its worker is gone, and no recorder reads it."""
        try:
            reader = FramesReader.open(directory, worker, incarnation)
        except (OSError, MalformedMessage):
            return False
        try:
            return not reader.identity.recorded and reader.is_ended()
        finally:
            reader.close()

    async def _ask(self, request: Request) -> dict[str, Any] | None:
        """Return the supervisor's answer, None if it does not answer."""
        try:
            reply = await self._client.request(request, ANSWER_S)
        except (TimeoutError, NotRunning, NotTrusted, MalformedMessage):
            return None
        return None if reply.error else reply.data
