"""The run directory: private, locked by the one supervisor that uses it, left as it was found.

Two locks say who runs here, and the kernel releases both with their holder: a flock on the file ``lock``, and a name
made from the path in the abstract socket namespace (`PlaceLock`), which nobody can remove with the directory. What is
written into the lock file is for messages, for commands that look for the run of a configuration file, and for the
successor of a supervisor that was killed: its run id, by which `survivors.end_survivors` recognizes what it left.

The directory may be removed while it is in use (by a cleaner of temporary files, by hand). `missing` tells what has
gone, `restore` makes directory and lock again; the descriptors of ring files that are held meanwhile (`hold_rings`)
keep what stands in them, and a link to the descriptor takes the place of the file that was removed.

Only files that a supervisor makes are ever removed (`_OURS`): the directory may be one of the user's own.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import fnmatch
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from foxtrot_protocol import endpoints
from foxtrot_protocol.exit_note import EXIT_NOTE_PATTERN
from foxtrot_supervisor.system import procfs
from foxtrot_supervisor.system.place_lock import PlaceLock, PlaceTaken
from foxtrot_supervisor.system.private_files import create_private, open_private, opened_directory, unsafe_parent

__all__ = ["AlreadyRunning", "Holder", "RunDir", "RunDirRefused", "default_path", "path_problem"]

ACQUIRE_ATTEMPTS_MAX = 10
"""How often to begin again when the previous holder takes directory or lock away while leaving."""

HELD_BY_NOBODY_S = 1.0
"""A lock whose holder is not alive is waited for this long: it is still dying, or has just locked and not yet written
who it is. A killed process's threads, and a child that it was just starting, may outlive it by some milliseconds."""

_LOOK_S = 0.005

LOCK_BYTES_MAX = 4096

_OURS = (
    "*.ipc",
    "*.sock",
    "stacks-*.txt",
    EXIT_NOTE_PATTERN,
    "ring-*.[ab]-[0-9]*",
    "application.json",
    "positions.map",
    "lock",
)
_LOCK = "lock"

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE))
"""What a system has too little of, for now."""


class AlreadyRunning(Exception):
    """A supervisor is alive in this directory; `pid` is its process id, 0 if it could not be told."""

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
        """Whether this is a state of the system (no room), and no mistake in what was configured."""


class Holder(Struct, frozen=True):
    """Who holds, or held, the lock; `start_ticks`: when it started, in clock ticks after boot."""

    pid: int
    run_id: str
    start_ticks: int
    made_directory: bool
    config: str = ""
    """The configuration file that this run was started with, "" without one."""
    config_file: tuple[int, int] | None = None
    """Device and inode of that file at the start: by them it is known under another name."""


