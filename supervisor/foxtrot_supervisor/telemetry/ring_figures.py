"""Figures from the headers of the rings in a run directory, readable by any process of the same user."""

from __future__ import annotations

import contextlib
import os

from foxtrot_protocol import ring_layout
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.ring_layout import HEADER_BYTES, RingFigures

__all__ = ["read_figures"]

_MARK_READS_MAX = 100
"""Attempts to read a mark that its writer is replacing."""


def read_figures(run_dir: str) -> list[RingFigures]:
    """Read the figures of every ring in `run_dir`, sorted by worker and incarnation.

    Rings that cannot be read, are damaged, or change at every attempt are left out.
    """
    found = []
    for name in os.listdir(run_dir):
        if ring_layout.parse_ring_name(name) is None:
            continue
        with contextlib.suppress(OSError, MalformedMessage):
            fd = os.open(os.path.join(run_dir, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                for _ in range(_MARK_READS_MAX):
                    shown = ring_layout.figures(os.pread(fd, HEADER_BYTES, 0))
                    if shown is not None:
                        found.append(shown)
                        break
            finally:
                os.close(fd)
    return sorted(found, key=lambda shown: (shown.worker, shown.incarnation))
