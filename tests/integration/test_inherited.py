"""What a process inherits from whatever started it: signals, the working directory, orphans; and an early Ctrl-C."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.chaos.harness.early_interrupt import INTERRUPTED
from tests.support.command_line import PROGRAM, Run, run_program
from tests.support.waiting import wait_until

LIMIT_S = 40.0

CONFIGURATION = """
[supervisor]
run_dir = "RUN_DIR"
[engine]
handlers = ["my_handler:setup"]
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
"""

BLOCKED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD}
IGNORED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGUSR2}


def deaf() -> None:
    """What a careless parent leaves to its children."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)


@contextlib.contextmanager
def started_by(parent: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything started inside is started by a process that did `parent` first."""
    before = subprocess.Popen

    def popen(*arguments: object, **options: object) -> object:
        return before(*arguments, preexec_fn=parent, **options)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", popen)
        yield


def signal_sets(pid: int) -> dict[str, set[int]]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    masks = {line[:6]: int(line[7:], 16) for line in lines if line.startswith(("SigBlk", "SigIgn"))}
    return {name: {number for number in range(1, 32) if mask >> (number - 1) & 1} for name, mask in masks.items()}


def test_inherited_dispositions_and_masks_are_reset_in_every_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_handler.py").write_text("def setup(engine):\n    pass\n")
    with started_by(deaf, monkeypatch), contextlib.closing(Run(tmp_path, CONFIGURATION)) as run:
        run.running()
        processes = [psutil.Process(run.process.pid), *run.descendants()]
        assert len(processes) >= 5
        by_python = {signal.SIGPIPE, signal.SIGXFSZ}
        for process in processes:
            sets = signal_sets(process.pid)
            assert sets["SigBlk"] == set(), process
            assert sets["SigIgn"] <= by_python | {signal.SIGINT}, process
        run.process.terminate()
        assert run.ends() == SupervisorExit.CLEAN


def test_exit_codes_are_seen_though_sigchld_was_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_handler.py").write_text("def setup(engine):\n    raise ValueError('no key')\n")
    with started_by(deaf, monkeypatch), contextlib.closing(Run(tmp_path, CONFIGURATION)) as run:
        assert run.ends() == SupervisorExit.START_FAILED
        assert run.err.read_text().count('"STARTING"') <= 3  # simulator, nursery, engine: none a second time


HOSTILE = """

with open(os.environ["EXECUTED"], "a") as file:
    file.write(__file__ + "\\n")
raise SystemExit("a file of the working directory was executed")
"""


def test_files_of_the_working_directory_take_no_modules_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executed = tmp_path / "executed"
    monkeypatch.setenv("EXECUTED", str(executed))
    for name in ("socket", "signal", "random", "msgspec", "zmq", "uvloop", "foxtrot_workers", "typing", "threading"):
        (tmp_path / f"{name}.py").write_text(HOSTILE)
    (tmp_path / "my_handler.py").write_text("import socket, signal\ndef setup(engine):\n    socket.socket().close()\n")
    with contextlib.closing(Run(tmp_path, CONFIGURATION)) as run:
        run.running()
        assert run_program("check", "-c", run.config, cwd=tmp_path).returncode == 0
        assert run_program("status", "--run-dir", run.run_dir, cwd=tmp_path).returncode == 0
        assert run_program("doctor", "--run-dir", run.run_dir, cwd=tmp_path).stderr == ""
        assert run.stop() == SupervisorExit.CLEAN
    assert not executed.exists(), executed.read_text()


@pytest.mark.cases(played=2)
@pytest.mark.parametrize("command", ["check", "status", "start", "init -o -", "simulate"])
def test_an_interrupt_in_the_first_second_shows_no_traceback(tmp_path: Path, command: str) -> None:
    for delay_s in ("0.0", "0.05", "0.3", "0.8"):
        done = subprocess.run(
            [sys.executable, "-c", INTERRUPTED, *command.split(), *on(command, tmp_path), delay_s],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=LIMIT_S,
            check=False,
        )
        assert "Traceback" not in done.stderr, (delay_s, done.stderr)
        assert done.returncode in (0, 3, 130), (delay_s, done.returncode, done.stderr)
        assert not (tmp_path / "run").exists()


def on(command: str, folder: Path) -> list[str]:
    return ["--run-dir", str(folder / "run")] if command in ("start", "status") else []


def may_unshare() -> bool:
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    done = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, check=False)
    return done.returncode == 0


def test_as_the_first_process_foreign_orphans_are_reaped_and_are_no_leftovers(tmp_path: Path) -> None:
    if not may_unshare():
        pytest.skip("process namespaces are not permitted here")
    log = tmp_path / "log"
    command = [str(PROGRAM), "start", "--log-format", "json", "--run-dir", str(tmp_path / "run")]
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *command], stderr=stderr, cwd=tmp_path
        ) as outer,
    ):
        try:
            wait_until(lambda: '"RUNNING"' in log.read_text(), LIMIT_S, "a child that serves")
            [first] = psutil.Process(outer.pid).children()
            # as `docker exec` does: orphans that die, and that live, of processes that are not below us
            orphans = "(exec sleep 0.2) & (exec sleep 3600) & exit 0"
            enter = ["nsenter", "--pid", "--target", str(first.pid), "sh", "-c", orphans]
            subprocess.run(enter, check=True, stdout=subprocess.DEVNULL, timeout=LIMIT_S)

            def sleepers() -> list[psutil.Process]:
                found = []
                for child in first.children():
                    with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                        if child.name() == "sleep":
                            found.append(child)
                return found

            wait_until(lambda: len(sleepers()) == 2, LIMIT_S, "the orphans")
            wait_until(lambda: len(sleepers()) == 1, LIMIT_S, "the dead one to be reaped")
            first.terminate()
            assert outer.wait(LIMIT_S) == SupervisorExit.CLEAN, log.read_text()
        finally:
            outer.kill()
    assert '"stray_killed"' not in log.read_text()
    assert '"clean": true' in log.read_text()
