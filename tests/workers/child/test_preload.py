"""Preloaded modules, and when a copy of the process would be unsound or out of date."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from foxtrot_workers.child.preload import Preloaded

THREADS = """
import sys, threading
from foxtrot_workers.child.preload import Preloaded
quiet = Preloaded(["json", "no_such_module"])
print(repr(quiet.unsound()))
threading.Thread(target=threading.Event().wait, daemon=True).start()
print(quiet.unsound())
"""


def test_a_process_with_threads_cannot_be_copied() -> None:
    done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, timeout=30, check=True)
    alone, with_thread = done.stdout.splitlines()
    assert alone == "''"
    assert "has started threads (1)" in with_thread


def test_files_of_the_users_modules_are_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    helper, strategy = tmp_path / "preload_helper.py", tmp_path / "preload_strategy.py"
    helper.write_text("LIMIT = 1\n")
    strategy.write_text("import preload_helper\n")
    preloaded = Preloaded(["preload_strategy", "preload_broken"], str(tmp_path))
    try:
        assert sys.modules["preload_strategy"].preload_helper.LIMIT == 1
        assert preloaded.changed() == ""
        os.utime(helper, ns=(1, 1))
        assert preloaded.changed() == str(helper)
        helper.unlink()
        assert preloaded.changed() == str(helper)
    finally:
        for name in ("preload_strategy", "preload_helper"):
            sys.modules.pop(name, None)


def test_without_a_folder_nothing_is_watched() -> None:
    assert Preloaded(["json"]).changed() == ""
