"""A bundle as a file: a ZIP archive, complete or absent, readable by this user only; and how many are kept."""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Sequence

from msgspec import Struct

__all__ = ["BUNDLES_BYTES_MAX", "SUFFIX", "Kept", "Member", "kept_bundles", "members_of", "prune", "write_bundle"]

SUFFIX = ".foxtrot.zip"
"""End of the name of each bundle."""

BUNDLES_BYTES_MAX = 512 * 1024 * 1024
"""Bytes of all bundles of a directory, in addition to their number."""

_PART = ".part"


class Member(Struct, frozen=True):
    """A file in a bundle."""

    name: str
    content: bytes
    about: str
    """What it is, for people."""


class Kept(Struct, frozen=True, order=True):
    """A bundle in a directory."""

    at_ns: int
    name: str
    size: int


def write_bundle(path: str, members: Sequence[Member]) -> int:
    """Write a bundle, which is complete or does not exist; return its size in bytes. Raises OSError."""
    part = path + _PART
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
                for member in members:
                    archive.writestr(member.name, member.content)
            file.flush()
            os.fsync(file.fileno())
        size = os.stat(part).st_size
        os.rename(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    return size


def members_of(path: str) -> list[str]:
    """Return the names of the files in a bundle; raises OSError, `zipfile.BadZipFile`."""
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def kept_bundles(directory: str) -> list[Kept]:
    """Return the bundles in a directory, oldest first; none if it cannot be read."""
    found = []
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False):
                facts = entry.stat(follow_symlinks=False)
                found.append(Kept(facts.st_mtime_ns, entry.name, facts.st_size))
    return sorted(found)


def prune(directory: str, count_max: int, bytes_max: int = BUNDLES_BYTES_MAX) -> list[Kept]:
    """Remove the oldest bundles beyond `count_max` and `bytes_max`; return those that are kept."""
    kept = kept_bundles(directory)
    while kept and (len(kept) > count_max or sum(each.size for each in kept) > bytes_max):
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(directory, kept[0].name))
        del kept[0]
    return kept
