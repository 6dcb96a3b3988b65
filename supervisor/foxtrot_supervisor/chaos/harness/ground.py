"""A supervisor under test: started as users start it, watched from outside through what it tells anyone.

Its own JSON log tells states and when they changed, the engine's live events tell what arrived, the operators' socket
tells process ids. Nothing of the supervisor runs in this process. `Ground` is what all runs share: a private folder,
a simulated exchange with its ledger, and the part of a subreaper, so that whatever escapes comes to us and is found.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import msgspec

from foxtrot_protocol import chaos
from foxtrot_supervisor.chaos.harness.supervised_run import ORPHANS_S, POLL_S, PROGRAM, Orphans, SupervisedRun, Trouble
from foxtrot_supervisor.chaos.rules.report import TradeAccount, account
from foxtrot_supervisor.system import procfs

__all__ = ["BOOT", "STALE_AFTER_S", "Ground"]

BOOT = "foxtrot_workers.chaos.boot:run"


SIMULATOR_S = 20.0
"""How long the simulated exchange may take to listen, or to end."""

HISTORY_TRADES = 200_000
"""Past trades of each symbol that the simulated exchange still gives: some minutes, as real ones do at the least."""

EXCHANGE_S = 10.0
"""How long the simulated exchange may take to answer."""


STALE_AFTER_S = 2.0
"""Of every connection: data comes many times a second, and a clock that jumps must not make it stale."""


_PR_SET_CHILD_SUBREAPER = 36


# ---- what all runs share


class Ground:
    """Folder, simulated exchange and ledger; use it as a context manager. Runs follow one another on it."""

    _exchanges: ClassVar[set[int]] = set()
    """Process ids of the simulated exchanges of all grounds: no orphans."""

    def __init__(self, symbols: Iterable[str], *, rate: float, seed: int) -> None:
        """`rate`: orders a second that the simulated exchange works on. Raises `Trouble` if it does not start."""
        _become_subreaper()
        self.folder = Path(tempfile.mkdtemp(prefix="foxtrot-chaos-"))
        self.trades: dict[str, dict[int, int]] = {}
        """How often each trade was seen, by symbol and id."""
        self._runs = 0
        self._ledger = self.folder / "ledger.jsonl"
        self._kept = False
        symbols_text = ",".join(symbols)
        options = ["--json", "--symbols", symbols_text, "--rate", f"{rate}", "--seed", f"{seed}"]
        options += ["--history", f"{HISTORY_TRADES}"]
        with (self.folder / "simulate.log").open("wb") as log:
            self._simulator = subprocess.Popen(
                [*PROGRAM, "simulate", *options, "--ledger", str(self._ledger)],
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._exchanges.add(self._simulator.pid)
        self.url, self.rest_url = self._told_addresses()

    def _told_addresses(self) -> tuple[str, str]:
        out = self._simulator.stdout
        assert out is not None
        if not select.select([out], [], [], SIMULATOR_S)[0]:
            self.close()
            raise Trouble("the simulated exchange does not start")
        try:
            told = msgspec.json.decode(out.readline())
        except msgspec.MsgspecError:
            self.close()
            raise Trouble("the simulated exchange does not start") from None
        return told["url"], told["rest_url"]

    def start(
        self,
        plan: chaos.Plan,
        connections: Mapping[str, str],
        settings: Mapping[str, object],
        *,
        of_each: Mapping[str, object] | None = None,
        tables: Mapping[str, Mapping[str, object]] | None = None,
        follow_events: bool = True,
    ) -> SupervisedRun:
        """Start a supervisor with each of `connections` (name and symbol), `of_each` what else they all have.

        `tables`: further tables of the configuration. `follow_events`: read the engine's live events all the while.
        Without a plan nothing is hooked: children are just what they are for users, and as fast. All runs use the same
        run directory, so that each start also shows that the one before has left it usable.
        """
        self._runs += 1
        run_dir = self.folder / "run"
        shared = Path(chaos.folder(str(run_dir)))
        shutil.rmtree(shared, ignore_errors=True)
        shared.mkdir(mode=0o700)
        Path(chaos.plan_path(str(run_dir))).write_bytes(chaos.encode_plan(plan))
        config = self.folder / "foxtrot.toml"
        common = {"url": self.url, "rest_url": self.rest_url, "stale_after_s": STALE_AFTER_S, **(of_each or {})}
        whole = {"supervisor": {"run_dir": str(run_dir), **settings}, **(tables or {})}
        config.write_text(_toml(whole, connections, common), encoding="utf-8")
        boot = ["--boot", BOOT] if plan else []
        log_path = self.folder / f"run-{self._runs}.log"
        return SupervisedRun(
            config,
            run_dir,
            log_path,
            boot,
            trades=self.trades,
            take_orphans=self.take_orphans,
            follow_events=follow_events,
        )

    def ask_exchange(self, method: str, path: str, body: object = None) -> Any:
        """Speak to the simulated exchange's own controls; its answer. Raises `Trouble`."""
        address = self.rest_url.removeprefix("http://")
        connection = http.client.HTTPConnection(address, timeout=EXCHANGE_S)
        try:
            connection.request(method, path, None if body is None else msgspec.json.encode(body))
            answer = connection.getresponse()
            text = answer.read()
        except OSError as error:
            raise Trouble(f"the simulated exchange does not answer {path}: {error}") from None
        finally:
            connection.close()
        if answer.status != 200:
            raise Trouble(f"the simulated exchange refuses {path}: {text.decode(errors='replace')}")
        return msgspec.json.decode(text)

    def take_orphans(self, limit_s: float) -> Orphans:
        """Processes still below us after `limit_s`, killed then and reaped; those that ended by then are reaped too."""
        left = self._wait_for_none(limit_s)
        found = [f"{facts.pid} {facts.name} {procfs.command_line(facts.pid)}".strip() for facts in left]
        for facts in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(facts.pid, signal.SIGKILL)
        self._wait_for_none(ORPHANS_S)
        return Orphans(found)

    def _wait_for_none(self, limit_s: float) -> list[procfs.ProcessFacts]:
        deadline = time.monotonic() + limit_s
        while (left := self._below()) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return left

    def _below(self) -> list[procfs.ProcessFacts]:
        """Living descendants of this process without the simulated exchange; dead children are reaped on the way."""
        facts = [each for each in procfs.processes() if each.pid not in self._exchanges]
        below = {os.getpid()}
        while more := {each.pid for each in facts if each.parent in below} - below:
            below |= more
        own = [each for each in facts if each.pid in below and each.pid != os.getpid()]
        for each in own:
            if each.zombie and each.parent == os.getpid():
                with contextlib.suppress(ChildProcessError):
                    os.waitid(os.P_PID, each.pid, os.WEXITED | os.WNOHANG)
        return [each for each in own if not each.zombie]

    def end_exchange(self) -> TradeAccount:
        """End the simulated exchange, which completes its ledger; what it says about the trades that were seen."""
        return account(self.ended_ledger(), self.trades)

    def ended_ledger(self) -> Iterator[dict[str, Any]]:
        """End the simulated exchange, which completes its ledger; the rows of it."""
        self._end_simulator()
        with self._ledger.open("rb") as rows:
            for row in rows:
                yield msgspec.json.decode(row)

    def keep(self) -> Path:
        """Leave the folder with its logs where it is; where that is."""
        self._kept = True
        return self.folder

    def close(self) -> None:
        """End the simulated exchange, remove the folder unless it is to be kept."""
        self._end_simulator()
        if not self._kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end_simulator(self) -> None:
        self._exchanges.discard(self._simulator.pid)
        self._simulator.terminate()
        try:
            self._simulator.wait(SIMULATOR_S)
        except subprocess.TimeoutExpired:
            self._simulator.kill()
            self._simulator.wait()
        if self._simulator.stdout is not None:
            self._simulator.stdout.close()

    def __enter__(self) -> Ground:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _toml(
    tables: Mapping[str, Mapping[str, object]], connections: Mapping[str, str], of_each: Mapping[str, object]
) -> str:
    def lines(values: Mapping[str, object]) -> str:
        return "".join(f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in values.items())

    text = "".join(f"[{name}]\n{lines(values)}" for name, values in tables.items())
    for name, symbol in connections.items():
        connection = {"name": name, "exchange": "binance", "channels": ["trade", "quote"], "symbols": [symbol]}
        text += "[[connections]]\n" + lines({**connection, **of_each})
    return text


# ---- one run


# ---- system calls


def _become_subreaper() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
