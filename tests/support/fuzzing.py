"""Feed damaged input to all readers of bytes and check the result; `fuzz_targets` has the readers.

Everything follows from the seed. An input that breaks a promise ends its target and is printed as hex, so that it can
be tried alone. A hang ends the process, with its stacks, after `HANG_S`.
"""

from __future__ import annotations

import faulthandler
import gc
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from msgspec import Struct

__all__ = ["GROWTH_MIB_MAX", "HANG_S", "Broken", "Target", "TargetReport", "fuzz", "mutate"]

HANG_S = 30.0
"""A stretch of `LOOK_INPUTS` inputs takes milliseconds; one that takes longer than this hangs."""

SLOW_MS_MAX = 2_000.0
"""Longest time for one input. A machine that is busy otherwise may take a second away."""

GROWTH_MIB_MAX = 64.0
"""By how much the process may grow during one target: batches of 4 MiB are allowed, hoards are not."""

LOOK_INPUTS = 500
"""Inputs between two looks at the process's memory."""

CONFIRMATIONS = 2
"""How often an input that took too long is given again; page faults and neighbours are not the reader's time."""

SHOWN_BYTES = 4096


class Broken(AssertionError):
    """An input broke a promise; the text says which."""


class Target:
    """One reader of bytes. `share`: its part of all inputs, beside the others' shares."""

    name: ClassVar[str]
    share: ClassVar[float] = 1.0

    slow_ms_max: ClassVar[float] = SLOW_MS_MAX
    """Longest time for one input, by `clock`."""

    clock: ClassVar[Callable[[], float]] = staticmethod(time.perf_counter)
    """Seconds that an input takes: of the world, or of the processor."""

    def samples(self) -> Sequence[bytes]:
        """Good inputs, which are damaged."""
        raise NotImplementedError

    def seeds(self) -> Sequence[bytes]:
        """Further inputs to damage; undamaged, they need not be accepted."""
        return []

    def feed(self, data: bytes, chance: random.Random) -> bool:
        """Return whether the reader accepted `data`. Raises `Broken` or anything else: both are failures."""
        raise NotImplementedError

    def close(self) -> None:
        """Give back what the target holds."""


class TargetReport(Struct, kw_only=True):
    """What came of one target. `failure` is "" where every promise held; `input_hex` is what broke one."""

    target: str
    inputs: int = 0
    accepted: int = 0
    rejected: int = 0
    undetected: int = 0
    slowest_ms: float = 0.0
    growth_mib: float = 0.0
    took_s: float = 0.0
    failure: str = ""
    input_hex: str = ""


def fuzz(make: Callable[[], Target], inputs: int, seed: int) -> TargetReport:
    """Feed `inputs` damaged samples to a target; ends at the first that breaks a promise."""
    target = make()
    # text seeds: the same inputs regardless of other targets
    chance = random.Random(f"{target.name}:{seed}")
    report = TargetReport(target=target.name)
    started_s = time.monotonic()
    gc.freeze()  # a collection that visits all that the process held before would count as one slow input
    try:
        _run(target, inputs, chance, report)
    finally:
        gc.unfreeze()
        faulthandler.cancel_dump_traceback_later()
        target.close()
        report.took_s = round(time.monotonic() - started_s, 2)
    return report


def _run(target: Target, inputs: int, chance: random.Random, report: TargetReport) -> None:
    samples = target.samples()
    for sample in samples:  # a reader that refuses good input proves nothing by refusing bad input
        if not target.feed(sample, chance):
            report.failure = "an undamaged sample was refused"
            report.input_hex = sample[:SHOWN_BYTES].hex()
            return
    inputs_from = [*samples, *target.seeds()]
    clock = target.clock
    before = rss_mib()
    slowest = 0.0
    while report.inputs < inputs:
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        for _ in range(min(LOOK_INPUTS, inputs - report.inputs)):
            data = mutate(chance, inputs_from)
            report.inputs += 1
            began = clock()
            try:
                taken = target.feed(data, chance)
            except Exception as error:
                report.undetected += isinstance(error, Broken)
                report.failure = f"{type(error).__name__}: {error}"
                report.input_hex = data[:SHOWN_BYTES].hex()
                return
            took = clock() - began
            for _ in range(CONFIRMATIONS if took * 1000.0 > target.slow_ms_max else 0):
                began = clock()
                target.feed(data, chance)
                took = min(took, clock() - began)
            slowest = max(slowest, took)
            if taken:
                report.accepted += 1
            else:
                report.rejected += 1
        report.growth_mib = max(report.growth_mib, round(rss_mib() - before, 2))
        report.slowest_ms = round(slowest * 1000.0, 3)
    if report.growth_mib > GROWTH_MIB_MAX:
        report.failure = f"the process grew by {report.growth_mib} MiB"
    elif report.slowest_ms > target.slow_ms_max:
        report.failure = f"one input took {report.slowest_ms} ms"


def mutate(chance: random.Random, samples: Sequence[bytes]) -> bytes:
    """One of `samples` with a few bits flipped, mostly; else cut, grown, mixed with another, or nothing but noise."""
    draw = chance.random
    data = bytearray(samples[int(draw() * len(samples))])
    kind, size = draw(), len(data)
    if kind < 0.03 or not size:
        return chance.randbytes(int(draw() * 200))
    at = int(draw() * size)
    if kind < 0.55:
        for _ in range(1 + int(draw() * 3)):
            data[int(draw() * size)] ^= 1 << int(draw() * 8)
    elif kind < 0.70:
        data[at] = int(draw() * 256)
    elif kind < 0.78:
        data[at : at + 1 + int(draw() * 16)] = chance.randbytes(1 + int(draw() * 16))
    elif kind < 0.84:
        # lengths and numbers that nobody can mean: msgpack's largest headers, all bits set
        data[at : at + 5] = _EXTREMES[int(draw() * len(_EXTREMES))]
    elif kind < 0.89:
        del data[at : at + 1 + int(draw() * 16)]
    elif kind < 0.94:
        del data[at:]
    else:
        other = samples[int(draw() * len(samples))]
        data[at:] = other[int(draw() * len(other)) :]
    return bytes(data)


_EXTREMES = (
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x00\x00\x00\x00\x00\x00\x00\x00",
    b"[[[[[[[[",
    b"1e999999",
)


def rss_mib() -> float:
    """Memory of this process now."""
    with open("/proc/self/smaps_rollup", encoding="ascii") as rollup:
        kib: Any = next(line.split()[1] for line in rollup if line.startswith("Rss:"))
    return int(kib) / 1024.0
