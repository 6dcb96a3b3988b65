"""A dead engine is replaced by a copy of the template process that holds its imports and the handlers' modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest

from foxtrot_supervisor.config.schema import ConnectionConfig, EngineConfig, FoxtrotConfig
from foxtrot_supervisor.core.targets import ENGINE_NURSERY, Targets
from foxtrot_supervisor.runtime.processes.nursery_link import nursery_possible
from tests.support.supervisor_process import SupervisorProcess, quick
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(not nursery_possible(), reason="template processes exist on Linux, x86_64 and aarch64"),
]

LIMIT_S = 30.0

HANDLER = """
import os
{import_time}
class Setup:
    def __init__(self, engine):
        with open({notes!r}, "a") as file:
            file.write("{version} %d\\n" % os.getpid())
"""


def write_handler(folder: Path, version: str, import_time: str = "") -> None:
    text = HANDLER.format(notes=str(folder / "set_up"), version=version, import_time=import_time)
    (folder / "template_handler.py").write_text(text)


def set_up(folder: Path) -> list[list[str]]:
    """Version of the handler and pid of each engine so far."""
    return [line.split() for line in (folder / "set_up").read_text().splitlines()]


def run_of(folder: Path) -> SupervisorProcess:
    config = FoxtrotConfig(
        supervisor=quick(start_method="auto", hung_s=20.0, late_s=10.0, restart_intensity=1000, healthy_after_s=0.0),
        engine=EngineConfig(handlers=["template_handler:Setup"], preload=True),
        connections=[ConnectionConfig(name="sim", exchange="sim", channels=["trade"], symbols=["BTCUSDT"])],
    )
    return SupervisorProcess(folder, config=config, targets=Targets(), import_path=str(folder))


def template(run: SupervisorProcess, other_than: int = 0) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        found = (run.status() or {}).get("engine_nursery") or {}
        return found if found.get("state") == "RUNNING" and found["pid"] != other_than else {}

    found: dict[str, Any] = wait_until(look, LIMIT_S, f"{ENGINE_NURSERY} to be RUNNING")
    return found


def kill_engine(run: SupervisorProcess) -> dict[str, Any]:
    """SIGKILL the engine; its successor once that serves."""
    pid = int(run.wait_state("engine", "RUNNING", LIMIT_S)["pid"])
    psutil.Process(pid).kill()

    def look() -> dict[str, Any]:
        child = run.child("engine")
        return child if child.get("state") == "RUNNING" and child["pid"] not in (None, pid) else {}

    found: dict[str, Any] = wait_until(look, LIMIT_S, "the next engine")
    return found


def is_copy(run: SupervisorProcess, engine: dict[str, Any], of: dict[str, Any]) -> bool:
    process = psutil.Process(engine["pid"])
    assert process.ppid() == run.pid, "the supervisor is its parent, also when the template forked it"
    return process.cmdline() == psutil.Process(of["pid"]).cmdline()


def test_successors_are_copies_and_a_changed_handler_is_imported_again(tmp_path: Path) -> None:
    write_handler(tmp_path, "one")
    with run_of(tmp_path) as run:
        run.wait_running()
        first = template(run)
        assert is_copy(run, kill_engine(run), first)
        assert is_copy(run, kill_engine(run), first)
        assert run.events("nursery_failed") == []
        events = run.child("engine")["events_total"]
        wait_until(lambda: run.child("engine")["events_total"] > events, LIMIT_S, "events at the copy's handlers")

        write_handler(tmp_path, "number two")
        kill_engine(run)
        (failed,) = run.events("nursery_failed")
        assert "template_handler.py has changed" in failed["reason"]
        second = template(run, other_than=first["pid"])
        assert is_copy(run, kill_engine(run), second)
        versions = [" ".join(words[:-1]) for words in set_up(tmp_path)]
        assert versions == ["one", "one", "one", "number two", "number two"]
        answer = run.stop()
        assert (answer["exit_code"], answer["audit"]["clean"]) == (0, True)


def test_a_handler_whose_module_starts_threads_is_never_copied(tmp_path: Path) -> None:
    threads = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    write_handler(tmp_path, "one", threads)
    with run_of(tmp_path) as run:
        run.wait_running()
        first = template(run)
        assert not is_copy(run, kill_engine(run), first)
        assert "has started threads" in run.events("nursery_failed")[0]["reason"]
        assert template(run)["pid"] == first["pid"]
