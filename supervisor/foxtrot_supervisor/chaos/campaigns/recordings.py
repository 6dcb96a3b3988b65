"""Kills of the recorder and of recorded workers under load; then the recording is replayed and compared.

The replay goes through adapters, merge and EventEngine as the live run did, and a handler writes the same rows.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any, Final

import structlog

from foxtrot_protocol.segments import Chunk, scan_chunks
from foxtrot_supervisor.chaos.campaigns.delivery_run import SETTINGS, START_S, STOP_S, flows
from foxtrot_supervisor.chaos.harness.ground import Ground
from foxtrot_supervisor.chaos.harness.handled_rows import HandledRows, rows_module
from foxtrot_supervisor.chaos.harness.supervised_run import SupervisedRun, Trouble
from foxtrot_supervisor.chaos.rules.kill_plan import spread_kills
from foxtrot_supervisor.chaos.rules.recording_judge import (
    TAIL_NS,
    RecordingAccount,
    compare_rows,
    judge_recording,
    unpack_rows,
)
from foxtrot_supervisor.chaos.rules.schedule import ChaosOptions, Progress
from foxtrot_supervisor.client.event_stream import is_running
from foxtrot_supervisor.core.services import RECORDER
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.embedding.replaying import open_recordings
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.replay.run import ReplayOptions, replay

__all__ = ["run_recordings"]

PAUSE_S_MAX: Final = 1.0
"""Longest random pause before a kill."""

RECOVERY_S: Final = 20.0

HELLO_S: Final = 120.0
"""Limit for the start of a process, on a machine that is busy with other work."""

SEGMENT_S: Final = 5.0
"""Age at which segments rotate: often."""


def run_recordings(options: ChaosOptions, progress: Progress) -> dict[str, Any]:
    """Kill the recorder and workers `options.recordings` times; return the report."""
    symbols = {f"load{number}": f"LOAD{number}USDT" for number in range(options.workers)}
    with Ground(
        symbols.values(), rate=options.rate_per_s, seed=options.seed, venue=options.venue, transport=options.transport
    ) as ground:
        campaign = _Campaign(ground, symbols, options, progress)
        try:
            campaign.record()
            ground.exchange.close()
            figures = campaign.compare()
        except Trouble as trouble:  # the run was cut off: there is nothing to compare
            campaign.broken.append(str(trouble))
            figures = {}
        report: dict[str, Any] = {"held": not campaign.broken, "broken": campaign.broken, "recordings": figures}
        if campaign.broken:
            report["logs"] = str(ground.keep())
        return report


class _Campaign:
    def __init__(self, ground: Ground, symbols: dict[str, str], options: ChaosOptions, progress: Progress) -> None:
        self._ground = ground
        self._symbols = symbols
        self._options = options
        self._progress = progress
        self._sides = "ab"[: max(1, options.redundancy)]
        self._timed = len(self._sides) == 1
        self._random = random.Random(options.seed)
        self._folder = ground.folder / "recordings"
        self._rows = ground.folder / "handled"
        self.broken: list[str] = []
        self._worker_kills_ns: list[int] = []
        self._recorder_kills = 0

    def record(self) -> None:
        """The live run. Raises `Trouble`."""
        rows = rows_module(str(self._rows), timed=self._timed)
        (self._ground.folder / "chaos_rows.py").write_text(rows, encoding="utf-8")
        run = self._ground.start(
            {},
            self._symbols,
            {**SETTINGS, "start_method": self._options.start_method, "hello_s": HELLO_S, "ready_s": HELLO_S},
            of_each={
                "channels": ["trade", self._ground.venue.quotes, "book"],
                "redundancy": len(self._sides),
                "stale_after_s": 10.0,
                "record": "raw",
            },
            tables={
                "engine": {"handlers": ["chaos_rows:setup"], "numbers": "text", "ticks": "off"},
                "recorder": {"directory": str(self._folder), "segment_mib": 1, "segment_s": SEGMENT_S, "ring_mib": 16},
            },
            follow_events=False,
        )
        try:
            self._await(run, START_S)
            self._kill_all(run)
            run.rest(1.0)
            run.signal(signal.SIGTERM)
            if not run.ended(STOP_S * self._options.patience) or run.process.returncode != 0:
                self.broken.append(f"the stop gave exit code {run.process.returncode}")
            for event in ("recording_unfinished", "events_left"):
                self.broken += [f"{event}: {line}" for line in run.log.lines(event)]
        finally:
            self.broken += [f"left running: {orphan}" for orphan in run.close().found]

    def _kill_all(self, run: SupervisedRun) -> None:
        kills, over_s = self._options.recordings, self._options.over_s
        begin = time.monotonic()
        for number, due in enumerate(spread_kills(kills, over_s, self._random.random), 1):
            run.rest(max(0.0, begin + due - time.monotonic()) if over_s else self._random.random() * PAUSE_S_MAX)
            self._kill(run)
            self._progress("", number, kills)
        run.rest(max(0.0, begin + over_s - time.monotonic()))

    def _await(self, run: SupervisedRun, limit_s: float) -> None:
        limit_s *= self._options.patience

        def all_serve() -> bool:
            if not is_running(str(run.run_dir)):
                return False
            status = run.status()
            recorder = _recorder_of(status)
            return all(map(flows, status["workers"])) and recorder["state"] == "RUNNING"

        run.wait(all_serve, limit_s, "all workers and the recorder to serve")

    def _kill(self, run: SupervisedRun) -> None:
        status = run.status()
        victims = [_recorder_of(status), *status["workers"]]
        # as many kills of the recorder as of all workers together
        victim = victims[0] if self._random.random() < 0.5 else self._random.choice(victims[1:])
        if victim["pid"] is None:
            raise Trouble(f"{victim['name']} has no process to kill")
        os.kill(victim["pid"], signal.SIGKILL)
        if victim["kind"] == "service":
            self._recorder_kills += 1
        else:
            self._worker_kills_ns.append(time.time_ns())
        name, incarnation = victim["name"], victim["incarnation"]
        run.wait(
            lambda: _incarnation_of(run.status(), name) > incarnation,
            RECOVERY_S * self._options.patience,
            f"the next incarnation of {name}",
        )
        self._await(run, RECOVERY_S)

    def compare(self) -> dict[str, Any]:
        """Replay what was recorded and compare; the figures for the report."""
        segments = sorted(self._folder.glob("*/*.zst"))
        chunks, damaged = _index(segments)
        if not chunks:
            self.broken.append("nothing was recorded")
            return {}
        engine = EventEngine()
        path = self._ground.folder / "replayed"
        rows = HandledRows(engine, str(path), timed=self._timed)
        steps = open_recordings([str(self._folder)], None, Targets())
        report = replay(engine, steps, ReplayOptions(numbers="text", ticks=None), log=structlog.get_logger("chaos"))
        rows.close()
        if report.end != "complete":
            self.broken.append(f"the replay ended: {report.end}")
        lost = [each for chunk in chunks for each in chunk.header.lost]
        account = compare_rows(
            list(unpack_rows(self._rows.read_bytes())),
            list(unpack_rows(path.read_bytes())),
            self._worker_kills_ns,
            [(each.after_ns, each.before_ns + TAIL_NS) for each in lost],
        )
        self.broken += judge_recording(account, damaged)
        return _figures(account, segments, chunks) | {
            "recorder_kills": self._recorder_kills,
            "worker_kills": len(self._worker_kills_ns),
            "lost_frames": sum(each.frames or 0 for each in lost),
            "announced_holes": len(lost),
        }


def _recorder_of(status: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in status["services"] if each["name"] == RECORDER)
    return found


def _incarnation_of(status: dict[str, Any], name: str) -> int:
    children = [*status["services"], *status["workers"]]
    return int(next((each["incarnation"] for each in children if each["name"] == name), 0))


def _index(segments: list[Path]) -> tuple[list[Chunk], list[str]]:
    chunks: list[Chunk] = []
    damaged = []
    for path in segments:
        data = path.read_bytes()
        scan = scan_chunks(lambda at, size, data=data: data[at : at + size], len(data))  # type: ignore[misc]
        chunks += scan.chunks
        if scan.problem:
            damaged.append(f"{path.name}: {scan.problem}")
    return chunks, damaged


def _figures(account: RecordingAccount, segments: list[Path], chunks: list[Chunk]) -> dict[str, Any]:
    plain = sum(chunk.header.plain_bytes for chunk in chunks)
    packed = sum(path.stat().st_size for path in segments)
    return {
        "live_events": account.live,
        "replayed_events": account.replayed,
        "missing": account.missing,
        "missing_announced": account.excused,
        "tails": account.tails,
        "extra": account.extra,
        "misordered_streams": account.misordered,
        "streams": account.streams,
        "segments": len(segments),
        "chunks": len(chunks),
        "sessions": len({(each.header.session.worker, each.header.session.started_ns) for each in chunks}),
        "recorded_s": round(
            (max(c.header.last_ns for c in chunks) - min(c.header.first_ns or 1 << 62 for c in chunks)) / 1e9
        ),
        "compression": round(plain / packed, 1),
        "bytes_per_event": round(packed / max(1, account.live)),
    }
