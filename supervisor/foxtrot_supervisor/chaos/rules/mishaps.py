"""The ordinary mishaps that `chaos --mishaps` plays: what is done, what is promised, and how results are judged. Pure.

A mishap is what happens to users outside a laboratory: a log that nobody reads, a full disk, a removed folder, a
stalled stream, a faulty handler. Letters group them as docs/mishaps.md does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

__all__ = ["LETTERS", "MISHAPS", "Mishap", "MishapResult", "Verdict", "choose", "mishap_report"]

LETTERS: Final[dict[str, str]] = {
    "A": "crashes of others' code",
    "B": "output that cannot be written",
    "C": "surroundings",
    "D": "connected and silent",
    "E": "one topic among many",
    "F": "loss that must be reported",
    "G": "other users, files and sockets",
    "H": "bounds",
    "I": "values and small things",
}
"""Title of each group."""

Verdict = Literal["held", "broken", "skipped"]


class Mishap(Struct, frozen=True):
    """One mishap; `quick`: part of the short form that the tests play."""

    name: str
    letter: str
    done: str
    promised: str
    quick: bool = False


MISHAPS: Final[tuple[Mishap, ...]] = (
    Mishap(
        "adapter_crashes",
        "A",
        "adapters raise, exit, or fail in a thread; one has a constructor that raises",
        "each is FATAL with exception, file and line as the cause; the healthy worker goes on; exit code 0",
    ),
    Mishap(
        "handler_raises", "A", "setup raises KeyError", "the start fails at once; handler, file and line named", True
    ),
    Mishap("handler_exits", "A", "a handler module calls sys.exit", "the start fails at once; the call is named", True),
    Mishap("handler_parses_arguments", "A", "setup uses argparse", "the start fails at once; the call is named"),
    Mishap("handler_is_no_python", "A", "a handler module has a syntax error", "the start fails at once; it is named"),
    Mishap("handler_is_slow", "A", "setup takes longer than handlers_s", "the cause names the line where it stands"),
    Mishap(
        "alert_command_fails",
        "A",
        "the alert command is missing, fails, hangs with a child, then works; a worker is killed each time",
        "failures are counted and named in status; nothing of a hung one is left; the feed goes on; exit code 0",
    ),
    Mishap("handler_ends_process", "A", "setup calls os._exit", "the cause names the handler and the exit code"),
    Mishap(
        "output_unread",
        "B",
        "stdout and stderr are a full pipe that nobody reads; every child is killed",
        "children are replaced, status is answered, SIGTERM ends it with exit code 0",
        True,
    ),
    Mishap("output_broken", "B", "the reader of stdout and stderr goes away; the same", "the same; lines are counted"),
    Mishap("output_full", "B", "stdout and stderr are /dev/full; the same", "the same; lines are counted"),
    Mishap("log_disk_full", "B", "the log is on a full file system; the same", "the same; lines are counted"),
    Mishap(
        "terminal_stopped", "B", "Ctrl-S under the live view, then the terminal closes", "an orderly stop, exit code 0"
    ),
    Mishap("command_output_broken", "B", "status, events and stop write to a closed pipe", "each keeps its exit code"),
    Mishap("streams_closed_check", "C", "check with each combination of closed streams", "exit code 0 each time"),
    Mishap("streams_closed_start", "C", "start without stdin, stdout and stderr", "it serves; exit code 0", True),
    Mishap(
        "working_directory_removed",
        "C",
        "start in a removed directory; a worker is killed",
        "it is replaced; exit code 0",
        True,
    ),
    Mishap(
        "no_room_at_start", "C", "no inode or no block is free for the run directory", "exit code 3, path and reason"
    ),
    Mishap(
        "no_room_for_ring", "C", "the run directory has no room for a ring", "BACKOFF with path and reason; exit code 0"
    ),
    Mishap("few_descriptors", "C", "ulimit -n 10, 16, 24", "exit code 3 and one line that says so; nothing left", True),
    Mishap(
        "signals_ignored", "C", "SIGCHLD and others are ignored; a handler is wrong", "one attempt, then exit code 3"
    ),
    Mishap(
        "signals_blocked", "C", "SIGTERM and others are blocked by inheritance", "SIGTERM stops it, exit code 0", True
    ),
    Mishap("early_interrupt", "C", "Ctrl-C in the first second of check, status, start", "no traceback; exit code 130"),
    Mishap("silent_stall", "D", "data stops, pings go on", "replaced; the cause says what REST shows"),
    Mishap(
        "snapshot_is_html", "D", "book snapshots are HTML pages for a while", "invalid with the reason; then it flows"
    ),
    Mishap("snapshot_is_cut_off", "D", "book snapshots are truncated JSON for a while", "invalid; then it flows"),
    Mishap(
        "unknown_symbol",
        "D",
        "one of two symbols does not exist; another unknown one is subscribed",
        "named with the nearest match, invalid; the other flows; subscribe fails; doctor: exit code 8",
    ),
    Mishap(
        "identifiers_restart",
        "D",
        "trades, quotes and books begin at 1 again on a living connection",
        "all of them flow on within 10 s; the gap says that identifiers went back",
    ),
    Mishap("identifiers_restart_between", "D", "the same while the worker reconnects", "the same"),
    Mishap("one_silent_topic", "E", "one of six topics falls silent", "it is stale, and one new connection takes over"),
    Mishap("passing_refusal", "E", "one topic is refused with a rate limit, twice", "all flow on one connection"),
    Mishap("final_refusal", "E", "one topic is refused for good", "invalid and final; the others flow"),
    Mishap(
        "handler_never_returns",
        "F",
        "a handler blocks for ever; stop",
        "exit code 4; worker and number of events in answer and log",
    ),
    Mishap("run_dir_removed", "F", "rm -rf of the run directory, then start", "made again; start: exit code 75", True),
    Mishap("run_dir_files_removed", "F", "each file of the run directory is removed", "each is made again, mode 0600"),
    Mishap("run_dir_occupied", "F", "a file stands where the run directory was", "an orderly stop with exit code 78"),
    Mishap(
        "engine_killed_with_books",
        "F",
        "SIGKILL of the engine while books flow",
        "superseded updates are announced with bounds, then called filled",
    ),
    Mishap("foreign_socket", "G", "another user serves operator.sock", "commands: exit code 3; start: exit code 78"),
    Mishap(
        "forged_answer", "G", "operator.sock answers nonsense and terminal escapes", "exit code 1; escapes shown", True
    ),
    Mishap(
        "unsafe_parent", "G", "the parent of the run directory is writable for all", "exit code 78, it is named", True
    ),
    Mishap("shadowing_files", "G", "socket.py, signal.py and others in the working directory", "none is executed"),
    Mishap(
        "forged_batch", "G", "batches with forged numbers and names on the data socket", "refused; the feed goes on"
    ),
    Mishap("idle_operators", "G", "60 connections that ask or read nothing", "status is answered; a stop ends", True),
    Mishap("rest_trickle", "H", "a book snapshot comes byte by byte", "given up after 20 s; then the book flows"),
    Mishap("tiny_frames", "H", "a server floods with empty frames", "the worker is not killed as hung; stop is obeyed"),
    Mishap("identifiers_leap", "H", "each trade identifier leaps", "demoted once; no gap for each event; it flows"),
    Mishap("odd_zero", "I", "sizes of a quote are 0E-8, 00.0 and .0", "the side is empty", True),
    Mishap(
        "stop_twice", "I", "two SIGTERM to a run whose handler does not return", "it ends at once, exit code 4", True
    ),
    Mishap(
        "broken_configuration", "I", "the file is broken, then removed, during the run", "commands find the run", True
    ),
)
"""Every mishap, by letter."""


class MishapResult(Struct, kw_only=True):
    """What came of one mishap."""

    mishap: Mishap
    broken: list[str] = []
    """Promises that were not kept."""
    skipped: str = ""
    """Why it could not be played here; "" if it was."""
    took_s: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """``skipped`` is neither held nor broken."""
        if self.broken:
            return "broken"
        return "skipped" if self.skipped else "held"


def choose(names: Iterable[str] = ()) -> list[Mishap]:
    """Return the mishaps of these names, or groups (``A``), in the order of the table; all without names.

    Raises `ValueError` naming what is unknown.
    """
    wanted = set(names)
    unknown = wanted - {mishap.name for mishap in MISHAPS} - set(LETTERS)
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))}: not one of {', '.join(m.name for m in MISHAPS)}")
    return [mishap for mishap in MISHAPS if not wanted or mishap.name in wanted or mishap.letter in wanted]


def mishap_report(results: Sequence[MishapResult]) -> dict[str, Any]:
    """Return the report of a suite, as documented in docs/chaos.md."""
    verdicts = [result.verdict for result in results]
    return {
        "held": "broken" not in verdicts,
        "mishaps": [
            {
                "name": result.mishap.name,
                "letter": result.mishap.letter,
                "done": result.mishap.done,
                "promised": result.mishap.promised,
                "verdict": result.verdict,
                "broken": result.broken,
                "skipped": result.skipped,
                "took_s": round(result.took_s, 2),
            }
            for result in results
        ],
        "mishap_totals": {verdict: verdicts.count(verdict) for verdict in ("held", "broken", "skipped")},
    }
