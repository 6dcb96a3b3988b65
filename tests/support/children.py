"""Small children for tests of supervision: each stays as it should, or misbehaves in one way.

`boot` stands in for the real boot: ``ChildSpec.target`` names the behaviour ("tests.support.children:steady").
`raw_*` are start targets for tests of processes alone: called with bytes, no control link.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import zmq

from foxtrot_protocol.codec import decode_to_child, encode_control
from foxtrot_protocol.commands import (
    Done,
    Failed,
    FromChild,
    Heartbeat,
    Hello,
    Ready,
    Stop,
    Subscribe,
    ToChild,
    Unsubscribe,
)
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import ChildSpec, decode_spec

BOOT = "tests.support.children:boot"


def target(behaviour: str) -> str:
    """The start target of one of the behaviours below; ``package.module:function`` is one already."""
    return behaviour if ":" in behaviour else f"tests.support.children:{behaviour}"


class Link:
    """The child's control link, blocking: a test child has nothing else to do."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.IDENTITY, f"{spec.name}#{spec.incarnation}".encode())
        self._socket.setsockopt(zmq.LINGER, 500)
        self._socket.connect(spec.control_endpoint)

    def send(self, message: FromChild) -> None:
        self._socket.send(encode_control(message))

    def hello(self) -> None:
        self.send(Hello(self.spec.name, self.spec.incarnation, os.getpid()))

    def ready(self, **info: str) -> None:
        self.send(Ready(self.spec.name, self.spec.incarnation, info))

    def beat(self, **more: Any) -> None:
        spec = self.spec
        self.send(
            Heartbeat(
                worker=spec.name,
                incarnation=spec.incarnation,
                loop_lag_ms=0.0,
                rss_bytes=1,
                open_fds=1,
                tasks=1,
                threads=1,
                **more,
            )
        )

    def receive(self, timeout_s: float) -> ToChild | None:
        if not self._socket.poll(int(timeout_s * 1000)):
            return None
        return decode_to_child(self._socket.recv())

    def close(self) -> None:
        self._socket.close()
        self._context.term()


def boot(spec_bytes: bytes) -> None:
    """As the real boot: own session, dies with its parent, fault handler; then the behaviour."""
    spec = decode_spec(spec_bytes)
    os.setsid()
    if ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != spec.parent_pid:
        os._exit(ChildExit.ORPHANED)
    # open as long as the process
    stacks = open(f"{spec.run_dir}/stacks-{spec.name}-{spec.incarnation}.txt", "w")  # noqa: SIM115
    faulthandler.register(signal.SIGUSR2, file=stacks, all_threads=True)
    module, _, name = spec.target.partition(":")
    behaviour: Callable[[ChildSpec], int] = getattr(importlib.import_module(module), name)
    code = behaviour(spec)
    os._exit(code)


def _serve(link: Link, *, obey_stop: bool = True, **heartbeat: Any) -> int:
    """Send heartbeats and listen until a stop is requested."""
    while True:
        link.beat(**heartbeat)
        command = link.receive(link.spec.heartbeat_s)
        if isinstance(command, Stop) and obey_stop:
            link.close()
            return ChildExit.CLEAN
        if isinstance(command, Subscribe | Unsubscribe):
            error = "no such symbol" if "BAD" in command.symbols else ""
            link.send(Done(link.spec.name, link.spec.incarnation, command.request_id, error))


def _started(spec: ChildSpec) -> Link:
    link = Link(spec)
    link.hello()
    link.ready()
    return link


# ---- behaviours that supervision must cope with


def steady(spec: ChildSpec) -> int:
    """Serves, and stops on request."""
    return _serve(_started(spec), frames_total=10, events_total=9, rejected_total=1, committed_total=9)


def simulator(spec: ChildSpec) -> int:
    """Offers addresses, as the simulated exchange does."""
    link = Link(spec)
    link.hello()
    link.ready(url="ws://127.0.0.1:1234", rest_url="http://127.0.0.1:1234")
    return _serve(link)


def deaf_to_stop(spec: ChildSpec) -> int:
    """Ignores the STOP command, obeys SIGTERM."""
    return _serve(_started(spec), obey_stop=False)


