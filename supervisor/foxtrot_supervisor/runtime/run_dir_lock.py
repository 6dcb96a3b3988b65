"""A private directory and its lock file: created, opened, locked, and what the file says of its holder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time

import msgspec
from msgspec import Struct

from foxtrot_supervisor.system import procfs
from foxtrot_supervisor.system.private_files import create_private, unsafe_parent

__all__ = [
    "HOLDER_WAIT_S",
    "LOCK_NAME",
    "AlreadyRunning",
    "Holder",
    "RunDirRefused",
    "file_identity",
    "keep_cleaners_out",
    "lock_directory",
    "make_directory",
    "open_directory",
    "read_holder",
    "write_holder",
]

HOLDER_WAIT_S = 1.0
"""Seconds to wait for a lock whose holder is not alive: it is still dying, or the new one has not written its name yet.
Threads of a killed process, and a child that it was just starting, may outlive it by some milliseconds."""

_POLL_S = 0.005

_LOCK_BYTES_MAX = 4096

LOCK_NAME = "lock"

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE))
"""What the system has too little of, for now."""


class AlreadyRunning(Exception):
    """A supervisor is alive in this directory; `pid` is its process id, 0 if that is unknown."""

    def __init__(self, path: str, pid: int) -> None:
        super().__init__(f"a supervisor is already running in {path} (pid {pid or 'unknown'})")
        self.path = path
        self.pid = pid


class RunDirRefused(Exception):
    """This directory is not safe to use, or cannot be made; `reason` says why."""

    def __init__(self, path: str, reason: str, *, passing: bool = False) -> None:
        super().__init__(f"run directory {path}: {reason}")
        self.path = path
        self.reason = reason
        self.passing = passing
        """Whether the cause is a state of the system (no room), not the configuration."""


class Holder(Struct, frozen=True):
    """Holder, or last holder, of the lock; `start_ticks`: when it started, in clock ticks after boot."""

    pid: int
    run_id: str
    start_ticks: int
    made_directory: bool
    config: str = ""
    """The configuration file that this run was started with, "" without one."""
    config_file: tuple[int, int] | None = None
    """Device and inode of that file at the start: by them it is known under another name."""


def make_directory(path: str) -> bool:
    """Create the directory unless it exists; return whether it was created. Raises `RunDirRefused`."""
    unsafe = unsafe_parent(path)
    if unsafe:
        raise RunDirRefused(path, unsafe)
    try:
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)  # the umask may have removed bits
    except FileExistsError:
        return False
    except OSError as error:
        raise RunDirRefused(path, f"cannot be made: {error.strerror}", passing=error.errno in _NO_ROOM) from None
    return True


def keep_cleaners_out(directory: int) -> None:
    """Lock the directory itself (shared): systemd-tmpfiles skips a directory that it cannot lock."""
    with contextlib.suppress(OSError):
        fcntl.flock(directory, fcntl.LOCK_SH | fcntl.LOCK_NB)


def file_identity(path: str) -> tuple[int, int] | None:
    """Return device and inode of a file; None if there is no such file."""
    try:
        facts = os.stat(path)
    except (OSError, ValueError):
        return None
    return facts.st_dev, facts.st_ino


def open_directory(path: str) -> int | None:
    """Return a descriptor of the directory; None if it has been removed meanwhile.

    Raises `RunDirRefused` if others could enter it.
    """
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = "it is a symbolic link" if os.path.islink(path) else f"cannot be opened: {error.strerror}"
        raise RunDirRefused(path, reason) from None
    facts = os.fstat(directory)
    reason = ""
    if facts.st_uid != os.geteuid():
        reason = f"it belongs to uid {facts.st_uid}, not to {os.geteuid()}"
    elif stat.S_IMODE(facts.st_mode) & 0o077:
        reason = f"others can enter it (mode {stat.S_IMODE(facts.st_mode):04o}); it must be private: chmod 700"
    if reason:
        os.close(directory)
        raise RunDirRefused(path, reason)
    return directory


def lock_directory(directory: int, path: str) -> int | None:
    """Lock the lock file in `directory`; return its descriptor, None if the previous holder has removed the file.

    Raises `AlreadyRunning` or `RunDirRefused`; then `directory` is closed.
    """
    try:
        lock = create_private(LOCK_NAME, os.O_RDWR, directory)
    except FileNotFoundError:
        return None  # the directory has been removed
    except OSError as error:
        os.close(directory)
        reason = f"its lock cannot be opened: {error.strerror}"
        raise RunDirRefused(path, reason, passing=error.errno in _NO_ROOM) from None
    deadline = time.monotonic() + HOLDER_WAIT_S
    while not _locked(lock):
        # until the new holder has written itself into the file, a dead predecessor may still be named there
        holder = read_holder(lock)
        alive = holder is not None and procfs.is_alive(holder.pid)
        if alive or time.monotonic() >= deadline:
            os.close(lock)
            os.close(directory)
            raise AlreadyRunning(path, holder.pid if holder is not None and alive else 0)
        time.sleep(_POLL_S)
    try:
        current = os.stat(LOCK_NAME, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        current = None
    if current is None or not os.path.samestat(current, os.fstat(lock)):
        os.close(lock)
        return None
    return lock


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read_holder(lock: int) -> Holder | None:
    """Return what the lock file says of its holder; None if it is empty or was not written by a supervisor."""
    try:
        return msgspec.json.decode(os.pread(lock, _LOCK_BYTES_MAX, 0), type=Holder)
    except (ValueError, RecursionError):
        return None


def write_holder(lock: int, holder: Holder) -> None:
    """Write the holder into the lock file. Raises OSError."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, msgspec.json.encode(holder) + b"\n", 0)
