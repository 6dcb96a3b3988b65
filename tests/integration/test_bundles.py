"""Crash bundles of real processes: a crash planted in an adapter is reproduced from the file; `doctor --bundle`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import Run, Simulated, run_program
from tests.support.waiting import wait_until

CONFIGURATION = """
[supervisor]
run_dir = "RUN_DIR"
bundles = 2
bundles_directory = "bundles"
restart_intensity = 3
backoff_s = 0.05
[[connections]]
name = "healthy"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
"""

FAULTY = """
[[connections]]
name = "broken"
exchange = "planted"
channels = ["trade"]
symbols = ["BTCUSDT"]
url = "{url}"
rest_url = "{rest_url}"
essential = false
"""


ADAPTER = """
from foxtrot_workers.exchanges.binance.variants import Sim

class Planted(Sim):
    name = "planted"

    def parse(self, frame, receive_ns, out):
        super().parse(frame, receive_ns, out)
        for event in out:
            if getattr(event, "trade_id", "").endswith("7"):
                raise ZeroDivisionError(f"planted at trade {event.trade_id}")
"""


def install(folder: Path) -> Path:
    """Make `folder` a place on the module search path that offers the exchange ``planted``."""
    information = folder / "planted_exchange-1.0.dist-info"
    information.mkdir(parents=True)
    (folder / "planted_exchange.py").write_text(ADAPTER)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: planted-exchange\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[foxtrot.exchanges]\nplanted = planted_exchange:Planted\n")
    return folder


def bundles_of(folder: Path, worker: str) -> list[Path]:
    return sorted((folder / "bundles").glob(f"*-{worker}-*.foxtrot.zip"))


def content(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def service_of(run: Run) -> dict[str, Any]:
    status = run.status() or {"services": []}
    return next((each for each in status["services"] if each["name"] == "bundles"), {"counts": {}})


def test_a_crash_planted_in_an_adapter_is_reproduced_from_its_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = install(tmp_path / "installed")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    with contextlib.closing(Simulated(tmp_path, "--symbols", "BTCUSDT", "--exchange", "binance")) as simulated:
        configuration = CONFIGURATION + FAULTY.format(url=simulated.url, rest_url=simulated.rest_url)
        with contextlib.closing(Run(tmp_path, configuration)) as run:
            wait_until(lambda: service_of(run)["counts"].get("bundles_total", 0) >= 2, 60, "two bundles")
            wait_until(lambda: len(bundles_of(tmp_path, "broken.a")) == 2, 30, "as many are kept as are configured")
            assert "bundles/" in str(service_of(run)["recent"])
            lines = run_program("incidents", "--json", "--run-dir", run.run_dir).stdout.splitlines()
            made = [each for each in map(json.loads, lines) if each["kind"] == "bundle"]
            assert {each["worker"] for each in made} == {"broken.a"}
            assert Path(made[0]["cause"]).name.endswith(".foxtrot.zip")
            assert run.stop() == 0
        assert "bundle_made" in run.err.read_text()
    path = bundles_of(tmp_path, "broken.a")[-1]
    files = content(path)
    manifest = json.loads(files["manifest.json"])
    assert manifest["worker"] == "broken.a"
    assert "ZeroDivisionError: planted at trade" in manifest["cause"]
    assert "Traceback" in files["stacks.txt"]
    assert "child_crashed" in files["log.txt"]
    assert json.loads(files["configuration.json"])["supervisor"]["bundles"] == 2
    assert json.loads(files["versions.json"])["packages"]["msgspec"]
    assert set(manifest["contents"]) == set(files) - {"manifest.json"}
    done = run_program("replay", str(path))
    assert done.returncode == 1
    raised = re.search(r"ZeroDivisionError: planted at trade \d+", manifest["cause"])
    assert raised is not None
    assert f"the parser raised {raised[0]}\n" in done.stdout
    assert "planted_exchange.py" in done.stdout
    guilty = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("    {")))
    assert str(guilty["data"]["t"]).endswith("7")


def test_a_killed_worker_leaves_its_last_events_and_frames(tmp_path: Path) -> None:
    with contextlib.closing(Run(tmp_path, CONFIGURATION)) as run:
        worker = run.running()["workers"][0]
        wait_until(lambda: run.running()["workers"][0]["events_total"] > 20, 30, "events")
        wait_until(lambda: service_of(run)["counts"].get("kept") == 0, 30, "the service")
        os.kill(worker["pid"], signal.SIGKILL)
        wait_until(lambda: len(bundles_of(tmp_path, "healthy.a")) == 1, 30, "a bundle")
        report = run_program("doctor", "--bundle", tmp_path / "report.zip", "--run-dir", run.run_dir)
        assert report.returncode in (0, 8)
        frames = run.run_dir / "frames"
        assert frames.is_dir()
        assert run.stop() == 0
        assert not run.run_dir.exists()
    files = content(bundles_of(tmp_path, "healthy.a")[0])
    manifest = json.loads(files["manifest.json"])
    assert (manifest["signal"], manifest["incarnation"]) == (9, worker["incarnation"])
    events = [json.loads(line) for line in files[f"events-healthy.a-{worker['incarnation']}.jsonl"].splitlines()]
    assert len([event for event in events if event["kind"] == "trade"]) > 10
    recorded = files[f"frames/sim/healthy.a-{worker['incarnation']}.jsonl"].splitlines()
    assert len(recorded) > 10
    assert json.loads(files["status.json"])["events_total"] >= 0
    done = run_program("replay", bundles_of(tmp_path, "healthy.a")[0])
    assert (done.returncode, "no crash" in done.stdout) == (0, True)
    living = content(tmp_path / "report.zip")
    assert {"status.json", "diagnosis.json", "incidents.json", "log.txt", "versions.json"} <= set(living)
    assert any(name.startswith("frames/sim/healthy.a-") for name in living)
    assert all(name in report.stderr for name in living)
    assert run_program("replay", tmp_path / "report.zip").returncode == 0
