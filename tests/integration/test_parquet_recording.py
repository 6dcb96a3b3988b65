"""The event recorder with real processes: what DuckDB reads back equals the exchange's ledger, whatever is killed."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow", reason="needs pyarrow")
pytest.importorskip("duckdb", reason="needs duckdb")

from foxtrot_protocol.control import IncidentsRequest
from foxtrot_supervisor.config.schema import RingConfig, SinkConfig
from foxtrot_supervisor.tables.query import opened
from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.support.delivery_run import DeliveryRun
from tests.support.fused_recorder import FUSE
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(110)

SYMBOLS = ["BTCUSDT"]
LIMIT_S = 60.0
SINK = "sink-rec"
RECORDER = "tests.support.fused_recorder:run"

Scene = Callable[[DeliveryRun, SimulatedExchange, "Recording"], None]


class Recording:
    """The directory of the recorder, its configuration, and what DuckDB reads there."""

    def __init__(self, folder: Path, directory: Path, spool_mib: int) -> None:
        self.directory = directory
        self.config = SinkConfig(
            name="rec",
            kind="parquet",
            spool_mib=spool_mib,
            spool_directory=str(folder / "spool"),
            options={"directory": str(directory), "publish_rows": 1000, "publish_s": 1.0, "min_free_mib": 0},
        )

    def read(self, statement: str) -> list[tuple[str | None, ...]]:
        with opened(str(self.directory)) as query:
            return list(query.texts(statement).rows)

    def published(self) -> set[str]:
        """Return the publications that have trades."""
        return {path.name for path in self.directory.glob("**/kind=trade/**/*.parquet")}

    def publishes(self, times: int = 1) -> None:
        """Wait for further publications."""
        before = len(self.published())
        wait_until(lambda: len(self.published()) >= before + times, LIMIT_S, f"{times} more publications")

    def set_fuse(self, moment: str) -> None:
        """Let the recorder die at that moment of its next publication."""
        fuse = self.directory.parent / FUSE
        fuse.with_suffix(".new").write_text(moment)
        fuse.with_suffix(".new").rename(fuse)

    def trades(self) -> list[int]:
        return [int(row[0] or 0) for row in self.read("select trade_id from trades order by row")]

    def gaps(self) -> list[tuple[str | None, ...]]:
        return self.read("select stream, first_id, last_id, cause from gaps where not filled order by row")


def play(
    folder: Path, scene: Scene, *, directory: Path | None = None, spool_mib: int = 64, rate_per_s: float, **options: Any
) -> None:
    """Run `scene` in a thread while the simulated exchange runs in the loop."""

    async def main() -> None:
        async with SimulatedExchange(SYMBOLS, rate_per_s=rate_per_s) as sim:

            def body() -> None:
                recording = Recording(folder, directory or folder / "rec", spool_mib)
                with DeliveryRun(folder, sim, SYMBOLS, sinks=[recording.config], sink=RECORDER, **options) as run:
                    scene(run, sim, recording)

            await asyncio.to_thread(body)

    asyncio.run(main())


def stopped(run: DeliveryRun) -> None:
    outcome = run.supervisor.stop(timeout_s=60.0)
    assert (outcome["exit_code"], outcome["audit"]["clean"]) == (0, True)


def check_ledger(run: DeliveryRun, sim: SimulatedExchange, recording: Recording) -> None:
    """0 missing, 0 double: the recording has exactly what the exchange has sent from the first trade to the last."""
    trades = recording.trades()
    sent: set[int] = set()
    for record in sim.ledger.connections():
        sent.update(sim.ledger.sent(record.number, "btcusdt@trade"))
    first, last = trades[0], trades[-1]
    assert sorted(trades) == [number for number in sorted(sent) if first <= number <= last]
    assert sorted(trades) == sorted({each.trade_id for each in run.handled(SYMBOLS[0])})
    ((rows, numbers, keys),) = recording.read("select count(*), count(distinct row), count(distinct key) from events")
    assert rows == numbers == keys
    assert list((recording.directory / ".foxtrot").rglob("*.part")) == []


@pytest.mark.parametrize(
    ("kills", "rate_per_s"),
    [
        (["sink-rec committed", "btcusdt.a", "engine", "sink-rec published"], 1000.0),
        pytest.param(
            [
                "sink-rec",
                "btcusdt.a",
                "sink-rec writing",
                "sink-rec published",
                "btcusdt.b",
                "engine",
                "sink-rec committed",
            ]
            * 2,
            2000.0,
            marks=pytest.mark.variant,
        ),
    ],
    ids=["few", "many"],
)
def test_whatever_is_killed_the_recording_equals_the_ledger(
    tmp_path: Path, kills: list[str], rate_per_s: float
) -> None:
    """Killed at any moment, the recorder also at chosen ones of a publication."""
    chance = random.Random(len(kills))

    def scene(run: DeliveryRun, sim: SimulatedExchange, recording: Recording) -> None:
        for kill in kills:
            name, _, moment = kill.partition(" ")
            pid = run.supervisor.child(name)["pid"]
            if moment:
                recording.set_fuse(moment)
            else:
                run.more(SYMBOLS[0], chance.randrange(20, 400))
                run.kill(name)
            run.replaced(name, pid)
        run.more(SYMBOLS[0], 100)
        stopped(run)
        assert recording.gaps() == []
        check_ledger(run, sim, recording)

    play(tmp_path, scene, redundancy=2, rate_per_s=rate_per_s)


def fill(place: Path) -> Path:
    """Use all room of a small file system."""
    hog = place / "hog"
    with hog.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return hog


def test_a_full_disk_stops_only_the_recording(tmp_path: Path, small_disk: Path) -> None:
    def scene(run: DeliveryRun, sim: SimulatedExchange, recording: Recording) -> None:
        recording.publishes()
        hog = fill(small_disk)
        problem = wait_until(lambda: run.supervisor.child(SINK)["problem"], LIMIT_S, "the problem")
        assert "the store cannot be used: no room in" in problem
        assert "0 MiB are free" in problem
        recorded = recording.published()
        before = run.supervisor.child("btcusdt.a")
        run.more(SYMBOLS[0], 300)
        assert recording.published() == recorded
        after = run.supervisor.child("btcusdt.a")
        assert (after["pid"], after["dropped_total"]) == (before["pid"], 0)
        hog.unlink()
        wait_until(lambda: not run.supervisor.child(SINK)["problem"], LIMIT_S, "the problem's end")
        incidents = run.supervisor.ask(IncidentsRequest()).data["incidents"]
        assert [each["kind"] for each in incidents if each["worker"] == SINK] == ["service_problem", "service_whole"]
        recording.publishes()
        stopped(run)
        assert recording.gaps() == []
        check_ledger(run, sim, recording)

    play(tmp_path, scene, directory=small_disk / "rec", rate_per_s=1000.0)


@pytest.mark.variant
def test_what_a_full_disk_cost_is_an_exact_gap(tmp_path: Path, small_disk: Path) -> None:
    """The spool is full, then workers overwrite their rings."""

    def scene(run: DeliveryRun, sim: SimulatedExchange, recording: Recording) -> None:
        recording.publishes()
        hog = fill(small_disk)
        wait_until(lambda: "spool is full" in run.supervisor.child(SINK)["problem"], 60.0, "a full spool")
        run.committed_more("btcusdt.a", 15_000)
        hog.unlink()
        wait_until(recording.gaps, LIMIT_S, "a gap")
        recording.publishes()
        stopped(run)
        trades = recording.trades()
        [hole] = [n for n in range(1, len(trades)) if trades[n] != trades[n - 1] + 1]
        missed = trades[hole] - trades[hole - 1] - 1
        lost, identifiers = recording.gaps()
        assert f": {missed} events" in str(lost[3])
        assert identifiers[1:3] == (str(trades[hole - 1] + 1), str(trades[hole] - 1))
        assert len(trades) == len(set(trades))
        assert [each.trade_id for each in run.handled(SYMBOLS[0])] == [*range(trades[0], trades[-1] + 1)]

    play(tmp_path, scene, directory=small_disk / "rec", spool_mib=4, rate_per_s=3000.0, ring=RingConfig(size_mib=1))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    place = tmp_path / "small"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", place], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted: {done.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)
