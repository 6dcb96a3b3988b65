"""A run in odd surroundings: it works, or says what is missing with the documented exit code, and leaves nothing."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import PROGRAM, Run, run_program
from tests.support.waiting import wait_until

LIMIT_S = 40.0

CONFIG = """
[supervisor]
run_dir = "RUN_DIR"
start_method = "spawn"
backoff_s = 0.1
backoff_max_s = 0.2
[[connections]]
name = "sim"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
"""

NOBODY = 65534


def start(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), "start", "--log-format", "json", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        **options,
    )


def limited(kind: int, most: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (most, most))


@pytest.mark.cases(played=1)
@pytest.mark.parametrize("most", [10, 16, 24])
def test_very_few_descriptors(most: int, tmp_path: Path) -> None:
    done = start("--run-dir", tmp_path / "run", preexec_fn=limited(resource.RLIMIT_NOFILE, most), cwd=tmp_path)
    assert done.returncode == 3
    assert f"too few open files are allowed: {most}" in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="needs an unprivileged user who can read the program: the limit of processes does not apply to root",
)
def test_very_few_processes(tmp_path: Path) -> None:
    another = ["setpriv", f"--reuid={NOBODY}", "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
    done = subprocess.run(
        [*another, str(PROGRAM), "start", "--run-dir", str(tmp_path / "run")],
        cwd=tmp_path,
        preexec_fn=limited(resource.RLIMIT_NPROC, 8),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "too few processes and threads are allowed" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_interpreter_is_found_where_sys_executable_is_empty(tmp_path: Path) -> None:
    code = f"""
import sys
sys.executable = sys._base_executable = ""
from foxtrot_supervisor.cli.main import main
sys.argv = ["foxtrot-supervisor", "start", "--duration", "20", "--log-format", "json", "--run-dir", "{tmp_path}/run"]
main()
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:

        def running() -> bool:
            done = run_program("status", "--json", "--run-dir", tmp_path / "run")
            return done.returncode == 0 and json.loads(done.stdout)["supervisor"]["state"] == "running"

        wait_until(running, LIMIT_S, "everything to run")
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
    finally:
        process.kill()
        process.wait()


def test_a_working_directory_that_is_removed_stops_no_replacement_and_no_command(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    place = tmp_path / "run"
    config = tmp_path / "foxtrot.toml"
    config.write_text(CONFIG.replace("RUN_DIR", str(place)))
    run = Run(folder, "", "-c", config)
    run.run_dir = place
    try:
        run.running()
        shutil.rmtree(folder)
        (worker,) = run.running()["workers"]
        os.kill(worker["pid"], signal.SIGKILL)

        def replaced() -> bool:
            status = run.status()
            return bool(status) and status["workers"][0]["pid"] != worker["pid"] and _all_run(status)

        wait_until(replaced, LIMIT_S, "another worker")
        run.interrupt()
        assert run.ends() == 0
    finally:
        run.close()


def _all_run(status: dict[str, Any]) -> bool:
    return all(worker["state"] == "RUNNING" for worker in status["workers"])


def test_commands_in_a_removed_working_directory_say_so(tmp_path: Path) -> None:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "gone"
        folder.mkdir()
        program = "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.argv[1], sys.argv[1:])"
        command = [sys.executable, "-c", program, str(PROGRAM), *map(str, arguments)]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)

    place = tmp_path / "run"
    assert run("check").returncode == 0
    relative = run("status", "--run-dir", "run")
    assert (relative.returncode, relative.stderr) == (
        3,
        "run: the working directory has been removed; name an absolute path\n",
    )
    assert run("start", "--duration", "0.1", "--run-dir", place).returncode == 0
    assert not place.exists()


@pytest.mark.cases(played=1)
@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", "<&-", ">&-", "2>&-"])
def test_closed_standard_descriptors(closed: str, tmp_path: Path) -> None:
    config = tmp_path / "foxtrot.toml"
    config.write_text(CONFIG.replace("RUN_DIR", str(tmp_path / "run")))
    check = subprocess.run(["sh", "-c", f"{PROGRAM} check {closed}"], cwd=tmp_path, timeout=LIMIT_S, check=False)
    assert check.returncode == 0
    if closed == "<&- >&- 2>&-":  # the other combinations: tests/protocol/test_standard_streams.py
        command = f"exec {PROGRAM} start {closed}"
        process = subprocess.Popen(["sh", "-c", command], cwd=tmp_path, start_new_session=True)
        try:

            def serves() -> bool:
                done = run_program("status", "--json", "--run-dir", tmp_path / "run")
                return done.returncode == 0 and json.loads(done.stdout)["supervisor"]["state"] == "running"

            wait_until(serves, LIMIT_S, "everything to run")
            assert {os.readlink(f"/proc/{process.pid}/fd/{number}") for number in (0, 1, 2)} == {"/dev/null"}
            process.terminate()
            assert process.wait(LIMIT_S) == 0
        finally:
            process.kill()
            process.wait()


