"""Plays the ordinary mishaps one after the other, each in a place of its own."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from foxtrot_supervisor.chaos.campaigns.mishaps import (
    bounds,
    crashes,
    intruders,
    loss,
    output,
    silence,
    small_things,
    surroundings,
    topics,
)
from foxtrot_supervisor.chaos.harness.orphans import become_subreaper
from foxtrot_supervisor.chaos.harness.place import Place, Skipped
from foxtrot_supervisor.chaos.harness.supervised_run import Trouble
from foxtrot_supervisor.chaos.rules.mishaps import MISHAPS, Mishap, MishapResult, mishap_report
from foxtrot_supervisor.chaos.rules.schedule import Progress

__all__ = ["SCENARIOS", "run_mishaps"]

SCENARIOS: Final[dict[str, Callable[[Place], None]]] = {
    **crashes.SCENARIOS,
    **output.SCENARIOS,
    **surroundings.SCENARIOS,
    **silence.SCENARIOS,
    **topics.SCENARIOS,
    **loss.SCENARIOS,
    **intruders.SCENARIOS,
    **bounds.SCENARIOS,
    **small_things.SCENARIOS,
}
"""How each mishap of `chaos.rules.mishaps.MISHAPS` is played."""


def run_mishaps(mishaps: Sequence[Mishap], patience: float, progress: Progress) -> dict[str, Any]:
    """Play `mishaps`; return the report, as documented in docs/chaos.md. `progress` is given a line for each.

    `patience` multiplies all limits. The folders of mishaps that were broken are kept, with their logs.
    """
    started_at = time.monotonic()
    become_subreaper()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # a place that is being played is closed
    top = Path(tempfile.mkdtemp(prefix="foxtrot-m-"))
    top.chmod(0o711)  # one mishap has a server of another user below
    results = []
    for mishap in mishaps:
        results.append(_play(mishap, top, patience))
        progress(_line(results[-1]), len(results), len(mishaps))
    report = mishap_report(results)
    if report["held"]:
        shutil.rmtree(top, ignore_errors=True)
    report["logs"] = None if report["held"] else str(top)
    return report | {"patience": patience, "took_s": round(time.monotonic() - started_at, 1)}


def _play(mishap: Mishap, top: Path, patience: float) -> MishapResult:
    started_at = time.monotonic()
    # paths of sockets have to be short
    folder = top / f"{mishap.letter}{MISHAPS.index(mishap)}"
    folder.mkdir()
    place = Place(folder, patience)
    skipped = ""
    try:
        SCENARIOS[mishap.name](place)
    except Trouble as trouble:
        place.broken.append(str(trouble))
    except Skipped as reason:
        skipped = str(reason)
    except Exception as error:  # a scenario that does not find what it looks for must not end the suite
        place.broken.append(f"{type(error).__name__}: {error} ({_place_of(error)})")
    finally:
        place.close()
    if not place.broken:
        shutil.rmtree(folder, ignore_errors=True)
    return MishapResult(mishap=mishap, broken=place.broken, skipped=skipped, took_s=time.monotonic() - started_at)


def _place_of(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def _line(result: MishapResult) -> str:
    mishap = result.mishap
    verdict = "; ".join(result.broken) or (f"skipped: {result.skipped}" if result.skipped else "held")
    return f"{mishap.letter} {mishap.name:<28} {result.took_s:5.1f} s  {verdict}"
