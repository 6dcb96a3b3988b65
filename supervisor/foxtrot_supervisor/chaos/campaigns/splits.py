"""Splits shards under load, undisturbed or while a process that takes part is killed."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from foxtrot_protocol.control import SplitRequest
from foxtrot_supervisor.chaos.campaigns.delivery_run import RECOVERY_S, DeliveryRun, flows, serves
from foxtrot_supervisor.chaos.harness.supervised_run import Trouble
from foxtrot_supervisor.chaos.rules.schedule import Progress

__all__ = ["CONNECTION", "SHARDS_FIRST", "VICTIMS", "split_shards", "symbols_for"]

CONNECTION: Final = "load"

SHARDS_FIRST: Final = 2
"""Shards before the first split."""

VICTIMS: Final = ("old", "engine", "new")
"""Which process is killed in the middle of a split, in turn."""

SPLIT_S: Final = 90.0
"""Longest time of one split."""

KILL_S_MAX: Final = 0.8
"""Latest moment of a kill, from the birth of the new worker."""


def symbols_for(splits: int) -> list[str]:
    """Return the symbols for so many splits: each shard has one at least."""
    return [f"LOAD{number}USDT" for number in range(splits + SHARDS_FIRST)]


def split_shards(
    run: DeliveryRun,
    splits: int,
    victims: Sequence[str],
    chance: random.Random,
    progress: Progress,
) -> list[float]:
    """Split the largest shard `splits` times; return how long each took, in ms. Raises `Trouble` for one that fails."""
    took_ms = []
    with ThreadPoolExecutor(1) as pool:
        for number in range(splits):
            status = run.wait(lambda status: all(map(flows, status["workers"])), RECOVERY_S, "all to serve")
            shard = _largest(status)
            began = time.monotonic()
            reply = pool.submit(run.run.ask, SplitRequest(shard), SPLIT_S)
            if victims:
                _strike(run, shard, victims[number % len(victims)], chance, reply)
            try:
                data = reply.result(SPLIT_S)
            except (Trouble, TimeoutError) as error:
                raise Trouble(f"split {number + 1}, of {shard}: {error}") from None
            if data.get("state") != "done" or data["reason"]:
                raise Trouble(f"split {number + 1}, of {shard}: {data}")
            took_ms.append((time.monotonic() - began) * 1000.0)
            progress(f"  {number + 1} of {splits}: {shard} and {data['into']}", number + 1, splits)
    return took_ms


def _largest(status: dict[str, Any]) -> str:
    return str(max(status["workers"], key=lambda each: len(each["topics"]))["connection"])


def _strike(run: DeliveryRun, shard: str, victim: str, chance: random.Random, reply: Future[dict[str, Any]]) -> None:
    """Kill a process that takes part in the split that has begun."""
    split = run.wait(lambda status: reply.done() or _new_worker(status), RECOVERY_S, "the new worker")
    new = _new_worker(split)
    if new is None:
        return  # the reply says why
    time.sleep(chance.random() * KILL_S_MAX)
    if victim == "engine":
        pid = run.status()["engine"]["pid"]
    else:
        name = new["connection"] if victim == "new" else shard
        pid = next((each["pid"] for each in run.status()["workers"] if each["connection"] == name), None)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


def _new_worker(status: dict[str, Any]) -> dict[str, Any] | None:
    split = status["markets"][CONNECTION]["split"]
    if split is None or split["state"] != "starting":
        return None
    found: dict[str, Any] | None = next(
        (each for each in status["workers"] if each["connection"] == split["into"] and serves(each)), None
    )
    return found