class RunDir:
    """The directory of this run, locked. Make it with `RunDir.acquire`, give it up with `release`."""

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
        """A supervisor that held the lock and died without leaving in order, None if there was none."""
        self.directory = directory
        self.lock = lock
        """Descriptors of both, open until `release` or `leave`."""
        self._holder = holder

    @classmethod
    def acquire(cls, path: str, start_ticks: int = 0, config: str = "") -> RunDir:
        """Make `path` if it is missing and lock it; raises `AlreadyRunning` or `RunDirRefused`.

        `start_ticks`: when this process started (no survivor of this run can be older). `config`: the file that
        the run is started with.
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
            made = _make(path)
            directory = _open_private(path)
            if directory is None:
                continue
            lock = _lock_in(directory, path)
            if lock is None:
                os.close(directory)
                continue
            predecessor = _read_holder(lock)
            made = made or (predecessor is not None and predecessor.made_directory)
            shown = config.encode(errors="replace").decode()  # a path that is not UTF-8 is known by its file only
            holder = Holder(os.getpid(), secrets.token_hex(16), start_ticks, made, shown, _identity_of(config))
            try:
                _write_holder(lock, holder)
            except OSError as error:  # no room
                run_dir = cls(path, directory, lock, holder, predecessor)
                run_dir.release()
                raise RunDirRefused(path, f"its lock cannot be written: {error.strerror}", passing=True) from None
            _keep_cleaners_out(directory)
            return cls(path, directory, lock, holder, predecessor, place)
        raise RunDirRefused(path, "it keeps vanishing while it is being locked")

    @classmethod
    def inherit(cls, path: str, directory: int, lock: int, run_id: str) -> RunDir:
        """The directory that the process which started this one has locked, by the descriptors it handed on.

        Both hold the lock then, and it is free when both are gone. Raises `RunDirRefused` if they are not these.
        """
        holder = _read_holder(lock)
        if holder is None or holder.run_id != run_id:
            raise RunDirRefused(path, "it is not locked by the process that started this one")
        for descriptor in (directory, lock):
            os.set_inheritable(descriptor, False)
        return cls(path, directory, lock, holder, None)

    @property
    def run_id(self) -> str:
        """Names this run, unlike any other; no secret."""
        return self._holder.run_id

    def rename_run(self) -> None:
        """From now on another run of the same process lives here: another `run_id`."""
        self._holder = msgspec.structs.replace(self._holder, run_id=secrets.token_hex(16))
        _write_holder(self.lock, self._holder)

    @property
    def start_ticks(self) -> int:
        """When the process that locked it started."""
        return self._holder.start_ticks

    @property
    def descriptors(self) -> frozenset[int]:
        """Open until `release`."""
        return frozenset((self.directory, self.lock))

    # ---- while it is in use

    def missing(self) -> list[str]:
        """What has been removed or replaced: ``directory``, ``lock``; empty if nothing has."""
        try:
            if not os.path.samestat(os.lstat(self.path), os.fstat(self.directory)):
                return ["directory", _LOCK]
        except OSError:
            return ["directory", _LOCK]
        return [] if self.holds(_LOCK, self.lock) else [_LOCK]

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
        """Make again what is `missing`, under the same run id.

        Raises `AlreadyRunning` or `RunDirRefused`; OSError, such as no room, after which it may be tried again.
        """
        made = _make(self.path)
        directory = _open_private(self.path)
        if directory is None:
            raise RunDirRefused(self.path, "it vanishes again while it is being made")
        lock = _lock_in(directory, self.path)
        if lock is None:
            os.close(directory)
            raise RunDirRefused(self.path, "its lock vanishes again while it is being made")
        try:
            self._holder = msgspec.structs.replace(self._holder, made_directory=self._holder.made_directory or made)
            _write_holder(lock, self._holder)
            # over the descriptors of before: whatever shares or watches them needs not know
            os.dup2(directory, self.directory, inheritable=False)
            os.dup2(lock, self.lock, inheritable=False)
        finally:
            os.close(directory)
            os.close(lock)
        _keep_cleaners_out(self.directory)

    def rejoin(self) -> None:
        """Follow the other holder, where that has made directory and lock again; if it has not, do so.

        For an application, whose supervisor looks after the directory. Raises as `restore`.
        """
        if not self.missing():
            return
        if not self._follow():
            self.restore()
            return
        with contextlib.suppress(OSError):  # the other holder has it as long as it lives
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _follow(self) -> bool:
        """Take the directory and the lock that stand at the path now, if they are of this run."""
        try:
            with opened_directory(self.path) as directory:
                lock = open_private(_LOCK, os.O_RDWR, directory)
                try:
                    holder = _read_holder(lock)
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
        """Make directory and files look used: cleaners of temporary files go by their times."""
        _keep_cleaners_out(self.directory)
        with contextlib.suppress(OSError):
            os.utime(self.directory)
            for name in (_LOCK, *self.files()):
                with contextlib.suppress(OSError):
                    os.utime(name, dir_fd=self.directory, follow_symlinks=False)

    def link_descriptor(self, name: str, descriptor: int) -> None:
        """Show the file that `descriptor` of this process has open as `name`: it was removed, its content was not."""
        with contextlib.suppress(FileExistsError):
            os.symlink(f"/proc/{os.getpid()}/fd/{descriptor}", name, dir_fd=self.directory)

    def _stat(self, name: str) -> os.stat_result:
        return os.stat(name, dir_fd=self.directory, follow_symlinks=False)

    # ---- its files

    def files(self) -> list[str]:
        """Names of files of a supervisor in the directory, the lock left out, sorted."""
        with os.scandir(self.directory) as entries:
            return sorted(
                entry.name
                for entry in entries
                if entry.name != _LOCK and _is_ours(entry.name) and not entry.is_dir(follow_symlinks=False)
            )

    def remove(self, name: str) -> None:
        """Remove one file of ours, if it is there."""
        assert _is_ours(name), f"not a file of ours: {name}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.directory)

    def remove_files(self) -> list[str]:
        """Remove all files of a supervisor but the lock; returns their names."""
        names = self.files()
        for name in names:
            self.remove(name)
        return names

    def leave(self) -> None:
        """Let go of it and leave everything to the other holder. Nothing if that, or `release`, was done before."""
        for descriptor in (self.directory, self.lock):
            if descriptor >= 0:
                os.close(descriptor)
        self.directory = self.lock = -1
        if self._place is not None:
            self._place.close()

    def release(self) -> None:
        """Remove what was made, the directory itself if this or a killed earlier run made it; then unlock. Once."""
        if self.directory < 0:
            return
        if self.missing():
            self.leave()  # what is at the path now is not ours
            return
        self.remove_files()
        self.remove(_LOCK)
        if self._holder.made_directory:
            # not empty: it holds files of others, or a successor's new lock
            with contextlib.suppress(OSError):
                os.rmdir(self.path)
        self.leave()  # whoever waited for this lock sees that its file is gone, and begins again


def default_path(environ: Mapping[str, str], uid: int) -> str:
    """Where a run lives unless told otherwise: ``$XDG_RUNTIME_DIR/foxtrot``, else private under the temporary one."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime):
        return os.path.join(runtime, "foxtrot")
    return os.path.join(tempfile.gettempdir(), f"foxtrot-{uid}")


