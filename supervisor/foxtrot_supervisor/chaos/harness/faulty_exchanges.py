"""Adapters of a third party that fail, each in one way; installed as entry points in a folder of their own."""

from __future__ import annotations

from pathlib import Path

__all__ = ["FAULTS", "install_faulty_exchanges"]

_MODULE = """
import os, sys, threading, time
from foxtrot_workers.exchanges.binance.variants import Sim


def stay_alive():
    threading.Thread(target=time.sleep, args=(3600,), daemon=False).start()


class Constructor(Sim):
    def __init__(self, *, adopt=False):
        super().__init__(adopt=adopt)
        raise RuntimeError("constructor at fault")


class Parse(Sim):
    def parse(self, frame, receive_ns, out):
        super().parse(frame, receive_ns, out)
        if out:
            stay_alive()
            raise TypeError("parse at fault")


class Subscribe(Sim):
    def subscribe(self, topics):
        raise AttributeError("subscribe at fault")


class Exits(Sim):
    def parse(self, frame, receive_ns, out):
        sys.exit(7)


class ExitsClean(Sim):
    def parse(self, frame, receive_ns, out):
        sys.exit(0)


class Interrupts(Sim):
    def parse(self, frame, receive_ns, out):
        raise KeyboardInterrupt


class Rest(Sim):
    def instruments(self, body):
        raise ZeroDivisionError("instruments at fault")


class Silent:
    def __str__(self):
        raise RuntimeError

class Unspeakable(Sim):
    def parse(self, frame, receive_ns, out):
        raise OSError(Silent())


class Thread(Sim):
    def subscribe(self, topics):
        def work():
            raise BufferError("thread at fault")
        threading.Thread(target=work).start()
        return super().subscribe(topics)


class Stack(Sim):
    def parse(self, frame, receive_ns, out):
        os._exit(9)
"""

FAULTS = {
    "constructor": ("Constructor", "RuntimeError: constructor at fault"),
    "parse": ("Parse", "TypeError: parse at fault"),
    "subscribe": ("Subscribe", "AttributeError: subscribe at fault"),
    "exits": ("Exits", "sys.exit(7) was called"),
    "exitsclean": ("ExitsClean", "sys.exit(0) was called"),
    "interrupts": ("Interrupts", "KeyboardInterrupt"),
    "rest": ("Rest", "ZeroDivisionError: instruments at fault"),
    "unspeakable": ("Unspeakable", "OSError"),
    "thread": ("Thread", "BufferError: thread at fault"),
}
"""Configuration name without ``faulty_``: the class, and how the cause begins."""


def install_faulty_exchanges(folder: Path) -> Path:
    """Make `folder` a place on the module search path that offers ``faulty_<name>`` for each of `FAULTS`.

    Also ``faulty_import``, whose module cannot be imported, and ``faulty_exit``, whose module exits. Returns `folder`.
    """
    folder.mkdir()
    lines = [f"faulty_{name} = faulty_exchanges:{kind}" for name, (kind, _) in FAULTS.items()]
    (folder / "faulty_exchanges.py").write_text(
        _MODULE + "".join(f'\n{kind}.name = "faulty_{name}"\n' for name, (kind, _) in FAULTS.items())
    )
    information = folder / "faulty_exchanges-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty-exchanges\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[foxtrot.exchanges]\n" + "\n".join(lines) + "\n")
    return folder
