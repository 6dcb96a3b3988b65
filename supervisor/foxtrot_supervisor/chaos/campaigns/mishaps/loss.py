"""Mishaps of group F: events are lost, or could be, and the account has to say so."""

from __future__ import annotations

import os
import shutil
import signal
import stat
from collections.abc import Callable
from typing import Any, Final

import msgspec

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.chaos.harness.place import LIMIT_S, Place, at

__all__ = ["SCENARIOS"]

_FILES = ("control.ipc", "data.ipc", "events.sock", "lock", "operator.sock", "positions.map")

_PATIENT = {"hung_s": 20.0, "late_s": 10.0}
"""So that the engine is not killed before the mishap has been played."""


def handler_never_returns(place: Place) -> None:
    """The events that it was never given are part of the outcome."""
    engine = place.handler(
        "import time\ndef setup(engine):\n    engine.register('eMarketTrade.', lambda event: time.sleep(1000))\n"
    )
    run = place.start(engine=engine, supervisor={**_PATIENT, "stop_ask_s": 1.0, "stop_term_s": 1.0})

    def waiting() -> int:
        worker = place.worker(run, "sim.a")
        return int(worker.get("committed_total") or 0) - int(worker.get("applied_total") or 0)

    place.wait(lambda: waiting() >= 20, 2 * LIMIT_S, "events that nobody handles")
    least = waiting()
    done = place.ask("stop", "--json", limit_s=2 * LIMIT_S)
    place.expect(done.code == SupervisorExit.KILL_NEEDED, f"stop: exit code 4, not {done.code}")
    unhandled = msgspec.json.decode(done.out)["audit"].get("unhandled") if done.out else None
    place.expect(
        unhandled and unhandled[0]["worker"] == "sim.a" and unhandled[0]["events"] >= least,
        f"the answer tells worker and number (at least {least}): {unhandled}",
    )
    place.ends(run, SupervisorExit.KILL_NEEDED)
    place.expect(run.log.lines("events_left", worker="sim.a"), "the log tells it too")


def run_dir_removed(place: Place) -> None:
    """``rm -rf``, a second start in the same place, and a killed engine."""
    run = place.start()
    before = place.serving(run)
    # as with ``rm -rf``, the directory may be made again, and filled, while it is emptied
    shutil.rmtree(place.run_dir, ignore_errors=True)
    second = place.command("start", "-c", place.config, "--duration", "1")
    place.expect(second.code == SupervisorExit.ALREADY_RUNNING, f"start: exit code 75, not {second.code}")
    place.wait(lambda: all((place.run_dir / name).exists() for name in _FILES), LIMIT_S, "everything to be made again")
    place.expect(stat.S_IMODE(place.run_dir.stat().st_mode) == 0o700, "its mode is 0700")
    place.flows_on(run)
    os.kill(before["engine"]["pid"], signal.SIGKILL)
    place.wait(lambda: _engine(place, run) not in (0, before["engine"]["pid"]), LIMIT_S, "another engine")
    place.serving(run)
    place.stop(run)
    place.expect(run.log.lines("run_dir_lost"), "the log says that it was lost")
    place.expect(not run.log.lines("events_left"), "no event is left unhandled")
    place.expect(not run.log.lines("batches_lost"), "no batch is lost")


def _engine(place: Place, run: Any) -> int:
    return int((place.status(run).get("engine") or {}).get("pid") or 0)


def run_dir_files_removed(place: Place) -> None:
    """One after the other."""
    run = place.start()
    place.serving(run)
    for name in _FILES:
        path = place.run_dir / name
        place.wait(path.exists, LIMIT_S, name)
        path.unlink()
        place.wait(path.exists, LIMIT_S, f"{name} to be made again")
        mode = stat.S_IMODE(path.stat().st_mode)
        place.expect(mode == 0o600, f"{name} has mode 0600, not {mode:o}")
    place.flows_on(run)
    place.stop(run)


def run_dir_occupied(place: Place) -> None:
    """It cannot be made again."""
    run = place.start()
    place.serving(run)
    place.run_dir.rename(place.folder / "moved")
    place.run_dir.write_text("in the way")
    place.wait(lambda: run.ended(0.1), 2 * LIMIT_S, "the end")
    place.expect(place.run_dir.read_text() == "in the way", "the file is left alone")
    place.run_dir.unlink()
    place.ends(run, SupervisorExit.CONFIGURATION)
    place.expect(run.log.lines("run_dir_unusable"), "the log says why")


def engine_killed_with_books(place: Place) -> None:
    """Updates between the death of an engine and the next snapshot."""
    exchange = place.exchange(rate=600.0)
    run = place.start(at(exchange, channels=["trade", "book"]), engine=place.notes())
    place.serving(run)
    place.wait(lambda: len(place.noted("eBook.")) > 10, LIMIT_S, "the book")
    engine = _engine(place, run)
    os.kill(engine, signal.SIGKILL)
    place.wait(lambda: _engine(place, run) not in (0, engine), LIMIT_S, "another engine")
    known = len(place.noted("eBook."))
    place.wait(lambda: len(place.noted("eBook.")) > known + 10, LIMIT_S, "the book again")
    gaps = [(row["first_id"], row["last_id"], row["filled"]) for row in place.noted("eGap.") if row["first_id"]]
    announced = {gap[:2] for gap in gaps if not gap[2]}
    filled = {gap[:2] for gap in gaps if gap[2]}
    place.expect(announced, "the hole is announced with its bounds")
    place.expect(announced <= filled, f"each is called filled: {sorted(announced - filled)}")
    superseded = place.worker(run, "feed.a").get("superseded_total")
    place.expect(superseded, f"superseded_total counts the updates, not {superseded}")
    place.stop(run)


SCENARIOS: Final[dict[str, Callable[[Place], None]]] = {
    "handler_never_returns": handler_never_returns,
    "run_dir_removed": run_dir_removed,
    "run_dir_files_removed": run_dir_files_removed,
    "run_dir_occupied": run_dir_occupied,
    "engine_killed_with_books": engine_killed_with_books,
}
