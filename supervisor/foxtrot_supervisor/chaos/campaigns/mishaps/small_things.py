"""Mishaps of group I: values in odd spellings, stops in a hurry, files that are broken meanwhile."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Final

import msgspec

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.chaos.harness.frame_server import frame_server, text_frame
from foxtrot_supervisor.chaos.harness.place import LIMIT_S, Done, Place, sim

__all__ = ["SCENARIOS"]

_ZEROS = ("0E-8", "00.0", ".0", "-0")

_AT_ONCE_S = 10.0
"""Time that a second stop may take."""


def odd_zero(place: Place) -> None:
    """Quotes whose bid has a size of zero in some spelling."""
    quotes = [
        {"u": 100 + number, "s": "BTCUSDT", "b": "25.35", "B": zero, "a": "25.36", "A": "40.5"}
        for number, zero in enumerate(_ZEROS)
    ]
    frames = b"".join(
        text_frame(msgspec.json.encode({"stream": "btcusdt@bookTicker", "data": quote}).decode()) for quote in quotes
    )
    with frame_server(frames, pause_s=0.05) as url:
        connection = sim(url=url, rest_url="http://127.0.0.1:1", channels=["quote"], essential=False)
        run = place.start(connection, engine=place.notes(), supervisor={"ready_s": 60.0})
        place.wait(lambda: len(place.noted("eBbo.")) >= len(_ZEROS), LIMIT_S, "the quotes")
        for row, zero in zip(place.noted("eBbo."), _ZEROS, strict=False):
            place.expect(row["bid"] is None, f"a bid of size {zero} is an empty side, not {row['bid']}")
            place.expect(row["ask"] is not None, f"the other side is there beside {zero}")
        place.stop(run)


def stop_twice(place: Place) -> None:
    """A second SIGTERM while the first waits for an engine whose handler does not return."""
    called = place.folder / "called"
    hangs = place.handler(
        "import pathlib, time\n"
        "def hang(event):\n"
        f"    pathlib.Path({str(called)!r}).touch()\n"
        "    time.sleep(1000)\n"
        "def setup(engine):\n"
        "    engine.register('eMarketTrade.', hang)\n"
    )
    run = place.start(
        engine=hangs, supervisor={"hung_s": 60.0, "late_s": 30.0, "stop_ask_s": 60.0, "shutdown_s": 120.0}
    )
    place.wait(called.exists, LIMIT_S, "the handler to be called")
    run.signal(signal.SIGTERM)
    place.wait(lambda: run.log.lines("signal_received"), LIMIT_S, "the first signal to be logged")
    told_at = time.monotonic()
    run.signal(signal.SIGTERM)
    place.ends(run, SupervisorExit.KILL_NEEDED)
    took_s = time.monotonic() - told_at
    place.expect(took_s < _AT_ONCE_S * place.patience, f"it ends at once, not after {took_s:.1f} s")


def broken_configuration(place: Place) -> None:
    """The file is broken by an edit, then removed; commands in its folder still find the run."""
    run = place.start()
    place.serving(run)
    empty = place.folder / "empty"
    empty.mkdir()
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(empty), "HOME": str(empty), "XDG_CONFIG_HOME": ""}

    def status(*words: object) -> Done:
        done = place.command("status", "--json", *words, env=environ)
        found = msgspec.json.decode(done.out)["supervisor"]["run_dir"] if done.code == 0 else done.err
        place.expect(found == str(place.run_dir), f"status {words} finds the run, not {found}")
        return done

    place.config.write_text("[supervisor]\nrun_dir = nothing\n")
    for words in ((), ("-c", place.config)):
        said = status(*words).err
        place.expect(str(place.config) in said and "line 2" in said, f"file and line are told: {said}")
    refused = place.command("reload", env=environ)
    place.expect(refused.code == 1, f"reload: exit code 1, not {refused.code}")
    place.config.unlink()
    status()
    stopped = place.command("stop", env=environ)
    place.expect(stopped.code == 0, f"stop: exit code 0, not {stopped.code}: {stopped.err}")
    place.ends(run, 0)


SCENARIOS: Final[dict[str, Callable[[Place], None]]] = {
    "odd_zero": odd_zero,
    "stop_twice": stop_twice,
    "broken_configuration": broken_configuration,
}
