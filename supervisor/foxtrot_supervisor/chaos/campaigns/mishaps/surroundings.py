"""Mishaps of group C: descriptors, directories, room, limits and signals as a process finds them."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Final

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.chaos.harness.early_interrupt import INTERRUPTED
from foxtrot_supervisor.chaos.harness.place import LIMIT_S, Place, Skipped, is_root, pids, sim
from foxtrot_supervisor.system.interpreter import python_command

__all__ = ["SCENARIOS"]

_CLOSINGS = ("<&-", ">&-", "2>&-")

_IGNORE_SIGNALS = """
import os, signal, sys
for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
    signal.signal(number, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])
"""

_BLOCK_SIGNALS = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD})
os.execv(sys.argv[1], sys.argv[1:])
"""


def _shell(words: str) -> list[str]:
    """A prefix that does `words` in a shell, where ``"$@"`` is the command."""
    return ["sh", "-c", words, "sh"]


def streams_closed_check(place: Place) -> None:
    """Every combination of closed standard streams."""
    place.configure(sim())
    for count in range(1, 4):
        for closed in itertools.combinations(_CLOSINGS, count):
            code = place.command("check", prefix=_shell(f'exec "$@" {" ".join(closed)}')).code
            place.expect(code == 0, f"check {' '.join(closed)}: exit code 0, not {code}")


def streams_closed_start(place: Place) -> None:
    """Without all three."""
    run = place.start(prefix=_shell(f'exec "$@" {" ".join(_CLOSINGS)}'))
    place.serving(run)
    opened = {os.readlink(f"/proc/{run.process.pid}/fd/{number}") for number in range(3)}
    place.expect(opened == {"/dev/null"}, f"the null device stands in for all three, not {opened}")
    place.stop(run)


def working_directory_removed(place: Place) -> None:
    """Start, replace a worker, ask and stop where no directory is."""
    gone = place.folder / "gone"
    gone.mkdir()
    run = place.start(prefix=_shell(f'rmdir {gone}; exec "$@"'), cwd=gone, supervisor={"start_method": "spawn"})
    before = place.serving(run)
    for pid in pids(before):
        os.kill(pid, signal.SIGKILL)
    place.serving(run, before)
    gone.mkdir()
    asked = place.ask("status", cwd=gone, prefix=_shell(f'rmdir {gone}; exec "$@"'))
    place.expect(asked.code == 0, f"status: exit code 0, not {asked.code}: {asked.err}")
    place.stop(run)


def _on_tmpfs(options: str, fill: bool = False) -> list[str]:
    """A prefix that mounts a file system at ``small``, in a mount namespace of its own."""
    script = f"mount -t tmpfs -o {options} none small || exit 99; mkdir -m 700 small/run; "
    script += "head -c 8192 /dev/zero > small/fill 2> /dev/null; " if fill else ""
    return ["unshare", "-m", *_shell(script + 'exec "$@"')]


def _mounts(place: Place) -> None:
    small = place.folder / "small"
    small.mkdir()
    if not is_root():
        raise Skipped("mounts a file system: needs root")
    done = subprocess.run([*_on_tmpfs("size=1m"), "true"], cwd=place.folder, capture_output=True, check=False)
    if done.returncode:
        raise Skipped(f"no file system can be mounted here: {done.stderr.decode().strip()}")


def no_room_at_start(place: Place) -> None:
    """No inodes for the lock or the sockets, no block for the lock's content."""
    _mounts(place)
    small = place.folder / "small" / "run"
    for options, fill in (("size=64k,nr_inodes=2", False), ("size=64k,nr_inodes=3", False), ("size=8k", True)):
        done = place.command("start", "--run-dir", small, prefix=_on_tmpfs(options, fill))
        last = done.err.splitlines()[-1:]
        place.expect(done.code == SupervisorExit.START_FAILED, f"{options}: exit code 3, not {done.code}")
        place.expect((last and f"{small}: its" in last[0]) or "cannot be set up" in "".join(last), f"path in {last}")
        place.expect("No space left on device" in "".join(last), f"the reason is in {last}")
        place.expect("Traceback" not in done.err, "no traceback")


def no_room_for_ring(place: Place) -> None:
    """A file system that is smaller than a ring."""
    _mounts(place)
    run = place.start(
        supervisor={"run_dir": str(place.folder / "small" / "run")}, prefix=_on_tmpfs("size=2m"), cwd=place.folder
    )
    place.wait(lambda: run.log.lines("ring_refused"), LIMIT_S, "the refusal of the ring")
    reason = run.log.lines("ring_refused")[0]["reason"]
    place.expect("ring-sim.a-" in reason and "No space left on device" in reason, f"path and reason are in {reason}")
    place.wait(lambda: run.log.lines("worker_state", state="BACKOFF"), LIMIT_S, "BACKOFF")
    place.expect(not run.log.lines("worker_state", state="FATAL"), "nothing is FATAL")
    place.stop(run)


def few_descriptors(place: Place) -> None:
    """Less than the supervisor needs."""
    for most in (10, 16, 24):
        done = place.command("start", "--run-dir", place.run_dir, prefix=_shell(f'ulimit -n {most}; exec "$@"'))
        place.expect(done.code == SupervisorExit.START_FAILED, f"{most}: exit code 3, not {done.code}")
        said = f"too few open files are allowed: {most}"
        place.expect(said in done.err.splitlines()[-1:][0] if done.err else "", f"{said!r} is the last line")
        place.expect(not place.run_dir.exists(), "nothing is left")


def signals_ignored(place: Place) -> None:
    """Exit codes must be seen though SIGCHLD was ignored."""
    wrong = place.handler("def setup(engine):\n    raise ValueError('no key')\n")
    run = place.start(engine=wrong, prefix=[sys.executable, "-I", "-c", _IGNORE_SIGNALS])
    place.ends(run, SupervisorExit.START_FAILED)
    begun = run.log.lines("worker_state", worker="engine", state="STARTING")
    place.expect(len(begun) == 1, f"the engine is started once, not {len(begun)} times")


def signals_blocked(place: Place) -> None:
    """SIGTERM must stop it though the mask said otherwise."""
    run = place.start(prefix=[sys.executable, "-I", "-c", _BLOCK_SIGNALS])
    place.serving(run)
    place.stop(run)


def early_interrupt(place: Place) -> None:
    """Ctrl-C while the command imports, and a little later."""
    for words in (["check"], ["status"], ["start"]):
        for delay_s in (0.0, 0.05, 0.3, 0.8):
            place.configure(sim())
            command = python_command("-c", INTERRUPTED, *words, "-c", str(place.config), str(delay_s))
            done = subprocess.run(command, cwd=place.folder, capture_output=True, timeout=LIMIT_S, check=False)
            code = done.returncode
            place.expect(b"Traceback" not in done.stderr, f"{words[0]}: no traceback after {delay_s} s")
            place.expect(code in (0, 3, 130), f"{words[0]}: exit code 130 after {delay_s} s, not {code}")
            place.expect(not place.run_dir.exists(), "no run directory is left")


SCENARIOS: Final[dict[str, Callable[[Place], None]]] = {
    "streams_closed_check": streams_closed_check,
    "streams_closed_start": streams_closed_start,
    "working_directory_removed": working_directory_removed,
    "no_room_at_start": no_room_at_start,
    "no_room_for_ring": no_room_for_ring,
    "few_descriptors": few_descriptors,
    "signals_ignored": signals_ignored,
    "signals_blocked": signals_blocked,
    "early_interrupt": early_interrupt,
}
