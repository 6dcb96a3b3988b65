"""Files and directories that only this user may have touched: opened by descriptor, checked before they are believed.

A directory is trusted if nobody but this user and root can put another one in its place: each directory on the way to
it, symbolic links included, belongs to one of the two, and is either not writable for others or sticky.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import re
import stat
from collections.abc import Iterator

__all__ = ["LINKS_MAX", "create_private", "open_kept", "open_private", "opened_directory", "unsafe_parent"]

LINKS_MAX = 40
"""Symbolic links followed on the way to a directory; the kernel's own limit."""

_KEPT = re.compile(r"/proc/[1-9][0-9]*/fd/[0-9]+")

_OVERFLOW_UID = 65534
"""Owner shown, in a user namespace, for users that do not exist in it."""


def unsafe_parent(path: str) -> str:
    """Why another user could replace the directory `path`, which need not exist; "" if nobody can.

    Looks at every directory that is passed while `path` is resolved, and at who owns each entry on the way.
    """
    trusted = _trusted_owners()
    waiting = [part for part in os.path.abspath(path).split("/") if part][::-1]
    place, links = "/", 0
    reason = _untrusted(place, os.stat(place), trusted)
    while waiting and not reason:
        part = waiting.pop()
        if part == "..":
            place = os.path.dirname(place)
            continue
        entry = os.path.join(place, part)
        try:
            facts = os.lstat(entry)
        except OSError:
            return ""  # not there, or not to be read: whoever makes or opens it says so
        if stat.S_ISLNK(facts.st_mode) and waiting:
            links += 1
            if facts.st_uid not in trusted:
                return f"the symbolic link {entry} belongs to uid {facts.st_uid}"
            if links > LINKS_MAX:
                return f"more than {LINKS_MAX} symbolic links"
            target = os.readlink(entry)
            place = "/" if target.startswith("/") else place
            waiting += [piece for piece in target.split("/") if piece not in ("", ".")][::-1]
            continue
        place = entry
        if waiting:  # the last one is judged by who opens it
            reason = _untrusted(place, facts, trusted)
    return reason


@contextlib.contextmanager
def opened_directory(path: str) -> Iterator[int]:
    """A descriptor of the directory `path`, which must be this user's own; raises OSError."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _check_owner(directory, path)
        yield directory
    finally:
        os.close(directory)


def open_private(name: str, flags: int, directory: int) -> int:
    """Open the regular file `name` in `directory` (a descriptor); raises OSError, also if it is another user's."""
    # O_NONBLOCK: a named pipe in its place must not hold this process up
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=directory)
    try:
        _check_owner(descriptor, name)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", name)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def open_kept(name: str, flags: int, directory: int) -> int:
    """As `open_private`; also through a link to a descriptor that keeps a file which was removed from the directory."""
    try:
        return open_private(name, flags, directory)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
    target = os.readlink(name, dir_fd=directory)
    if not _KEPT.fullmatch(target):
        raise OSError(errno.ELOOP, "is a symbolic link", name)
    descriptor = os.open(target, flags | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _check_owner(descriptor, name)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", name)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def create_private(name: str, flags: int, directory: int) -> int:
    """Open the regular file `name` in `directory`, made if it is missing; mode 0600, whatever the umask."""
    descriptor = os.open(
        name, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600, dir_fd=directory
    )
    try:
        _check_owner(descriptor, name)
        os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_owner(descriptor: int, name: str) -> None:
    owner = os.fstat(descriptor).st_uid
    if owner != os.geteuid():
        raise PermissionError(errno.EPERM, f"belongs to uid {owner}, not to {os.geteuid()}", name)


def _untrusted(place: str, facts: os.stat_result, trusted: frozenset[int]) -> str:
    if facts.st_uid not in trusted:
        return f"{place} belongs to uid {facts.st_uid}, who could replace what is in it"
    if facts.st_mode & stat.S_ISVTX:
        return ""
    if facts.st_mode & stat.S_IWOTH:
        return f"everybody can replace what is in {place} (mode {stat.S_IMODE(facts.st_mode):04o}): chmod o-w or +t"
    if facts.st_mode & stat.S_IWGRP and not _only_ours(facts.st_gid):
        return (
            f"others of group {facts.st_gid} can replace what is in {place} "
            f"(mode {stat.S_IMODE(facts.st_mode):04o}): chmod g-w"
        )
    return ""


def _only_ours(group: int) -> bool:
    """Whether `group` has no members but this user and root, as groups that a system makes for each user have."""
    if group == 0:
        return True
    ours = {0, os.geteuid()}
    try:
        named = {pwd.getpwnam(name).pw_uid for name in grp.getgrgid(group).gr_mem}
    except KeyError:  # a group or a member that nobody knows
        return False
    return named | {user.pw_uid for user in pwd.getpwall() if user.pw_gid == group} <= ours


def _trusted_owners() -> frozenset[int]:
    trusted = {0, os.geteuid()}
    with contextlib.suppress(OSError), open("/proc/self/uid_map", encoding="ascii") as file:
        if file.read().split() != ["0", "0", "4294967295"]:
            trusted.add(_OVERFLOW_UID)  # of nobody who could run in this namespace
    return frozenset(trusted)
