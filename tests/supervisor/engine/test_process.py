"""Loading a user's handlers; an engine for which there is no room."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_supervisor.engine import process
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.process import HandlerProblem, load_handlers


@pytest.fixture
def user_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / "users_module.py"
    sys.modules.pop("users_module", None)


def test_setup_is_called_with_the_engine_and_its_close_is_kept(user_code: Path) -> None:
    user_code.write_text(
        "class Strategy:\n"
        "    closed = False\n"
        "    def close(self):\n"
        "        Strategy.closed = True\n"
        "def setup(engine):\n"
        "    engine.register('e', print)\n"
        "    return Strategy()\n"
        "def nothing(engine):\n"
        "    return None\n"
    )
    engine = EventEngine()
    (close,) = load_handlers("users_module:setup", engine)
    assert engine.handler_count() == 1
    close()
    assert sys.modules["users_module"].Strategy.closed
    assert load_handlers("users_module:nothing", engine) == []


@pytest.mark.parametrize(
    ("code", "target", "expected"),
    [
        ("", "absent_module:setup", "absent_module"),
        ("x = 1", "users_module:setup", "setup"),
        ("1/0", "users_module:setup", "ZeroDivisionError"),
        ("def setup(engine):\n    raise ValueError('no key')", "users_module:setup", "no key"),
        ("setup = 3", "users_module:setup", "int"),
    ],
)
def test_a_handler_that_cannot_be_used_is_named_with_the_reason(
    user_code: Path, code: str, target: str, expected: str
) -> None:
    user_code.write_text(code)
    with pytest.raises(HandlerProblem, match=expected) as caught:
        load_handlers(target, EventEngine())
    assert target in str(caught.value)


async def test_an_engine_without_room_says_where_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    log = SimpleNamespace(error=lambda event, reason: told.append(event))
    context: Any = SimpleNamespace(spec=SimpleNamespace(run_dir="/run/x"), log=log, failed=told.append)

    async def fail(_context: Any, *, ringless: bool) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(process, "_run", fail)
    assert await process.run(context) == ChildExit.NO_ROOM
    assert told == ["no_room", "/run/x: no room for the engine's sockets and files: No space left on device"]


async def test_other_errors_of_an_engine_are_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_context: Any, *, ringless: bool) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(process, "_run", fail)
    context: Any = SimpleNamespace()
    with pytest.raises(OSError, match="Input/output"):
        await process.run(context)
