"""A real supervisor under observation: its log, its events, its status and its process tree."""

from __future__ import annotations

import contextlib
import datetime
import os
import select
import subprocess
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from foxtrot_protocol import chaos
from foxtrot_protocol.codec import batch_decoder
from foxtrot_protocol.control import Request, StatusRequest
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.events import FeedStatus, Gap, Trade
from foxtrot_supervisor.chaos.harness.bound import bound
from foxtrot_supervisor.chaos.harness.orphans import ORPHANS_S, Orphans
from foxtrot_supervisor.chaos.rules.delivery_judge import trade_number
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning
from foxtrot_supervisor.client.event_stream import EngineAway, follow, is_running
from foxtrot_supervisor.system import procfs
from foxtrot_supervisor.system.interpreter import python_command

__all__ = [
    "LOOK_AT_ZOMBIES_S",
    "POLL_S",
    "PROGRAM",
    "TRADES_MAX",
    "StateLine",
    "SupervisedRun",
    "Trouble",
    "wait_until_gone",
]

LINES_KEPT = 1_000
"""Lines that are kept of each log event."""

POLL_S = 0.002
"""Time between two looks at the log."""

LOOK_AT_ZOMBIES_S = 0.05

TRADES_MAX = 2_000_000
"""Trades remembered for the account with the ledger, over all symbols."""

PROGRAM = python_command("-m", "foxtrot_supervisor")


class Trouble(Exception):
    """The test could not be performed; the text says what was waited for."""


class StateLine(Struct, frozen=True):
    """One change of state, as the supervisor logged it; `at_ns`: since 1970."""

    name: str
    incarnation: int
    state: str
    at_ns: int


