"""The run directory: private, locked by the one supervisor that uses it, left as it was found.

Two locks say that a supervisor runs here; the kernel releases both with their holder. One is a flock on the file
``lock`` (`run_dir_lock`); the other is a name derived from the path in the abstract socket namespace (`PlaceLock`),
which cannot be removed with the directory. What the lock file says is used in messages, by commands that look for the
run of a configuration file, and by the successor of a killed supervisor: the run id in it identifies what was left
(`survivors.end_survivors`).

The directory may be removed while it is in use, by a cleaner of temporary files or by hand. `missing` says what is
gone, and `restore` creates directory and lock again. `run_dir_keeper` holds the rings.

Only files that a supervisor creates are ever removed (`_OURS`): the directory may be one of the user's own.
"""

from __future__ import annotations

import contextlib
import fcntl
import fnmatch
import functools
import os
import re
import secrets
import tempfile
from collections.abc import Mapping

import msgspec

from foxtrot_protocol import endpoints
from foxtrot_protocol.exit_note import EXIT_NOTE_PATTERN
from foxtrot_supervisor.runtime.run_dir_lock import (
    LOCK_NAME,
    AlreadyRunning,
    Holder,
    RunDirRefused,
    file_identity,
    keep_cleaners_out,
    lock_directory,
    make_directory,
    open_directory,
    read_holder,
    write_holder,
)
from foxtrot_supervisor.system.place_lock import PlaceLock, PlaceTaken
from foxtrot_supervisor.system.private_files import open_private, opened_directory

__all__ = ["AlreadyRunning", "Holder", "RunDir", "RunDirRefused", "default_path", "path_problem"]

ACQUIRE_ATTEMPTS_MAX = 10
"""Attempts to lock a directory that its previous holder removes while leaving."""

_OURS = (
    "*.ipc",
    "*.sock",
    "stacks-*.txt",
    EXIT_NOTE_PATTERN,
    "ring-*.[ab]-[0-9]*",
    "application.json",
    "instruments-*.json",
    "shards.json",
    "positions.map",
    LOCK_NAME,
)

_match_ours = re.compile("|".join(fnmatch.translate(pattern) for pattern in _OURS)).match


