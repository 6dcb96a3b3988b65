"""Replace the content of a file at once, if nobody has changed it meanwhile; mode and owner stay."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from typing import NamedTuple

__all__ = ["FileContent", "NotReplaced", "read_content", "replace_content"]


class NotReplaced(Exception):
    """The file is as it was; the text says why."""


class FileContent(NamedTuple):
    """What a file contained when it was read. `path`: without symbolic links."""

    path: str
    data: bytes


def read_content(path: str, bytes_max: int) -> FileContent:
    """Read the file at `path`, following symbolic links.

    Raises:
        NotReplaced: if it cannot be read, is no ordinary file, has more than `bytes_max` bytes, or cannot be replaced
            by this user.
    """
    real = os.path.realpath(path)
    try:
        with open(real, "rb") as file:
            facts = os.fstat(file.fileno())
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise NotReplaced(f"{path} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(facts.st_mode) or len(data) > bytes_max:
        raise NotReplaced(f"{path} is no file of at most {bytes_max} bytes")
    for place, what in ((real, path), (os.path.dirname(real), f"the directory of {path}")):
        if not os.access(place, os.W_OK):
            raise NotReplaced(f"{what} is not writable for this user")
    return FileContent(real, data)


def replace_content(before: FileContent, data: bytes) -> None:
    """Put `data` in place of what was read, in one step: a reader sees the old or the new content.

    Raises:
        NotReplaced: if the file has changed since `read_content`, if its owner cannot be kept, or if writing fails.
    """
    folder = os.path.dirname(before.path)
    temporary = ""
    try:
        facts = os.stat(before.path)
        descriptor, temporary = tempfile.mkstemp(prefix=".foxtrot-", dir=folder)
        with open(descriptor, "wb") as file:
            file.write(data)
            own = os.fstat(file.fileno())
            if (own.st_uid, own.st_gid) != (facts.st_uid, facts.st_gid):
                os.fchown(file.fileno(), facts.st_uid, facts.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(facts.st_mode))
            file.flush()
            os.fsync(file.fileno())
        with open(before.path, "rb") as file:
            if file.read(len(before.data) + 1) != before.data:
                raise NotReplaced(f"{before.path} has changed meanwhile")
        os.replace(temporary, before.path)
        temporary = ""
        _sync_folder(folder)
    except OSError as error:
        raise NotReplaced(f"{before.path} cannot be replaced: {error.strerror}") from None
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _sync_folder(folder: str) -> None:
    with contextlib.suppress(OSError):  # not every file system can
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
