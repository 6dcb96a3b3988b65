"""Feed damaged input to all that reads bytes: rings, spools, batches, control messages, child specifications, frames.

    .venv/bin/python scripts/fuzz.py                               # a million inputs, over all targets, some minutes
    .venv/bin/python scripts/fuzz.py --inputs 100000 --seed 7 --target ring_records --target live_ring
    .venv/bin/python scripts/fuzz.py --each 200000 --target exchanges  # the parsers of every exchange

Tells for each target how many inputs were accepted and rejected, the slowest one, and by how much the process grew.
Exit status 1 after a crash, a hang, damage in a checksummed record that was not noticed, an event missing without a
word, or growth beyond the limit; the input that did it is shown as hex, and the same seed gives it again. With more
processors than one, targets run beside each other, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.exchange_frames import EXCHANGE_TARGETS
from tests.support.fuzz_targets import TARGETS
from tests.support.fuzzing import TargetReport, fuzz


def run_target(work: tuple[str, int, int]) -> TargetReport:
    """One target in this process: it dies with its stacks if it hangs."""
    name, inputs, seed = work
    return fuzz(TARGETS[name], inputs, seed)


def chosen(wanted: list[str] | None) -> list[str]:
    """The targets that the command line names; all without a name."""
    if not wanted:
        return list(TARGETS)
    return [target for name in wanted for target in (EXCHANGE_TARGETS if name == "exchanges" else [name])]


def plan(names: list[str], inputs: int, each: int | None, seed: int) -> list[tuple[str, int, int]]:
    """How many inputs each target gets: `each`, or its share of `inputs`."""
    if each is not None:
        return [(name, each, seed) for name in sorted(names)]
    shares = {name: TARGETS[name].share for name in names}
    whole = sum(shares.values())
    return [(name, max(1, round(inputs * share / whole)), seed) for name, share in sorted(shares.items())]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="over all targets (default: a million)")
    parser.add_argument("--each", type=int, help="inputs for each target, in place of its share of all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--target",
        action="append",
        choices=[*sorted(TARGETS), "exchanges"],
        help="only this one, or the frames of all exchanges; may be repeated",
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args()
    work = plan(chosen(options.target), options.inputs, options.each, options.seed)
    reports: list[TargetReport] = []
    if not options.json:
        print(HEADINGS)
    # a fresh process for each target: what one holds is not taken for what the next one hoards
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, mp_context=context, max_tasks_per_child=1) as pool:
        running = [(each[0], pool.submit(run_target, each)) for each in work]
        for name, result in running:
            try:
                report = result.result()
            except Exception as error:  # its process crashed, or ended itself because it hung
                report = TargetReport(target=name, failure=f"{type(error).__name__}: {error}")
            reports.append(report)
            if not options.json:
                show(report)
    total: dict[str, Any] = {
        key: sum(getattr(report, key) for report in reports) for key in ("inputs", "accepted", "rejected", "undetected")
    }
    held = not any(report.failure for report in reports)
    if options.json:
        print(json.dumps({"seed": options.seed, "held": held, **total, "targets": msgspec.to_builtins(reports)}))
    else:
        print(f"{'all':<28}" + "".join(f"{total[key]:>12,}" for key in total))
    return 0 if held else 1


HEADINGS = f"{'target':<28}" + "".join(
    f"{name:>{width}}"
    for name, width in {
        "inputs": 12,
        "accepted": 12,
        "rejected": 12,
        "undetected": 12,
        "slowest": 12,
        "growth": 11,
        "took": 9,
    }.items()
)


def show(report: TargetReport) -> None:
    print(f"{report.target:<28}{report.inputs:>12,}{report.accepted:>12,}{report.rejected:>12,}", end="")
    print(f"{report.undetected:>12,}{report.slowest_ms:>9.1f} ms{report.growth_mib:>7.1f} MiB{report.took_s:>7.1f} s")
    if report.failure:
        print(f"    {report.failure}\n    {report.input_hex}")


if __name__ == "__main__":
    raise SystemExit(main())
