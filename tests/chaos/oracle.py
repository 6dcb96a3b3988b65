"""An independent judge of supervision: starts ``foxtrot-supervisor``, does something terrible, looks for what is left.

A program of its own, on the standard library alone: it uses no line of the product's code, only what the product
promises to anyone (commands, files of the run directory, the operators' JSON lines, the plan that docs/chaos.md
describes). It makes itself a subreaper, so that every process started below it, however it hides (own session, double
fork, empty environment), comes to it when its parent ends, and is found by asking the kernel for descendants.

    python tests/chaos/oracle.py PROGRAM FOLDER --fault sigkill --phase streaming
    python tests/chaos/oracle.py PROGRAM FOLDER --command 'kill -9 $WORKER_PID'

Afterwards there must be, within `GONE_S`, no descendant, at no time a zombie older than `ZOMBIE_S`, no run directory
with sockets or rings, no shared memory; and after a SIGKILL of the supervisor the next start must work and tidy up. It
prints one JSON object and exits 0 if nothing was found. `--plant` leaves something behind on purpose: the judge has to
find it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

GONE_S = 1.0
"""How long a descendant may outlive the supervisor."""

ZOMBIE_S = 1.0
"""How old a zombie may become anywhere below us."""

# Only reached where something is wrong, or the machine is very busy.
START_S = 60.0
STAGE_S = 20.0
RECOVER_S = 30.0
STOP_S = 15.0

LOOK_S = 0.02
PAUSE_S = 2.5
BACKOFF_S = 1.5

PHASES = ("starting", "connecting", "streaming", "backing_off", "stopping")

SIGNALS = {"sigkill": signal.SIGKILL, "sigsegv": signal.SIGSEGV, "sigstop": signal.SIGSTOP}
STRIKES = {
    "exit_0": "exit_0",
    "exit_1": "exit_1",
    "blocked_loop": "block_loop",
    "gil_held": "hold_gil",
    "sigterm_ignored": "deaf",
    "grandchild": "grandchild",
    "fd_exhaustion": "exhaust_fds",
    "clock_jump": "jump_clock",
}
STARTS = {
    "crash_at_import": {"bad_start": "crash", "last": 0},
    "crash_loop": {"bad_start": "crash", "last": 1_000_000},
    "slow_start": {"bad_start": "slow", "seconds": 1.5, "last": 0},
    "never_hello": {"bad_start": "slow", "seconds": 3600.0, "last": 0},
}
SUPERVISOR = ("supervisor_sigkill", "supervisor_sigstop")
ESCAPE = "grandchild_of_killed_supervisor"
"""It hides completely, and the supervisor is killed before it could look for it."""

FAULTS = (*SIGNALS, *STRIKES, *STARTS, *SUPERVISOR, "two_faults", ESCAPE)

VICTIM, OTHER = "one.a", "two.a"

CONFIG = """
[supervisor]
run_dir = "{run_dir}"
start_method = "{start_method}"
heartbeat_s = 0.1
late_s = 0.5
hung_s = 1.5
hello_s = 8.0
ready_s = 10.0
stop_ask_s = 1.0
stop_term_s = 1.0
stop_kill_s = 2.0
shutdown_s = 10.0
restart_intensity = 3
backoff_first_s = {backoff_s}
backoff_s = 0.1
backoff_max_s = 0.5
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
[[connections]]
name = "two"
exchange = "sim"
channels = ["trade"]
symbols = ["ETHUSDT"]
"""

EXIT_CODES = (0, 4, 5)
"""Clean; a SIGKILL was needed; a worker is FATAL. Everything else is the supervisor's own fault."""


class Found(Exception):
    """The case could not be played as it should; that is a finding too."""


# ---- what the kernel tells


def facts_of_all() -> dict[int, tuple[int, str, str]]:
    """Parent, state and name of every process, by process id."""
    facts = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                head, _, tail = Path(f"/proc/{entry}/stat").read_text(errors="replace").rpartition(")")
                fields = tail.split()
                facts[int(entry)] = int(fields[1]), fields[0], head.partition("(")[2]
    return facts


