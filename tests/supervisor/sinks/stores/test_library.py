"""Libraries of stores."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from foxtrot_supervisor.sinks.sink import SinkMisconfigured
from foxtrot_supervisor.sinks.stores.library import is_installed, load_library


def test_a_library_is_found_without_loading_it() -> None:
    assert is_installed("msgspec")
    assert not is_installed("no_such_library_here")


async def test_a_library_is_loaded_beside_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_library_here.py").write_text("import threading\nTHREAD = threading.current_thread()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    loaded = await load_library("slow_library_here", "needs it")
    assert loaded.THREAD is not threading.current_thread()
    with pytest.raises(SinkMisconfigured, match="needs that: pip install"):
        await load_library("no_such_library_here", "needs that: pip install")
