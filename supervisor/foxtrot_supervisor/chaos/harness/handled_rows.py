"""A handler that writes a row for each market event: what a recording is compared with (`rules.recording_judge`)."""

from __future__ import annotations

import os

from foxtrot_protocol.events import EVENT_BBO, EVENT_BOOK, EVENT_MARKET_TRADE
from foxtrot_supervisor.chaos.rules.recording_judge import pack_event
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine

__all__ = ["HandledRows", "rows_module"]


class HandledRows:
    """Registers itself; `close` is called at the end."""

    def __init__(self, engine: EventEngine, path: str, *, timed: bool) -> None:
        """Appends to the file at `path`; `timed`: as for `pack_event`."""
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._timed = timed
        for kind in (EVENT_MARKET_TRADE, EVENT_BBO, EVENT_BOOK):
            engine.register(kind, self.on_event)

    def on_event(self, event: Event) -> None:
        """Write the row with one system call: it survives the process."""
        os.write(self._file, pack_event(event.data, timed=self._timed))

    def close(self) -> None:
        """The engine ends."""
        os.close(self._file)


def rows_module(path: str, *, timed: bool) -> str:
    """Return the text of a module whose `setup` is the handler to configure."""
    return (
        "from foxtrot_supervisor.chaos.harness.handled_rows import HandledRows\n\n\n"
        f"def setup(engine):\n    return HandledRows(engine, {path!r}, timed={timed!r})\n"
    )
