"""Mishaps of group B: what is written finds no reader and no room."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import subprocess
import termios
from collections.abc import Callable, Iterator
from typing import Any, Final

from foxtrot_supervisor.chaos.harness.place import LIMIT_S, Place, Skipped, is_root, pids, sim
from foxtrot_supervisor.chaos.harness.supervised_run import SupervisedRun

__all__ = ["SCENARIOS"]

_PRINTS = """
import sys
def setup(engine):
    def show(event):
        print("trade", event.data.price, "x" * 2000)
        print("trade", event.data.price, file=sys.stderr)
    engine.register("eMarketTrade.", show)
"""

_SMALL_PIPE_BYTES = 4096


def _goes_on(place: Place, run: SupervisedRun) -> dict[str, Any]:
    """Kill engine and workers; they have to be replaced. Return the status after it."""
    before = place.serving(run)
    for pid in pids(before):
        os.kill(pid, signal.SIGKILL)
    after = place.serving(run, before)
    place.expect(place.ask("status").code == 0, "status is answered")
    return after


def output_unread(place: Place) -> None:
    """A full pipe."""
    with _pipe() as (_, writer):
        run = place.start(engine=place.handler(_PRINTS), stdout=writer, stderr=writer)
        _goes_on(place, run)
        place.stop(run)


def output_broken(place: Place) -> None:
    """A pipe whose reading end is closed."""
    with _pipe() as (reader, writer):
        run = place.start(engine=place.handler(_PRINTS), stdout=writer, stderr=writer)
        place.serving(run)
        os.close(reader)
        _lines_are_counted(place, _goes_on(place, run))
        place.stop(run)


def output_full(place: Place) -> None:
    """A device that is always full."""
    with open("/dev/full", "wb") as full:
        run = place.start(engine=place.handler(_PRINTS), stdout=full, stderr=full)
        _lines_are_counted(place, _goes_on(place, run))
        place.stop(run)


def log_disk_full(place: Place) -> None:
    """A small file system of its own for the log alone."""
    if not is_root():
        raise Skipped("mounts a file system: needs root")
    small = place.folder / "small"
    small.mkdir()
    script = f'mount -t tmpfs -o size=8k none {small} || exit 99; exec "$@" > {small}/log 2>&1'
    if subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", "true"], check=False).returncode:
        raise Skipped("no file system can be mounted here")
    run = place.start(engine=place.handler(_PRINTS), prefix=["unshare", "-m", "sh", "-c", script, "sh"])
    _lines_are_counted(place, _goes_on(place, run))
    place.stop(run)


def _lines_are_counted(place: Place, status: dict[str, Any]) -> None:
    dropped = status["supervisor"].get("log_dropped_total")
    place.expect(dropped, f"log_dropped_total counts the lines, not {dropped}")


def terminal_stopped(place: Place) -> None:
    """The live view on a terminal that is stopped, and then closed."""
    ours, theirs = pty.openpty()
    run = place.start(
        options=["--log-format", "console"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        prefix=["setsid", "--ctty"],
        start_new_session=False,
    )
    os.close(theirs)
    try:
        before = place.serving(run)
        termios.tcflow(ours, termios.TCOOFF)
        os.kill(before["workers"][0]["pid"], signal.SIGKILL)
        place.wait(
            lambda: place.serving(run)["workers"][0]["pid"] != before["workers"][0]["pid"], LIMIT_S, "another worker"
        )
    finally:
        os.close(ours)
    place.ends(run, 0)


def command_output_broken(place: Place) -> None:
    """Commands whose reader has gone."""
    run = place.start(sim())
    place.serving(run)
    with _pipe() as (reader, writer):
        os.close(reader)
        for word in ("status", "events", "top", "stop"):
            code = place.ask(word, stdout=writer, stderr=writer).code
            place.expect(code == 0, f"{word}: exit code 0, not {code}")
    place.ends(run, 0)


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    """A pipe that is soon full; both ends are closed at the end."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _SMALL_PIPE_BYTES)
    try:
        yield reader, writer
    finally:
        for descriptor in (reader, writer):
            with contextlib.suppress(OSError):
                os.close(descriptor)


SCENARIOS: Final[dict[str, Callable[[Place], None]]] = {
    "output_unread": output_unread,
    "output_broken": output_broken,
    "output_full": output_full,
    "log_disk_full": log_disk_full,
    "terminal_stopped": terminal_stopped,
    "command_output_broken": command_output_broken,
}