def test_a_name_with_umlauts_on_an_ascii_stream(tmp_path: Path) -> None:
    config = tmp_path / "Köln.toml"
    config.write_text("[supervisor]\nunbekannt_ü = 1\n")
    environ = {**os.environ, "PYTHONIOENCODING": "ascii", "LANG": "C"}
    command = [str(PROGRAM), "check", "-c", str(config)]
    done = subprocess.run(command, env=environ, capture_output=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 78
    assert b"is not TOML" in done.stderr
    done = subprocess.run([*command, "--json"], env=environ, capture_output=True, timeout=LIMIT_S, check=False)
    assert json.loads(done.stdout)["file"].endswith("Köln.toml")


def test_paths_that_are_no_text(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/odd-\xff"
    os.mkdir(odd, 0o700)

    def run(*arguments: object) -> subprocess.CompletedProcess[bytes]:
        command = [os.fsencode(PROGRAM), *(os.fsencode(str(each)) for each in arguments)]
        return subprocess.run(command, cwd=odd, capture_output=True, timeout=LIMIT_S, check=False)

    assert run("init").returncode == 0
    assert json.loads(run("check", "--json").stdout)["file"] == os.fsdecode(odd) + "/foxtrot.toml"
    refused = run("start", "--run-dir", os.fsdecode(odd))
    assert (refused.returncode, b"its path is not valid UTF-8" in refused.stderr) == (78, True)
    assert run("status", "--run-dir", os.fsdecode(odd)).returncode == 3
    config = CONFIG.replace("RUN_DIR", str(tmp_path / "run"))
    with open(odd + b"/foxtrot.toml", "w") as file:  # found there, and named in the run directory
        file.write(config)
    assert run("start", "--duration", "0.1").returncode == 0


EMBEDDED = """
import os, resource, sys
for number in (0, 1, 2): os.close(number)
sys.stdin = sys.stdout = sys.stderr = None
from foxtrot_supervisor import Supervisor, SupervisorFailed
answer = os.open("answer", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)  # one of the numbers that are free
with Supervisor(run_dir=os.getcwd() + "/run") as supervisor:
    supervisor.wait_ready(60)
    os.write(answer, b"ready ")
resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
try:
    Supervisor(run_dir=os.getcwd() + "/run").start()
except SupervisorFailed as failure:
    os.write(answer, str(failure).encode())
"""


def test_embedded_in_a_program_without_standard_streams_and_descriptors(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", EMBEDDED], cwd=tmp_path, timeout=LIMIT_S * 2, check=False)
    assert done.returncode == 0
    answer = (tmp_path / "answer").read_text()
    assert answer.startswith("ready too few open files are allowed: 20")
    assert not (tmp_path / "run").exists()


# ---- no room in the run directory: a tmpfs of our own, in a mount namespace of its own


def on_tmpfs(folder: Path, options: str, before: str, until: str = "") -> subprocess.CompletedProcess[str]:
    """`start` with its run directory ``{folder}/small/run`` on a tmpfs with these options.

    `until`: it is stopped as soon as its log holds this text; "" if it ends without that.
    """
    small = folder / "small"
    small.mkdir()
    left, log = folder / "left", folder / "log"
    script = (
        f"mount -t tmpfs -o {options} none {small} || exit 99; mkdir -m 700 {small}/run && {before}\n"
        f"{PROGRAM} start --duration 60 --log-format json --run-dir {small}/run 2> {log} & pid=$!\n"
        f"while [ -n '{until}' ] && kill -0 $pid && ! grep -q '{until}' {log}; do sleep 0.1; done 2> /dev/null\n"
        f"[ -z '{until}' ] || kill -TERM $pid; wait $pid; code=$?; cat {log} >&2\n"
        f"ls -A {small}/run > {left}; exit $code"
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if done.returncode == 99 or "unshare failed" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    assert left.read_text() == ""
    return done


@pytest.mark.cases(played=1)
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
@pytest.mark.parametrize(
    ("options", "before", "reason"),
    [
        ("size=64k,nr_inodes=2", ":", "its lock cannot be opened: No space left on device"),
        ("size=64k,nr_inodes=3", ":", "cannot be set up: No space left on device"),
        ("size=64k,nr_inodes=4", ":", "cannot be set up: No space left on device"),
        ("size=8k", "head -c 8192 /dev/zero > {}/fill;", "its lock cannot be written: No space left on device"),
    ],
)
def test_no_room_at_the_start(options: str, before: str, reason: str, tmp_path: Path) -> None:
    done = on_tmpfs(tmp_path, options, before.format(tmp_path / "small"))
    assert done.returncode == 3
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"foxtrot-supervisor: run directory {tmp_path}/small/run: {reason}")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_no_room_for_a_ring_is_backoff_with_the_cause_shown(tmp_path: Path) -> None:
    done = on_tmpfs(tmp_path, "size=2m", ":", "no room for")
    assert done.returncode == 0
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    causes = [line["reason"] for line in lines if line["event"] == "ring_refused"]
    assert any("ring-sim.a-" in cause and "No space left on device" in cause for cause in causes)
    assert not [line for line in lines if line.get("state") == "FATAL"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_no_inode_for_the_engines_socket_is_backoff_too(tmp_path: Path) -> None:
    done = on_tmpfs(tmp_path, "size=8m,nr_inodes=9", ":", "no_room")
    assert done.returncode == 0
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    (reason, *_) = [line["reason"] for line in lines if line["event"] == "no_room"]
    assert reason.startswith(
        f"{tmp_path}/small/run: no room for the engine's sockets and files: No space left on device"
    )