class SupervisedRun:
    """One supervisor from start to end. `close` ends and removes everything in every case.

    `take_orphans(limit_s)`: finds and kills the processes that the supervisor left behind.
    `trades`: filled with the number of times each trade was seen, by symbol and identifier.
    `popen`: further arguments of `subprocess.Popen`, such as other streams; what goes elsewhere is not in `log`.
    `prefix`: words before the command, such as those of a program that sets something up and then becomes it.
    """

    def __init__(
        self,
        config: Path,
        run_dir: Path,
        log_path: Path,
        options: Sequence[str],
        *,
        take_orphans: Callable[[float], Orphans],
        trades: dict[str, dict[int, int]] | None = None,
        follow_events: bool = True,
        prefix: Sequence[str] = (),
        popen: Mapping[str, Any] | None = None,
    ) -> None:
        self._take_orphans = take_orphans
        self._run_dir = run_dir
        self.log = _Log(log_path)
        self.started_at = time.monotonic()
        with log_path.open("wb") as stderr:
            usual = {"cwd": config.parent, "stdout": subprocess.DEVNULL, "stderr": stderr, "start_new_session": True}
            command = [*prefix, *PROGRAM, "start", "-c", str(config), "--log-format", "json", *options]
            self.process: subprocess.Popen[bytes] = subprocess.Popen(bound(command), **{**usual, **(popen or {})})
        self.events = _Events(str(run_dir), {} if trades is None else trades, wanted=follow_events)
        self._zombies: dict[int, float] = {}
        self._zombies_at = 0.0
        self.zombie_ms = 0.0
        """Age of the oldest zombie that was a child of the supervisor."""

    @property
    def run_dir(self) -> Path:
        """Its run directory."""
        return self._run_dir

    # ---- looking

    def wait(self, condition: Callable[[], object], limit_s: float, what: str) -> None:
        """Until `condition` holds; raises `Trouble` after `limit_s` or when the supervisor ends before."""
        deadline = time.monotonic() + limit_s
        while not self._look(condition):
            if self.process.poll() is not None and not self._look(condition):
                raise Trouble(f"the supervisor ended, exit code {self.process.returncode}, while waiting for {what}")
            if time.monotonic() >= deadline:
                raise Trouble(f"waited {limit_s:.1f} s in vain for {what}")
            time.sleep(POLL_S)

    def waited(self, condition: Callable[[], object], limit_s: float) -> bool:
        """As `wait`; whether it came."""
        try:
            self.wait(condition, limit_s, "")
        except Trouble:
            return False
        return True

    def rest(self, seconds: float) -> None:
        """Wait, reading log and process table meanwhile."""
        deadline = time.monotonic() + seconds
        self.waited(lambda: time.monotonic() >= deadline, seconds + 1.0)

    def _look(self, condition: Callable[[], object]) -> bool:
        self.log.read()
        self._look_for_zombies()
        return bool(condition())

    def _look_for_zombies(self) -> None:
        now = time.monotonic()
        if now - self._zombies_at < LOOK_AT_ZOMBIES_S:
            return
        self._zombies_at = now
        dead = {facts.pid for facts in procfs.children_of(self.process.pid) if facts.zombie}
        self._zombies = {pid: self._zombies.get(pid, now) for pid in dead}
        oldest = min(self._zombies.values(), default=now)
        self.zombie_ms = max(self.zombie_ms, (now - oldest) * 1000.0)

    def status(self) -> dict[str, Any]:
        """What it answers; raises `Trouble` if it does not."""
        return self.ask(StatusRequest(fresh=True))

    def ask(self, request: Request, timeout_s: float = 10.0) -> dict[str, Any]:
        """Its answer to an operator; raises `Trouble` without one, or for a refusal."""
        try:
            with ControlClient(str(self._run_dir)) as client:
                reply = client.request(request, timeout_s)
        except (NotRunning, MalformedMessage, OSError) as error:
            raise Trouble(f"the supervisor does not answer: {error}") from None
        if reply.error:
            raise Trouble(f"the supervisor refuses: {reply.error}")
        return reply.data

    def children(self) -> dict[str, tuple[int | None, int]]:
        """Process id and incarnation of each child, by name."""
        status = self.status()
        told = [status["engine"], status.get("nursery") or {}, *status["workers"]]
        return {child["name"]: (child["pid"], child["incarnation"]) for child in told if child}

    def serves(self, names: Iterable[str]) -> bool:
        """Whether each of these workers runs and the engine has had events of its current incarnation."""
        for name in names:
            line = self.log.latest(name)
            if line is None or line.state != "RUNNING" or (name, line.incarnation) not in self.events.first_ns:
                return False
        return True

    def noted(self, what: str, child: str, incarnation: int) -> str:
        """What the hook in that incarnation has told about `what`; "" if it has not."""
        path = Path(chaos.folder(str(self._run_dir))) / chaos.note_name(what, child, incarnation)
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    # ---- acting

    def forget_plan(self) -> None:
        """From now on no incarnation has any fault."""
        Path(chaos.plan_path(str(self._run_dir))).unlink()

    def signal(self, number: int) -> None:
        """To the supervisor."""
        self.process.send_signal(number)

    def ended(self, limit_s: float) -> bool:
        """Wait for its end; whether it came in time. The log is complete then."""
        deadline = time.monotonic() + limit_s
        while self.process.poll() is None and time.monotonic() < deadline:
            self._look(lambda: True)
            time.sleep(POLL_S)
        self.log.read()
        return self.process.returncode is not None

    def close(self, limit_s: float = ORPHANS_S) -> Orphans:
        """End what is left; which processes had to be killed though the supervisor had ended `limit_s` before."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        orphans = self._take_orphans(limit_s)
        self.log.close()
        self.events.close()
        return orphans


class _Log:
    """The supervisor's log, read as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        """Lines of each event."""
        self._lines: defaultdict[str, deque[dict[str, Any]]] = defaultdict(lambda: deque(maxlen=LINES_KEPT))
        self.states: list[StateLine] = []
        self.stopped: dict[str, Any] | None = None
        self._latest: dict[str, StateLine] = {}
        self._rest = b""
        self._file = path.open("a+b")
        self._file.seek(0)

    def read(self) -> None:
        """Take in what was written since the last time."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        for line in lines:
            if line.startswith(b"{"):
                with contextlib.suppress(msgspec.MsgspecError):  # children write into the same file
                    self._take(msgspec.json.decode(line))

    def _take(self, line: dict[str, Any]) -> None:
        event = str(line.get("event"))
        self.counts[event] += 1
        self._lines[event].append(line)
        if line.get("event") == "worker_state":
            at = datetime.datetime.fromisoformat(line["timestamp"])
            at_ns = int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1000
            state = StateLine(line["worker"], line["incarnation"], line["state"], at_ns)
            self.states.append(state)
            self._latest[state.name] = state
        elif line.get("event") == "stopped":
            self.stopped = line

    def lines(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """The last `LINES_KEPT` lines of this event, oldest first, that have these fields."""
        self.read()
        return [line for line in self._lines[event] if fields.items() <= line.items()]

    def latest(self, name: str) -> StateLine | None:
        """The last change of this child."""
        return self._latest.get(name)

    def first(self, name: str, incarnation: int, states: Iterable[str], since_ns: int = 0) -> StateLine | None:
        """The first time that this incarnation came into one of `states`, not before `since_ns`."""
        wanted = frozenset(states)
        for line in self.states:
            if (line.name, line.incarnation) == (name, incarnation) and line.state in wanted and line.at_ns >= since_ns:
                return line
        return None

    def close(self) -> None:
        self._file.close()


class _Events:
    """The engine's live events, followed by a thread of its own until the run ends."""

    def __init__(self, run_dir: str, trades: dict[str, dict[int, int]], *, wanted: bool) -> None:
        self.first_ns: dict[tuple[str, int], int] = {}
        """When the first market event of each incarnation of each worker was read; ns since 1970."""
        self.last_ns: dict[str, int] = {}
        self.failed = ""
        self._trades = trades
        self._remembered = sum(map(len, trades.values()))
        self._run_dir = run_dir
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="chaos-events", daemon=True)
        if wanted:
            self._thread.start()

    def close(self) -> None:
        """Wait for the thread: the event stream ends with the run."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _follow(self) -> None:
        while not is_running(self._run_dir):
            if self._ending.wait(POLL_S * 5):
                return
        try:
            for batches in follow(self._run_dir, batch_decoder("text"), lambda _: None):
                now_ns = time.time_ns()
                for batch in batches:
                    self._take(batch.worker, batch.incarnation, batch.events, now_ns)
        except (EngineAway, MalformedMessage, OSError) as error:
            self.failed = str(error)

    def _take(self, worker: str, incarnation: int, events: list[Any], now_ns: int) -> None:
        market = False
        for event in events:
            if isinstance(event, FeedStatus | Gap):
                continue
            market = True
            if isinstance(event, Trade) and self._remembered < TRADES_MAX:
                counts = self._trades.setdefault(event.symbol, {})
                number = trade_number(event.trade_id)
                self._remembered += number not in counts
                counts[number] = counts.get(number, 0) + 1
        if market:
            self.first_ns.setdefault((worker, incarnation), now_ns)
            self.last_ns[worker] = now_ns


def wait_until_gone(pids: Iterable[int], kill: Callable[[], None], limit_s: float) -> float | None:
    """Call `kill`, then wait for the death of all `pids`; milliseconds until the last, None if not within `limit_s`."""
    poller = select.poll()
    opened: list[int] = []
    try:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                opened.append(os.pidfd_open(pid))
                poller.register(opened[-1], select.POLLIN)
        waiting = set(opened)
        started = last = time.monotonic()
        kill()
        while waiting and time.monotonic() - started < limit_s:
            for descriptor, _ in poller.poll(10.0):
                last = time.monotonic()
                poller.unregister(descriptor)
                waiting.discard(descriptor)
        return None if waiting else (last - started) * 1000.0
    finally:
        for descriptor in opened:
            os.close(descriptor)