def become_subreaper() -> None:
    """Orphans below us become our children instead of init's."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(36, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


class Census:
    """Who is below this process. Takes in orphans, keeps the age of every zombie."""

    def __init__(self) -> None:
        self.started: subprocess.Popen[bytes] | None = None
        """Reaped by `subprocess`, nobody else."""
        self._zombies: dict[int, float] = {}
        self.old_zombies: set[str] = set()

    def look(self) -> dict[int, str]:
        """Name of each living descendant, by process id."""
        facts = facts_of_all()
        below = {os.getpid()}
        while more := {pid for pid, (parent, _, _) in facts.items() if parent in below} - below:
            below |= more
        below.discard(os.getpid())
        now = time.monotonic()
        dead = {pid for pid in below if facts[pid][1] in "ZX"}
        # who is suspended himself cannot look after his dead: until he goes on, they do not age
        ageing = {pid for pid in dead if facts.get(facts[pid][0], (0, "", ""))[1] not in ("T", "t")}
        self._zombies = {pid: self._zombies.get(pid, now) if pid in ageing else now for pid in dead}
        for pid, since in self._zombies.items():
            parent, _, name = facts[pid]
            if parent == os.getpid():
                if self.started is None or pid != self.started.pid:
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(pid, os.WNOHANG)
            elif now - since > ZOMBIE_S:
                self.old_zombies.add(f"{pid} {name}, child of {parent} {facts[parent][2] if parent in facts else '?'}")
        return {pid: facts[pid][2] for pid in below - dead}

    def wait(self, condition: Callable[[], object], limit_s: float) -> bool:
        """Keep looking; return whether `condition` came to hold."""
        deadline = time.monotonic() + limit_s
        while True:
            self.look()
            if condition():
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOOK_S)

    def rest(self, seconds: float) -> None:
        """Look for so long."""
        self.wait(lambda: False, seconds)


# ---- the supervisor, from outside


class Supervised:
    """One ``foxtrot-supervisor start``."""

    def __init__(self, program: str, folder: Path, census: Census, start_method: str) -> None:
        self.program = program
        self.run_dir = folder / "run"
        self.shared = folder / "run.chaos"
        self.config = folder / "foxtrot.toml"
        self.log = folder / "log"
        self.census = census
        self.start_method = start_method

    def start(self, plan: dict[str, list[dict[str, object]]], backoff_s: float) -> None:
        """Start it with these faults planned."""
        shutil.rmtree(self.shared, ignore_errors=True)
        self.shared.mkdir(mode=0o700)
        (self.shared / "plan.json").write_text(json.dumps(plan))
        self.config.write_text(CONFIG.format(run_dir=self.run_dir, backoff_s=backoff_s, start_method=self.start_method))
        command = [self.program, "start", "-c", str(self.config), "--log-format", "json"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--boot", "foxtrot_workers.chaos.boot:run"],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.config.parent,
            )
        self.census.started = self.process

    def children(self) -> dict[str, dict[str, object]]:
        """Return its status of each child, by name; {} while it does not answer."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(2.0)
                client.connect(str(self.run_dir / "operator.sock"))
                client.sendall(b'{"type":"status","version":1}\n')
                answer = b""
                while not answer.endswith(b"\n"):
                    part = client.recv(65536)
                    if not part:
                        return {}
                    answer += part
        except OSError:
            return {}
        status = json.loads(answer)["data"]
        told = [status["engine"], status.get("nursery") or {}, *status["simulators"], *status["workers"]]
        return {child["name"]: child for child in told if child}

    def wait_state(self, name: str, state: str, limit_s: float, least: int = 1) -> None:
        """Until `name` is in `state`, in its incarnation `least` or a later one."""

        def there() -> bool:
            child = self.children().get(name, {})
            return child.get("state") == state and int(str(child.get("incarnation", 0))) >= least

        self.need(there, limit_s, f"{name} to be {state}")

    def wait_held(self, name: str, incarnation: int) -> None:
        """Until the hook says that it holds this incarnation."""
        self.need((self.shared / f"held-{name}-{incarnation}").exists, STAGE_S, f"{name} to be held")

    def need(self, condition: Callable[[], object], limit_s: float, what: str) -> None:
        """Wait; a case that cannot be played is a finding."""
        if not self.census.wait(condition, limit_s):
            raise Found(f"waited {limit_s:g} s in vain for {what}")

    def pid(self, name: str) -> int:
        """Of a child that must be there."""
        pid = self.children().get(name, {}).get("pid")
        if not isinstance(pid, int):
            raise Found(f"{name} has no process")
        return pid

    def ended(self, limit_s: float) -> bool:
        """Whether it has ended by then."""
        return self.census.wait(lambda: self.process.poll() is not None, limit_s)


# ---- one case


