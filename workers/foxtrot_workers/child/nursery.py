"""The nursery: a template process with all imports done, from which workers are forked in milliseconds.

It is spawned once and has a single thread and no ZeroMQ context, so that a copy of it is a sound process. For each
worker it calls ``clone(CLONE_PARENT)``: the copy shares the nursery's memory pages, but its parent is the supervisor,
as if the supervisor had spawned it. So exit status, parent-death signal and pidfd work unchanged, and the death of the
nursery harms no worker.

The raw system call with a null stack, which behaves like fork, is made by ctypes with the interpreter lock held,
between CPython's hooks before and after a fork (public C API). Rejected: ``os.fork`` and forkserver (the parent would
be the nursery), a fork of the supervisor (inherits ZeroMQ contexts and the event loop).

The supervisor controls it over one unix stream socket (`foxtrot_protocol.nursery_wire`).
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import importlib
import os
import platform
import signal
import socket
import sys

from foxtrot_protocol.codec import encode_control
from foxtrot_protocol.commands import Heartbeat
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.nursery_wire import (
    CLONE_SYSCALL,
    FAILED,
    FORK,
    FORKED,
    HELLO,
    PING,
    PONG,
    QUIT,
    READY,
    pack,
    read_message,
)
from foxtrot_protocol.spec import ChildSpec, NurserySettings, decode_settings, decode_spec
from foxtrot_workers.child import boot, vital_signs
from foxtrot_workers.child.limits import apply_limits
from foxtrot_workers.child.preload import Preloaded

__all__ = ["PRELOADED", "client_module", "clone_sibling", "run"]

PRELOADED = (
    "foxtrot_workers.child.main",
    "foxtrot_workers.feed.worker",
    "concurrent.futures.thread",
    "encodings.idna",
    "uvloop",
)
"""Modules of workers that are imported once here, unless the settings name others (engine template)."""

_CLONE_PARENT = 0x8000

_M_ARENA_MAX = -8
"""mallopt: maximum number of heaps for threads."""


def run(spec_bytes: bytes) -> None:
    """Run the nursery that `spec_bytes` describes; returns only in a forked worker, when that has ended."""
    spec = decode_spec(spec_bytes)
    boot.settle(spec)
    apply_limits(spec.limits)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the nursery needs no orderly end
    settings = decode_settings(spec.settings, NurserySettings)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as supervisor:
        supervisor.connect(settings.socket_path)
        supervisor.sendall(pack(HELLO))
        # a collection leaves free slots in shared pages, which workers would fill and thereby copy
        gc.disable()
        if not settings.modules:
            # workers have few other threads (ZeroMQ, name resolution): a heap for each would cost megabytes
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
        preloaded = Preloaded(
            settings.modules or [*PRELOADED, *map(client_module, settings.clients)], settings.import_path
        )
        _preload_adapters(settings.exchanges)
        gc.freeze()  # a collection in a worker must not write to, and thereby copy, shared pages
        supervisor.sendall(pack(READY))
        forked = _serve(supervisor, spec, preloaded)
    if forked is None:
        os._exit(ChildExit.CLEAN)
    if settings.modules:
        gc.enable()  # workers configure the collector themselves
    module, _, function = settings.boot.partition(":")
    getattr(importlib.import_module(module), function)(forked)


def client_module(name: str) -> str:
    """Return the module of a WebSocket library (`websocket.client.CLIENTS`); one that is not used costs 1.4 MiB."""
    return f"foxtrot_workers.websocket.{name}_client"


def _preload_adapters(exchanges: list[str]) -> None:
    if not exchanges:
        return
    from foxtrot_workers.adapter import catalog

    for exchange in exchanges:
        with contextlib.suppress(Exception):  # a broken adapter must end its own worker, not the nursery
            catalog.adapter_class(exchange)


def _serve(supervisor: socket.socket, spec: ChildSpec, preloaded: Preloaded) -> bytes | None:
    """Answer the supervisor; returns None in the nursery at its end, the specification in each forked worker."""
    while True:
        kind, payload = read_message(supervisor.recv)
        if kind == PING:
            supervisor.sendall(pack(PONG, encode_control(_heartbeat(spec))))
        elif kind == FORK:
            changed, unsound = preloaded.changed(), preloaded.unsound()
            if changed or unsound:
                reason = f"{changed} has changed since it was imported" if changed else unsound
                supervisor.sendall(pack(FAILED, reason.encode()))
                if changed:
                    return None  # the next nursery imports the changed file
                continue
            try:
                pid = clone_sibling()
            except OSError as error:
                supervisor.sendall(pack(FAILED, str(error).encode()))
                continue
            if pid == 0:
                return payload
            supervisor.sendall(pack(FORKED, str(pid).encode()))
        elif kind == QUIT or not kind:
            return None


def _heartbeat(spec: ChildSpec) -> Heartbeat:
    return Heartbeat(
        worker=spec.name,
        incarnation=spec.incarnation,
        loop_lag_ms=0.0,
        rss_bytes=vital_signs.rss_bytes(),
        open_fds=vital_signs.open_fds(),
        tasks=0,
        threads=1,
    )


@functools.cache  # each load creates classes that only a collection can free
def _libc() -> ctypes.PyDLL:
    # PyDLL holds the interpreter lock during calls; errno is read before anything can change it
    libc = ctypes.PyDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def clone_sibling() -> int:
    """Fork this process so that the copy is a child of our parent; returns 0 in the copy, its process id here.

    Raises OSError if the kernel refuses, or the number of the system call is unknown for this machine.
    """
    number = CLONE_SYSCALL.get(platform.machine())
    if number is None or not sys.platform.startswith("linux"):
        raise OSError(0, f"no clone system call known for {platform.machine()}")
    sys.stdout.flush()
    sys.stderr.flush()
    python, libc = ctypes.pythonapi, _libc()
    python.PyOS_BeforeFork()
    pid: int = libc.syscall(ctypes.c_long(number), ctypes.c_long(_CLONE_PARENT | signal.SIGCHLD), 0, 0, 0, 0)
    if pid == 0:
        python.PyOS_AfterFork_Child()
        return 0
    error = ctypes.get_errno()
    python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(error, f"clone: {os.strerror(error)}")
    return pid
