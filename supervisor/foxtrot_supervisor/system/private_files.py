"""Files and directories that only this user can have changed: opened by descriptor, then checked.

A directory is trusted if only this user and root can replace it: each directory on its path, symbolic links included,
belongs to one of the two, and is either not writable for others or sticky.
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
"""Symbolic links followed on the path of a directory; the limit of the kernel."""

_KEPT = re.compile(r"/proc/[1-9][0-9]*/fd/[0-9]+")

_OVERFLOW_UID = 65534
"""Owner shown, in a user namespace, for users that do not exist in it."""


def unsafe_parent(path: str) -> str:
    """Return why another user could replace the directory `path`, which need not exist; "" if none can.

    Checks the owner and the mode of every entry that is passed while `path` is resolved.
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
            return ""  # missing or unreadable: reported where it is created or opened
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
        if waiting:  # the last one is checked by the function that opens it
            reason = _untrusted(place, facts, trusted)
    return reason


@contextlib.contextmanager
def opened_directory(path: str) -> Iterator[int]:
    """Yield a descriptor of the directory `path`, which must belong to this user; raises OSError."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _check_owner(directory, path)
        yield directory
    finally:
        os.close(directory)


def open_private(name: str, flags: int, directory: int) -> int:
    """Open the regular file `name` in `directory` (a descriptor); raises OSError, also for another user's."""
    # O_NONBLOCK: a named pipe in its place must not block this process
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
    """As `open_private`; also follows a link to a descriptor that keeps a file which was removed from the directory."""
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
    """Open the regular file `name` in `directory`, created if missing; its mode is 0600, whatever the umask."""
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
        return f"{place} belongs to uid {facts.st_uid}, who could replace its entries"
    if facts.st_mode & stat.S_ISVTX:
        return ""
    if facts.st_mode & stat.S_IWOTH:
        return f"every user can replace entries of {place} (mode {stat.S_IMODE(facts.st_mode):04o}): chmod o-w or +t"
    if facts.st_mode & stat.S_IWGRP and not _only_ours(facts.st_gid):
        return (
            f"other members of group {facts.st_gid} can replace entries of {place} "
            f"(mode {stat.S_IMODE(facts.st_mode):04o}): chmod g-w"
        )
    return ""


def _only_ours(group: int) -> bool:
    """Whether `group` has no members but this user and root, as the private group of a user."""
    if group == 0:
        return True
    ours = {0, os.geteuid()}
    try:
        named = {pwd.getpwnam(name).pw_uid for name in grp.getgrgid(group).gr_mem}
    except KeyError:  # an unknown group or member
        return False
    return named | {user.pw_uid for user in pwd.getpwall() if user.pw_gid == group} <= ours


def _trusted_owners() -> frozenset[int]:
    trusted = {0, os.geteuid()}
    with contextlib.suppress(OSError), open("/proc/self/uid_map", encoding="ascii") as file:
        if file.read().split() != ["0", "0", "4294967295"]:
            trusted.add(_OVERFLOW_UID)  # no process of this namespace can have it
    return frozenset(trusted)
