"""Mishaps of group G: others' directories, files, sockets and messages."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from typing import Final

import zmq

from foxtrot_protocol import endpoints
from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.events import Trade
from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.chaos.harness.impostor import IMPOSTOR
from foxtrot_supervisor.chaos.harness.place import LIMIT_S, Place, Skipped, is_root

__all__ = ["SCENARIOS"]

_OTHER_UID = 12345
_STOPPED = '{"data": {"exit_code": 0, "children": [{"name": "x\\u001b[2J", "rung": "ask"}], "audit": {}}}'
_HOSTILE = """
with open({path!r}, "a") as file:
    file.write(__file__ + "\\n")
raise SystemExit("a file of the working directory was executed")
"""


def foreign_socket(place: Place) -> None:
    """At the default place, below a directory that all users share."""
    if not is_root():
        raise Skipped("only root can be another user")
    runtime = place.folder / "runtime"
    runtime.mkdir()
    runtime.chmod(0o1777)
    place.folder.chmod(0o711)
    (runtime / "foxtrot").mkdir()
    os.chown(runtime / "foxtrot", _OTHER_UID, _OTHER_UID)
    place.serve(IMPOSTOR, runtime / "foxtrot", _OTHER_UID, _STOPPED)
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(runtime), "HOME": str(place.folder), "XDG_CONFIG_HOME": ""}
    for word in ("stop", "status", "doctor", "reload"):
        done = place.command(word, env=environ)
        place.expect(done.code == SupervisorExit.START_FAILED, f"{word}: exit code 3, not {done.code}")
        place.expect("not a supervisor of yours" in done.err, f"{word} says so: {done.err[:200]}")
    started = place.command("start", "--duration", "1", env=environ)
    place.expect(started.code == SupervisorExit.CONFIGURATION, f"start: exit code 78, not {started.code}")


def forged_answer(place: Place) -> None:
    """Answers of another shape, and with terminal escapes."""
    for number, (answer, code, said) in enumerate(
        (
            (_STOPPED, 0, "x\\x1b[2J"),
            ('{"data": {}}', 1, "cannot be read"),
            ('{"data": {"exit_code": 0, "children": [7], "audit": {}}}', 1, "cannot be read"),
            ('{"error": "no\\u001b]0;title\\u0007"}', 1, "no\\x1b]0;title\\x07"),
        )
    ):
        folder = place.folder / f"run-{number}"
        folder.mkdir(mode=0o700)
        place.serve(IMPOSTOR, folder, 0, answer)
        done = place.command("stop", "--run-dir", folder)
        place.expect(done.code == code, f"answer {number}: exit code {code}, not {done.code}")
        place.expect(said in done.out + done.err, f"answer {number}: {said!r} is said")
        place.expect("\x1b" not in done.out + done.err, f"answer {number}: no escape reaches the terminal")


def unsafe_parent(place: Place) -> None:
    """A directory that every user can write, without the sticky bit."""
    open_for_all = place.folder / "open"
    open_for_all.mkdir()
    open_for_all.chmod(0o777)
    done = place.command("start", "--duration", "1", "--run-dir", open_for_all / "run")
    place.expect(done.code == SupervisorExit.CONFIGURATION, f"exit code 78, not {done.code}")
    place.expect(str(open_for_all) in done.err, f"the directory is named: {done.err[-300:]}")


def shadowing_files(place: Place) -> None:
    """Files of the working directory that are called like modules."""
    executed = place.folder / "executed"
    for name in ("socket", "signal", "random", "msgspec", "zmq", "foxtrot_workers", "typing", "threading"):
        (place.folder / f"{name}.py").write_text(_HOSTILE.format(path=str(executed)))
    engine = place.handler("import socket, signal\ndef setup(engine):\n    socket.socket().close()\n")
    run = place.start(engine=engine)
    place.serving(run)
    for words in (["check"], ["status", "--run-dir", place.run_dir]):
        done = place.command(*words)
        place.expect(done.code == 0, f"{words[0]}: exit code 0, not {done.code}: {done.err[:200]}")
    place.stop(run)
    place.expect(not executed.exists(), "none of them is executed")


def forged_batch(place: Place) -> None:
    """A process of the same user sends batches that stand in no ring."""
    run = place.start(engine=place.notes())
    place.serving(run)
    trade: Trade[str] = Trade("SIM", "BTCUSDT", 1, 2, "1", "2", "buy", "666")
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with contextlib.closing(context.socket(zmq.PUSH)) as push:
        push.setsockopt(zmq.LINGER, 2000)
        push.connect(endpoints.data_endpoint(str(place.run_dir)))
        for name, incarnation in (("sim.a", 1), ("sim.a", 2), ("nobody.a", 1)):
            encoder = BatchEncoder(name, incarnation)
            for number in (*range(1, 500), 1 << 62):
                push.send(encoder.encode(number, 77, [trade]))
    context.term()
    place.wait(lambda: _rejected(place, run) >= 1, LIMIT_S, "refusals to be counted")
    for _ in range(3):
        place.flows_on(run)
    place.expect("666" not in {row["trade_id"] for row in place.noted("eMarketTrade.")}, "no handler is given it")
    worker = place.worker(run, "sim.a")
    place.expect(worker["lost_total"] == 0 and worker["incarnation"] == 1, "nothing is lost, nobody is replaced")
    place.stop(run)


def _rejected(place: Place, run: object) -> int:
    engine = place.status(run).get("engine") or {}  # type: ignore[arg-type]
    return int(engine.get("rejected_total") or 0)


def idle_operators(place: Place) -> None:
    """More connections than are served at once, none of which asks or reads."""
    run = place.start()
    place.serving(run)
    with contextlib.ExitStack() as held:

        def connect(name: str) -> socket.socket:
            end = held.enter_context(socket.socket(socket.AF_UNIX))
            end.connect(str(place.run_dir / name))
            return end

        operators = [connect("operator.sock") for _ in range(40)]
        for _ in range(20):
            connect("events.sock")
        place.expect(place.ask("status").code == 0, "status is answered")
        place.expect(place.ask("events", "--count", "1").code == 0, "events are shown")
        for each in operators[30:]:
            with contextlib.suppress(OSError):
                each.sendall(b'{"type":"stop"}\n')  # and never read the answer
        place.wait(lambda: run.ended(0.1), LIMIT_S, "the end, for which no reader is waited")
    place.ends(run, 0)


SCENARIOS: Final[dict[str, Callable[[Place], None]]] = {
    "foreign_socket": foreign_socket,
    "forged_answer": forged_answer,
    "unsafe_parent": unsafe_parent,
    "shadowing_files": shadowing_files,
    "forged_batch": forged_batch,
    "idle_operators": idle_operators,
}