class RunDir:
    """The directory of this run, locked: from `RunDir.acquire` until `release`."""

    def __init__(
        self,
        path: str,
        directory: int,
        lock: int,
        holder: Holder,
        predecessor: Holder | None,
        place: PlaceLock | None = None,
    ) -> None:
        self.path = path
        self._place = place
        self.predecessor = predecessor
        """A supervisor that held the lock and was killed; None if there was none."""
        self.directory = directory
        self.lock = lock
        """Descriptors of both, open until `release` or `leave`."""
        self._holder = holder

    @classmethod
    def acquire(cls, path: str, start_ticks: int = 0, config: str = "") -> RunDir:
        """Create `path` if it is missing, and lock it.

        Args:
            path: the directory.
            start_ticks: when this process started, in clock ticks after boot: no survivor of this run is older.
            config: the configuration file of the run, "" without one.

        Raises:
            AlreadyRunning: if a supervisor runs there.
            RunDirRefused: if the directory is not safe to use, or cannot be created.
        """
        path = os.path.abspath(path)
        problem = path_problem(path)
        if problem:
            raise RunDirRefused(path, problem)
        try:
            place = PlaceLock.acquire(path)
        except PlaceTaken as taken:
            raise AlreadyRunning(path, taken.pid) from None
        try:
            return cls._acquire_files(path, start_ticks, config, place)
        except BaseException:
            place.close()
            raise

    @classmethod
    def _acquire_files(cls, path: str, start_ticks: int, config: str, place: PlaceLock) -> RunDir:
        for _ in range(ACQUIRE_ATTEMPTS_MAX):
            made = make_directory(path)
            directory = open_directory(path)
            if directory is None:
                continue
            lock = lock_directory(directory, path)
            if lock is None:
                os.close(directory)
                continue
            predecessor = read_holder(lock)
            made = made or (predecessor is not None and predecessor.made_directory)
            shown = config.encode(errors="replace").decode()  # a path that is not UTF-8 is known by its file only
            holder = Holder(os.getpid(), secrets.token_hex(16), start_ticks, made, shown, file_identity(config))
            try:
                write_holder(lock, holder)
            except OSError as error:  # no room
                run_dir = cls(path, directory, lock, holder, predecessor)
                run_dir.release()
                raise RunDirRefused(path, f"its lock cannot be written: {error.strerror}", passing=True) from None
            keep_cleaners_out(directory)
            return cls(path, directory, lock, holder, predecessor, place)
        raise RunDirRefused(path, "it keeps vanishing while it is being locked")

    @classmethod
    def inherit(cls, path: str, directory: int, lock: int, run_id: str) -> RunDir:
        """Share the directory that the parent process has locked, by the descriptors that it handed over.

        Both hold the lock then; it is free when both are gone. Raises `RunDirRefused` for other descriptors.
        """
        holder = read_holder(lock)
        if holder is None or holder.run_id != run_id:
            raise RunDirRefused(path, "it is not locked by the process that started this one")
        for descriptor in (directory, lock):
            os.set_inheritable(descriptor, False)
        return cls(path, directory, lock, holder, None)

    @property
    def run_id(self) -> str:
        """Identifies this run among all runs; not a secret."""
        return self._holder.run_id

    def rename_run(self) -> None:
        """Begin another run of the same process here: another `run_id`."""
        self._holder = msgspec.structs.replace(self._holder, run_id=secrets.token_hex(16))
        write_holder(self.lock, self._holder)

    @property
    def start_ticks(self) -> int:
        """When the process that locked it started, in clock ticks after boot."""
        return self._holder.start_ticks

    @property
    def descriptors(self) -> frozenset[int]:
        """Open until `release`."""
        return frozenset((self.directory, self.lock))

    # ---- while it is in use

    def missing(self) -> list[str]:
        """Return what was removed or replaced: ``directory``, ``lock``; empty if nothing was."""
        try:
            if not os.path.samestat(os.lstat(self.path), os.fstat(self.directory)):
                return ["directory", LOCK_NAME]
        except OSError:
            return ["directory", LOCK_NAME]
        return [] if self.holds(LOCK_NAME, self.lock) else [LOCK_NAME]

    def holds(self, name: str, descriptor: int) -> bool:
        """Whether the file `name` in the directory is the one that `descriptor` has open."""
        try:
            return os.path.samestat(self._stat(name), os.fstat(descriptor))
        except OSError:
            return False

    def exists(self, name: str) -> bool:
        """Whether there is an entry `name` in the directory."""
        try:
            self._stat(name)
        except OSError:
            return False
        return True

    def restore(self) -> None:
        """Create again what is `missing`, under the same run id.

        Raises:
            AlreadyRunning, RunDirRefused: as `acquire`.
            OSError: for example if there is no room; it may be tried again.
        """
        made = make_directory(self.path)
        directory = open_directory(self.path)
        if directory is None:
            raise RunDirRefused(self.path, "it vanishes again while it is being made")
        lock = lock_directory(directory, self.path)
        if lock is None:
            os.close(directory)
            raise RunDirRefused(self.path, "its lock vanishes again while it is being made")
        try:
            self._holder = msgspec.structs.replace(self._holder, made_directory=self._holder.made_directory or made)
            write_holder(lock, self._holder)
            # replaces the old descriptors in place, for all that share or watch them
            os.dup2(directory, self.directory, inheritable=False)
            os.dup2(lock, self.lock, inheritable=False)
        finally:
            os.close(directory)
            os.close(lock)
        keep_cleaners_out(self.directory)

    def rejoin(self) -> None:
        """Take over the directory and lock that the other holder has created again; if it has not, create them.

        For an application, whose supervisor looks after the directory. Raises as `restore`.
        """
        if not self.missing():
            return
        if not self._follow():
            self.restore()
            return
        with contextlib.suppress(OSError):  # the other holder keeps it while it lives
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _follow(self) -> bool:
        """Take over the directory and the lock at the path if they are of this run; return whether they are."""
        try:
            with opened_directory(self.path) as directory:
                lock = open_private(LOCK_NAME, os.O_RDWR, directory)
                try:
                    holder = read_holder(lock)
                    if holder is None or holder.run_id != self.run_id:
                        return False
                    os.dup2(directory, self.directory, inheritable=False)
                    os.dup2(lock, self.lock, inheritable=False)
                finally:
                    os.close(lock)
        except OSError:
            return False
        return True

    def refresh(self) -> None:
        """Renew the times of directory and files: cleaners of temporary files go by them."""
        keep_cleaners_out(self.directory)
        with contextlib.suppress(OSError):
            os.utime(self.directory)
            for name in (LOCK_NAME, *self.files()):
                with contextlib.suppress(OSError):
                    os.utime(name, dir_fd=self.directory, follow_symlinks=False)

    def link_descriptor(self, name: str, descriptor: int) -> None:
        """Create `name` as a link to the file that `descriptor` of this process has open: only its name was removed."""
        with contextlib.suppress(FileExistsError):
            os.symlink(f"/proc/{os.getpid()}/fd/{descriptor}", name, dir_fd=self.directory)

    def _stat(self, name: str) -> os.stat_result:
        return os.stat(name, dir_fd=self.directory, follow_symlinks=False)

    # ---- its files

    def files(self) -> list[str]:
        """Return the names of files of a supervisor in the directory, sorted, without the lock."""
        with os.scandir(self.directory) as entries:
            return sorted(
                entry.name
                for entry in entries
                if entry.name != LOCK_NAME and _is_ours(entry.name) and not entry.is_dir(follow_symlinks=False)
            )

    def names(self) -> set[str]:
        """Return every name in the directory."""
        return set(os.listdir(self.directory))

    def remove(self, name: str) -> None:
        """Remove one file of ours, if it exists."""
        assert _is_ours(name), f"not a file of ours: {name}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.directory)

    def remove_files(self) -> list[str]:
        """Remove all files of a supervisor but the lock; return their names."""
        names = self.files()
        for name in names:
            self.remove(name)
        return names

    def leave(self) -> None:
        """Give up the lock and leave everything to the other holder. Without effect after `leave` or `release`."""
        for descriptor in (self.directory, self.lock):
            if descriptor >= 0:
                os.close(descriptor)
        self.directory = self.lock = -1
        if self._place is not None:
            self._place.close()

    def release(self) -> None:
        """Remove our files, and the directory if this or a killed earlier run created it; then unlock."""
        if self.directory < 0:
            return
        if self.missing():
            self.leave()  # what is at the path now is not ours
            return
        self.remove_files()
        self.remove(LOCK_NAME)
        if self._holder.made_directory:
            # not empty: it holds files of others, or a successor's new lock
            with contextlib.suppress(OSError):
                os.rmdir(self.path)
        self.leave()  # a process that waits for this lock sees that its file is gone, and begins again


def default_path(environ: Mapping[str, str], uid: int) -> str:
    """Return the default run directory: ``$XDG_RUNTIME_DIR/foxtrot``, else a private one for temporary files."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime):
        return os.path.join(runtime, "foxtrot")
    return os.path.join(tempfile.gettempdir(), f"foxtrot-{uid}")


def path_problem(path: str) -> str:
    """Return why `path` cannot be a run directory, whatever exists there; "" if it can."""
    try:
        path.encode()
        os.fsencode(path)
    except UnicodeEncodeError:
        return "its path is not valid UTF-8, or the encoding of file names cannot express it"
    try:
        for endpoint in (
            functools.partial(endpoints.data_endpoint, transport="ring"),  # the longest
            endpoints.child_control_endpoint,
            endpoints.operator_path,
            endpoints.tap_path,
        ):
            endpoint(path)
    except ValueError as error:
        return str(error)
    return ""


def _is_ours(name: str) -> bool:
    return _match_ours(name) is not None
