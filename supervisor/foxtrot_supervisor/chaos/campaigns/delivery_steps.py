"""Inject the delivery faults of `chaos`, one into each supervisor, and judge them by the exchange's ledger.

Decides nothing: `rules.delivery_faults` says what is done and promised, `rules.delivery_judge` judges the result.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from foxtrot_protocol import ring_layout
from foxtrot_protocol.ring_layout import HEADER_BYTES, RECORD_BYTES, Word
from foxtrot_supervisor.chaos.campaigns.delivery_run import RECOVERY_S, DeliveryRun, flows, serves
from foxtrot_supervisor.chaos.harness.ground import Ground
from foxtrot_supervisor.chaos.harness.recorder import Nap
from foxtrot_supervisor.chaos.harness.supervised_run import Trouble
from foxtrot_supervisor.chaos.rules.delivery_faults import (
    CONNECTION,
    HALF_OPEN_STALE_S,
    SYMBOL,
    DeliveryStep,
    exchange_fault,
    promises_of,
    strikes_of,
)
from foxtrot_supervisor.chaos.rules.schedule import ChaosOptions

__all__ = ["play_delivery"]

RATE_PER_S: Final = 2000.0
"""Orders a second; one and a half events each."""

ENGINE_STOP_S: Final = 1.0
NAP: Final = Nap(every=1000, seconds=5.0, times=1)
SMALL_RING: Final[dict[str, object]] = {"size_mib": 1, "full_wait_s": 0.2}
DROPPED_MIN: Final = 500
"""So many events have to be dropped before the engine may go on."""

FRAMES_S: Final = 1.0
"""So long frames are tampered with at most."""

FLIPS: Final = 4
RING_BYTES_MIN: Final = 4096
"""So much has to stand in a ring before it is damaged."""


def play_delivery(step: DeliveryStep, options: ChaosOptions) -> dict[str, Any]:
    """Do it; its row of the report, with `logs` where its folder was kept."""
    began = time.monotonic()
    options = msgspec.structs.replace(options, redundancy=2 if step.sides == "twins" else 1, workers=1)
    row: dict[str, Any] = {**msgspec.to_builtins(step), "delivery": None, "recovery_ms": None, "logs": None}
    broken: list[str] = []
    with Ground(
        [SYMBOL], rate=RATE_PER_S, seed=options.seed + step.number, venue=options.venue, transport=options.transport
    ) as ground:
        run = DeliveryRun(
            ground,
            {CONNECTION: SYMBOL},
            options,
            strikes_of(step),
            nap=NAP if step.fault == "handler_blocks" else Nap(),
            ring=SMALL_RING if step.fault == "ring_full" else None,
            stale_after_s=HALF_OPEN_STALE_S if step.fault == "net_half_open" else None,
        )
        try:
            run.all_serve()
            run.wait_for_events()
            time.sleep(step.delay_s)
            struck_at = time.monotonic()
            _Blow(ground, run, step, random.Random(options.seed + step.number)).deal()
            run.wait_for_events()
            row["recovery_ms"] = round((time.monotonic() - struck_at) * 1000.0, 1)
            account, broken, _ = run.finish(promises_of(step), healed=options.backfill)
            row["delivery"] = msgspec.to_builtins(account)
        except Trouble as trouble:
            broken = [str(trouble)]
        finally:
            broken += run.close()
        if broken:
            row["logs"] = str(ground.keep())
    return row | {
        "broken": broken,
        "verdict": "broken" if broken else "held",
        "took_s": round(time.monotonic() - began, 1),
    }


class _Blow:
    """The fault of one step."""

    def __init__(self, ground: Ground, run: DeliveryRun, step: DeliveryStep, chance: random.Random) -> None:
        self._ground = ground
        self._run = run
        self._step = step
        self._random = chance

    def deal(self) -> None:
        """Until all serve again."""
        fault = self._step.fault
        if fault.startswith("kill_"):
            self._kill_worker()
        elif fault.startswith("net_"):
            self._spoil_the_line()
        elif fault == "twins_sigkill":
            for worker in self._run.status()["workers"]:
                os.kill(worker["pid"], signal.SIGKILL)
            self._replaced(1)
        elif fault == "engine_sigkill":
            self._kill_engine(lambda: None)
        elif fault == "engine_sigstop":
            with self._stopped_engine():
                time.sleep(ENGINE_STOP_S)
        elif fault == "ring_full":
            with self._stopped_engine():
                self._run.wait(
                    lambda status: any(each["dropped_total"] > DROPPED_MIN for each in status["workers"]),
                    RECOVERY_S,
                    "events that find no room",
                )
        elif fault == "handler_blocks":
            self._handler_blocks()
        else:
            assert fault in ("ring_damaged", "ring_words_damaged"), fault
            self._kill_engine(self._flip_records if fault == "ring_damaged" else self._flip_words)

    def _worker(self, status: dict[str, Any]) -> dict[str, Any]:
        (worker,) = (each for each in status["workers"] if each["name"] == self._step.victim)
        found: dict[str, Any] = worker
        return found

    def _replaced(self, incarnation: int) -> None:
        """Wait until the victim serves in a later incarnation than `incarnation`, and all other workers serve."""
        self._run.wait(
            lambda status: self._worker(status)["incarnation"] > incarnation and all(map(flows, status["workers"])),
            RECOVERY_S,
            "all to serve again",
        )

    # ---- workers

    def _kill_worker(self) -> None:
        (strike,) = strikes_of(self._step)
        how = {"anywhere": signal.SIGKILL, "drain": signal.SIGTERM}.get(strike.phase, signal.SIGUSR1)
        os.kill(self._worker(self._run.status())["pid"], how)
        self._replaced(strike.next_incarnation - 1)

    # ---- the engine

    def _kill_engine(self, meanwhile: Callable[[], None]) -> None:
        engine = self._run.status()["engine"]
        os.kill(engine["pid"], signal.SIGKILL)
        meanwhile()
        self._run.wait(
            lambda status: status["engine"]["incarnation"] > engine["incarnation"] and serves(status["engine"]),
            RECOVERY_S,
            "the next engine",
        )

    @contextlib.contextmanager
    def _stopped_engine(self) -> Iterator[None]:
        pid = self._run.status()["engine"]["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def _handler_blocks(self) -> None:
        """Wait until the engine has caught up."""
        self._run.wait(lambda _: self._is_silent(), RECOVERY_S, "the handler to block")
        self._run.wait_for_events(NAP.seconds + RECOVERY_S)

    def _is_silent(self) -> bool:
        before = self._run.handled()
        time.sleep(NAP.seconds / 10)
        return self._run.handled() == before

    # ---- rings

    def _flip_records(self) -> None:
        """A few bytes of what stands between tail and head."""
        with self._ring() as (file, head, tail, capacity):
            for _ in range(FLIPS):
                # not the last record: what stands behind the damage shows that reading goes on
                position = tail + int(self._random.random() * (head - tail) / 2)
                self._flip(file, HEADER_BYTES + position % capacity)

    def _flip_words(self) -> None:
        with self._ring() as (file, _, _, _):
            word = Word.TAIL if self._random.random() < 0.5 else Word.APPLIED
            self._flip(file, 8 * word + int(self._random.random() * 8))

    @contextlib.contextmanager
    def _ring(self) -> Iterator[tuple[int, int, int, int]]:
        """The victim's ring with something in it: descriptor, head, tail, capacity."""
        path = self._run.run.run_dir / ring_layout.ring_name(self._step.victim, 1)
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            deadline = time.monotonic() + RECOVERY_S
            while True:
                header = os.pread(file, HEADER_BYTES, 0)
                words = memoryview(header).cast("Q")
                head, tail = words[Word.HEAD], words[Word.TAIL]
                if head - tail >= RING_BYTES_MIN + RECORD_BYTES:
                    break
                if time.monotonic() >= deadline:
                    raise Trouble(f"nothing stands in {path.name}")
                time.sleep(0.01)
            identity = ring_layout.read_identity(header)
            assert identity is not None
            yield file, head, tail, identity.capacity
        finally:
            os.close(file)

    def _flip(self, file: int, at: int) -> None:
        (byte,) = os.pread(file, 1, at)
        os.pwrite(file, bytes([byte ^ (1 << int(self._random.random() * 8))]), at)

    # ---- the line

    def _spoil_the_line(self) -> None:
        told = self._ground.exchange.ask("GET", "/sim/ledger")
        lines = [each["number"] for each in told["connections"] if each["closed_ns"] is None and each["sent"]]
        if not lines:
            raise Trouble("nobody is connected")
        number = lines[int(self._random.random() * len(lines))]
        before = {each["name"]: each["incarnation"] for each in self._run.status()["workers"]}
        topic = self._ground.venue.trade_topic
        self._ground.exchange.ask("POST", "/sim/fault", exchange_fault(self._step, number, topic))
        if self._step.fault in ("net_reset", "net_half_open"):
            self._run.wait(
                lambda status: (
                    any(each["incarnation"] > before[each["name"]] for each in status["workers"])
                    and all(map(flows, status["workers"]))
                ),
                RECOVERY_S,
                "the worker of that line to be replaced",
            )
        else:
            time.sleep(FRAMES_S)