def deaf(spec: ChildSpec) -> int:
    """Ignores both; beats on."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return _serve(_started(spec), obey_stop=False)


def blocked(spec: ChildSpec) -> int:
    """Serves at first, then its loop is blocked for ever (and SIGTERM ignored, as an asyncio loop would)."""
    link = _started(spec)
    link.beat()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return _block_here()


def _block_here() -> int:
    while True:
        time.sleep(3600)


def exits_zero(spec: ChildSpec) -> int:
    """Ends at once, cleanly."""
    _started(spec).close()
    return ChildExit.CLEAN


def exits_one(spec: ChildSpec) -> int:
    """Ends at once, abnormally."""
    _started(spec).close()
    return ChildExit.CRASH


def crashes_three_times(spec: ChildSpec) -> int:
    """Worker one.a does, then its fault has gone; all others are steady."""
    if spec.name == "one.a" and spec.incarnation <= 3:
        return exits_one(spec)
    return steady(spec)


def refused(spec: ChildSpec) -> int:
    """Says why it cannot go on, as a worker does whose exchange refuses it."""
    link = Link(spec)
    link.hello()
    link.send(Failed(spec.name, spec.incarnation, "HTTP 429", 0.2))
    link.close()
    return ChildExit.REFUSED


def misconfigured(spec: ChildSpec) -> int:
    """A mistake that no restart mends."""
    link = Link(spec)
    link.hello()
    link.send(Failed(spec.name, spec.incarnation, "no such handler"))
    link.close()
    return ChildExit.CONFIGURATION


def dies_before_hello(spec: ChildSpec) -> int:
    """Crashes before it said anything."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return ChildExit.CRASH


def slow_start(spec: ChildSpec) -> int:
    """HELLO after a while."""
    time.sleep(1.0)
    return steady(spec)


def never_hello(spec: ChildSpec) -> int:
    """Runs, and never says so."""
    return _block_here()


def with_grandchild(spec: ChildSpec) -> int:
    """Has a child of its own in its session."""
    if os.fork() == 0:
        _linger(spec, "grandchild")
    return steady(spec)


def with_daemon(spec: ChildSpec) -> int:
    """Has daemonized something by the book: fork, setsid, fork; nothing leads back to it."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        if os.fork() == 0:
            _linger(spec, "daemon")
        os._exit(0)
    os.waitpid(pid, 0)
    return steady(spec)


def _linger(spec: ChildSpec, what: str) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
    # written whole before it can be seen: renamed into place; outside the run directory, which is checked
    path = f"{os.environ['FOXTROT_TEST_NOTES']}/{what}-{spec.name}-{spec.incarnation}"
    with open(path + ".new", "w") as note:
        note.write(str(os.getpid()))
    os.rename(path + ".new", path)
    _block_here()


# ---- start targets of their own, for tests of processes alone


def raw_exit(spec: bytes) -> None:
    """Exits with the code in `spec`."""
    os._exit(int(spec))


def raw_sleep(spec: bytes) -> None:
    """Own session; sleeps until killed."""
    os.setsid()
    _block_here()


def raw_report(spec: bytes) -> None:
    """Writes what it finds of itself into the file named by `spec`, then exits 0."""
    import json

    facts = {
        "argv0": sys.argv[:1],
        "main": getattr(sys.modules["__main__"], "__file__", None),
        "modules": sorted(sys.modules),
        "sigint_ignored": signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
        "blocked": sorted(int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "run_id": os.environ.get("FOXTROT_RUN_ID"),
    }
    with open(spec, "w") as report:
        json.dump(facts, report)
    os._exit(0)


def raw_session_then_exit(spec: bytes) -> None:
    """Own session, a child in it whose pid goes into the file named by `spec`; exits 0, leaving it."""
    os.setsid()
    pid = os.fork()
    if pid == 0:
        _block_here()
    with open(spec, "w") as note:
        note.write(str(pid))
    os._exit(0)


def raw_daemonize_then_exit(spec: bytes) -> None:
    """Daemonizes a process (its pid goes into the file named by `spec`), then exits 0."""
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        pid = os.fork()
        if pid == 0:
            _block_here()
        with open(spec, "w") as note:
            note.write(str(pid))
        os._exit(0)
    os.wait()
    os._exit(0)


def raw_obeys_term(spec: bytes) -> None:
    """Own session, default SIGTERM; stops itself (SIGSTOP) at once."""
    os.setsid()
    os.kill(os.getpid(), signal.SIGSTOP)
    _block_here()


def raw_dumps_stacks(spec: bytes) -> None:
    """Own session, fault handler on SIGUSR2 that writes into the file named by `spec`; blocks."""
    os.setsid()
    # open as long as the process
    faulthandler.register(signal.SIGUSR2, file=open(spec, "w"), all_threads=True)  # noqa: SIM115
    _block_here()
