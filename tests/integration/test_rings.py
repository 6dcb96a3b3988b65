"""Rings of a real run, listed and dumped while it lives and after it was killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil

from foxtrot_protocol.framing import PROTOCOL_VERSION
from tests.support.command_line import LIMIT_S, Run, run_program
from tests.support.waiting import wait_until

CONFIGURATION = """
[supervisor]
run_dir = "RUN_DIR"
hung_s = 60.0
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
"""


def dumped(run_dir: Path) -> list[dict[str, Any]]:
    done = run_program("rings", "--run-dir", run_dir, "--dump", "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_rings_of_a_run_are_dumped_living_and_dead(tmp_path: Path) -> None:
    with contextlib.closing(Run(tmp_path, CONFIGURATION)) as run:
        engine = run.running()["engine"]["pid"]
        started = run.descendants()
        try:
            os.kill(engine, signal.SIGSTOP)
            lines = wait_until(
                lambda: found if len(found := dumped(run.run_dir)) > 3 else None, LIMIT_S, "batches that wait"
            )
            ring, *batches = lines
            assert (ring["worker"], ring["incarnation"], ring["error"]) == ("one.a", 1, "")
            assert ring["committed_events"] > ring["applied_events"]
            assert ring["marks"]["applied"]["sequence"] < batches[0]["sequence"]
            assert {batch["kind"] for batch in batches} == {"batch"}
            sequences = [batch["sequence"] for batch in batches]
            assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
            for batch in batches:
                version, worker, incarnation, sequence, _, events = batch["content"]
                assert (version, worker, incarnation, sequence) == (PROTOCOL_VERSION, "one.a", 1, batch["sequence"])
                assert len(events) == batch["events"]
            kinds = {event[0] for batch in batches for event in batch["content"][5]}
            assert {"trade"} <= kinds <= {"trade", "status"}
            report = json.loads(run_program("rings", "-c", run.config, "--json").stdout)
            assert (report["run_dir"], report["running"]) == (str(run.run_dir), True)
        finally:
            for process in [psutil.Process(run.process.pid), *started]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        run.ends()
        psutil.wait_procs(started, timeout=LIMIT_S)
        ring, *batches = dumped(run.run_dir)
        assert {batch["kind"] for batch in batches} == {"batch"}
        assert [batch["sequence"] for batch in batches][: len(sequences)] == sequences
        report = json.loads(run_program("rings", "--run-dir", run.run_dir, "--json").stdout)
        assert report["running"] is False
