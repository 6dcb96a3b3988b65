"""Trust in a socket of a run directory: depends on who owns the directory and who serves the socket."""

from __future__ import annotations

import os
import socket
import stat

from foxtrot_supervisor.system.peer_credentials import credentials_of

__all__ = ["NotRunning", "NotTrusted", "check_peer", "distrust"]


class NotRunning(Exception):
    """No supervisor answers at `path`; `reason` says what happened instead."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"no supervisor is running at {path}: {reason}")
        self.path = path
        self.reason = reason


class NotTrusted(NotRunning):
    """A process that is not a supervisor of this user answers at `path`."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.args = (f"{path} is not a supervisor of yours; nothing was sent to it: {reason}",)


def check_peer(end: socket.socket, path: str) -> None:
    """Raise `NotTrusted` if another user's process serves the socket `end`, connected to `path`.

    Raises FileNotFoundError if the directory was removed meanwhile: the run is ending.
    """
    folder = os.path.dirname(path)
    try:
        directory, parent = os.lstat(folder), os.stat(os.path.dirname(folder))
        peer = credentials_of(end).uid
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NotTrusted(path, f"its server is unknown ({error.strerror})") from None
    reason = distrust(
        me=os.geteuid(),
        peer=peer,
        owner=directory.st_uid,
        is_directory=stat.S_ISDIR(directory.st_mode),
        shared_parent=bool(parent.st_mode & stat.S_IWOTH),
    )
    if reason:
        raise NotTrusted(path, reason)


def distrust(*, me: int, peer: int, owner: int, is_directory: bool, shared_parent: bool) -> str:
    """Return why a peer is not trusted, "" if it is.

    `me`, `peer`, `owner`: uids of this process, of the serving process, of the run directory. Root trusts the
    supervisor of any user, except in a directory where every user can create entries (`shared_parent`).
    """
    if not is_directory:
        return "the run directory is a symbolic link or no directory"
    if owner not in (me, 0) and (me != 0 or shared_parent):
        return f"the run directory belongs to uid {owner}, not to {me}"
    if peer not in (owner, me, 0):
        return f"its socket is served by uid {peer}, the directory belongs to uid {owner}"
    return ""