class Case:
    """A fault in a phase, played once."""

    def __init__(self, supervised: Supervised, fault: str, phase: str, command: str) -> None:
        self.it = supervised
        self.fault = fault
        self.phase = phase
        self.command = command
        self.bad = {"starting": 1, "connecting": 3}.get(phase, 2) if fault in STARTS else 0
        self.at = 2 if phase in ("starting", "connecting") and self.bad != 1 else 1
        self.struck = OTHER if phase == "backing_off" else VICTIM

    def play(self) -> None:
        """Start, bring about the phase, strike, let recover, stop."""
        it, phase = self.it, self.phase
        it.start(self.plan(), BACKOFF_S if phase == "backing_off" else 0.0)
        names = [OTHER] if self.bad == 1 else [VICTIM, OTHER]
        for name in names:
            it.wait_state(name, "RUNNING", START_S)
        it.census.rest(0.3)  # events flow
        self.reach()
        self.strike()
        if it.process.poll() is None and self.fault != "supervisor_sigkill" and self.fault != ESCAPE:
            if phase != "stopping":
                self.recover()
                it.process.send_signal(signal.SIGTERM)
            if not it.ended(STOP_S):
                raise Found("the supervisor did not end")

    def plan(self) -> dict[str, list[dict[str, object]]]:
        """What the hook is to do, as docs/chaos.md describes it."""
        hold = {"starting": "starting", "connecting": "connecting", "stopping": "stopping"}.get(self.phase, "")
        if self.bad:
            begins = {**STARTS[self.fault], "first": self.bad}
            begins["last"] = begins["last"] or self.bad
            held = [{"first": 2, "last": 2, "hold": "connecting"}] if self.phase == "connecting" else []
            return {VICTIM: [*held, begins]}
        strike = STRIKES.get("grandchild" if self.fault == ESCAPE else self.fault, "nothing")
        part: dict[str, object] = {"first": self.at, "last": self.at, "strike": strike, "seconds": -3600.0}
        if self.struck == VICTIM:
            return {VICTIM: [{**part, "hold": hold}]}
        return {OTHER: [part]}

    def reach(self) -> None:
        """Bring the victim into the phase."""
        it, phase = self.it, self.phase
        if self.bad == 1:
            return  # it starts badly on purpose, and may be past that already
        if phase in ("starting", "connecting", "backing_off"):
            os.kill(it.pid(VICTIM), signal.SIGKILL)
        if phase == "backing_off":
            it.wait_state(VICTIM, "BACKOFF", STAGE_S)
        elif phase == "stopping" and not self.bad:
            it.process.send_signal(signal.SIGTERM)
            it.wait_held(VICTIM, 1)
        elif phase in ("starting", "connecting") and (not self.bad or phase == "connecting"):
            it.wait_held(VICTIM, self.at)

    def strike(self) -> None:
        """The fault itself."""
        it, fault = self.it, self.fault
        if self.command:
            environment = {
                "WORKER_PID": it.pid(VICTIM),
                "ENGINE_PID": it.pid("engine"),
                "SUPERVISOR_PID": it.process.pid,
            }
            told = {name: str(pid) for name, pid in environment.items()}
            subprocess.run(["/bin/sh", "-c", self.command], env={**os.environ, **told}, check=True)
        elif fault in SIGNALS:
            os.kill(it.pid(self.struck), SIGNALS[fault])
        elif fault in STRIKES:
            os.kill(it.pid(self.struck), signal.SIGUSR1)
        elif fault in STARTS:
            if self.phase in ("connecting", "streaming", "stopping"):
                os.kill(it.pid(VICTIM), signal.SIGKILL)
            if self.phase == "stopping":
                it.wait_state(VICTIM, "STARTING", STAGE_S, 2) if fault != "crash_loop" else it.census.rest(0.1)
                it.process.send_signal(signal.SIGTERM)
        elif fault == "supervisor_sigkill":
            it.process.kill()
        elif fault == "supervisor_sigstop":
            it.process.send_signal(signal.SIGSTOP)
            it.census.rest(PAUSE_S)
            it.process.send_signal(signal.SIGCONT)
            if self.phase in ("starting", "connecting", "stopping"):
                os.kill(it.pid(VICTIM), signal.SIGUSR1)
        elif fault == "two_faults":
            pids = it.pid(self.struck), it.pid("engine")
            for pid, number in zip(pids, (signal.SIGSTOP, signal.SIGKILL), strict=True):
                os.kill(pid, number)
        elif fault == ESCAPE:
            pid = it.pid(VICTIM)
            it.process.send_signal(signal.SIGSTOP)
            os.kill(pid, signal.SIGUSR1)
            it.need((it.shared / f"grandchild-{VICTIM}-{self.at}").exists, STAGE_S, "the grandchild")
            it.process.kill()

    def recover(self) -> None:
        """Wait until all children serve again or are given up."""
        it = self.it

        def well() -> bool:
            children = it.children()
            return bool(children) and all(child["state"] in ("RUNNING", "FATAL") for child in children.values())

        it.census.rest(0.3)  # until it is noticed
        if self.fault in ("sigstop", "blocked_loop", "gil_held", "two_faults", "grandchild"):
            it.census.rest(3.5)  # a hang, or a stray, takes longer to be noticed
        it.need(well, RECOVER_S, "all children to serve again")


