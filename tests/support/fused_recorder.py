"""Start target of a Parquet sink's process that SIGKILLs itself at a chosen moment of a publication.

The test names the moment in a file; the process that comes to it removes the file and dies.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from foxtrot_protocol.child import ChildContext
from foxtrot_supervisor.sinks import sink_process

__all__ = ["FUSE", "MOMENTS", "run"]

FUSE: Final = "fuse"
"""Name of the file, beside the directory of the recording."""

MOMENTS: Final = {"writing": "_stage", "committed": "_write_state", "published": "publish"}
"""Names of moments, and the method of `RecordingWriter` after which each is.

"published" is before the spool has the acknowledgement.
"""


async def run(context: ChildContext) -> int:
    """Run a sink until a moment that the test names."""
    from foxtrot_supervisor.tables.writer import RecordingWriter

    for moment, method in MOMENTS.items():
        setattr(RecordingWriter, method, _dying_after(getattr(RecordingWriter, method), moment))
    return await sink_process.run(context)


def _dying_after(method: Callable[..., Any], moment: str) -> Callable[..., Any]:
    def call(writer: Any, *arguments: Any) -> Any:
        result = method(writer, *arguments)
        fuse = Path(writer.directory).parent / FUSE
        if fuse.exists() and fuse.read_text() == moment:
            fuse.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return call