def path_problem(path: str) -> str:
    """Why no run can live at `path`, whatever is there; "" if one can."""
    try:
        path.encode()
        os.fsencode(path)
    except UnicodeEncodeError:
        return "its path is not valid UTF-8, or the encoding of file names cannot express it"
    try:
        for endpoint in (
            endpoints.data_endpoint,
            endpoints.child_control_endpoint,
            endpoints.operator_path,
            endpoints.tap_path,
        ):
            endpoint(path)
    except ValueError as error:
        return str(error)
    return ""


def _make(path: str) -> bool:
    unsafe = unsafe_parent(path)
    if unsafe:
        raise RunDirRefused(path, unsafe)
    try:
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)  # whatever the umask took away
    except FileExistsError:
        return False
    except OSError as error:
        raise RunDirRefused(path, f"cannot be made: {error.strerror}", passing=error.errno in _NO_ROOM) from None
    return True


def _keep_cleaners_out(directory: int) -> None:
    """systemd-tmpfiles leaves a directory alone whose lock it does not get."""
    with contextlib.suppress(OSError):
        fcntl.flock(directory, fcntl.LOCK_SH | fcntl.LOCK_NB)


def _identity_of(config: str) -> tuple[int, int] | None:
    try:
        facts = os.stat(config)
    except (OSError, ValueError):
        return None
    return facts.st_dev, facts.st_ino


def _open_private(path: str) -> int | None:
    """A descriptor of the directory, None if it has vanished meanwhile."""
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


def _lock_in(directory: int, path: str) -> int | None:
    """A descriptor that holds the lock, None if the file was taken away by its holder leaving."""
    try:
        lock = create_private(_LOCK, os.O_RDWR, directory)
    except FileNotFoundError:
        return None  # the directory itself has been removed
    except OSError as error:
        os.close(directory)
        reason = f"its lock cannot be opened: {error.strerror}"
        raise RunDirRefused(path, reason, passing=error.errno in _NO_ROOM) from None
    deadline = time.monotonic() + HELD_BY_NOBODY_S
    while not _locked(lock):
        # until the new holder has written its own, a dead predecessor's may still stand there
        holder = _read_holder(lock)
        alive = holder is not None and procfs.is_alive(holder.pid)
        if alive or time.monotonic() >= deadline:
            os.close(lock)
            os.close(directory)
            raise AlreadyRunning(path, holder.pid if holder is not None and alive else 0)
        time.sleep(_LOOK_S)
    try:
        current = os.stat(_LOCK, dir_fd=directory, follow_symlinks=False)
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


def _read_holder(lock: int) -> Holder | None:
    try:
        return msgspec.json.decode(os.pread(lock, LOCK_BYTES_MAX, 0), type=Holder)
    except (ValueError, RecursionError):
        return None  # empty, or not written by us


def _write_holder(lock: int, holder: Holder) -> None:
    os.ftruncate(lock, 0)
    os.pwrite(lock, msgspec.json.encode(holder) + b"\n", 0)


def _is_ours(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in _OURS)