# ---- judgement


def shared_memory() -> set[str]:
    """Names of all shared memory there is."""
    with contextlib.suppress(OSError):
        return set(os.listdir("/dev/shm"))
    return set()


def judge(case: Case, plants: Sequence[str]) -> list[str]:
    """Play `case`; everything that should not be there."""
    it, census = case.it, case.it.census
    memory_before = shared_memory()
    found: list[str] = []
    for name in plants:
        PLANTS[name](it)
    try:
        case.play()
        killed = it.process.poll() is None or it.process.returncode < 0
        it.process.wait()
        found += left_running(census)
        if killed:
            found += next_start(it)
        elif it.process.returncode not in EXIT_CODES:
            found.append(f"exit code {it.process.returncode}")
    except Found as finding:
        found.append(str(finding))
    finally:
        end_everything(it)
    found += [f"old zombie: {zombie}" for zombie in sorted(census.old_zombies)]
    if it.run_dir.exists():
        found.append(f"run directory left, with {sorted(os.listdir(it.run_dir))}")
    found += [f"shared memory left: {name}" for name in sorted(shared_memory() - memory_before)]
    return found


def left_running(census: Census) -> list[str]:
    """Descendants that are there `GONE_S` after the supervisor's end."""
    census.wait(lambda: not census.look(), GONE_S)
    left = census.look()
    return [f"left running: {pid} {name}" for pid, name in left.items()]


def next_start(it: Supervised) -> list[str]:
    """After a SIGKILL: the next start works at once and leaves nothing, of itself or of the killed one."""
    it.start({}, 0.0)
    for name in (VICTIM, OTHER):
        it.wait_state(name, "RUNNING", START_S)
    it.process.send_signal(signal.SIGTERM)
    if not it.ended(STOP_S):
        raise Found("the next supervisor did not end")
    found = [f"the next start: {each}" for each in left_running(it.census)]
    if it.process.returncode != 0:
        found.append(f"the next start ended with exit code {it.process.returncode}")
    return found


def end_everything(it: Supervised) -> None:
    """Whatever was found must not outlive the judge."""
    if it.process.poll() is None:
        it.process.kill()
    it.process.wait()
    it.census.started = None
    deadline = time.monotonic() + STOP_S
    while (left := it.census.look()) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(LOOK_S)


# ---- planted faults


def plant_escapee(_it: Supervised) -> None:
    """Own session, double fork, empty environment: nothing but the kernel knows where it came from."""
    subprocess.run(["/bin/sh", "-c", "sleep 600 >/dev/null 2>&1 &"], env={}, start_new_session=True, check=True)


def plant_zombie(_it: Supervised) -> None:
    """A process that does not look after its dead child for three seconds."""
    code = "import os, time; os.fork() or os._exit(0); time.sleep(3)"
    subprocess.Popen([sys.executable, "-c", code])


def plant_file(it: Supervised) -> None:
    """Somebody holds a file in the run directory."""
    it.run_dir.mkdir(mode=0o700)
    (it.run_dir / "planted").touch()


PLANTS: dict[str, Callable[[Supervised], None]] = {
    "escapee": plant_escapee,
    "zombie": plant_zombie,
    "file": plant_file,
}


def main() -> int:
    """Judge one case; 0 if nothing was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fault", choices=FAULTS, default="sigkill")
    parser.add_argument("--phase", choices=PHASES, default="streaming")
    parser.add_argument("--command", default="", help="instead of a fault: done by the shell")
    parser.add_argument("--plant", choices=PLANTS, action="append", default=[])
    parser.add_argument("--start-method", default="auto")
    options = parser.parse_args()
    become_subreaper()
    program = os.path.abspath(options.program)
    supervised = Supervised(program, options.folder.resolve(), Census(), options.start_method)
    found = judge(Case(supervised, options.fault, options.phase, options.command), options.plant)
    print(json.dumps({"fault": options.command or options.fault, "phase": options.phase, "found": found}))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
