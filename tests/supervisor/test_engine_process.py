"""Loading a user's handlers, and watching for slow ones."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foxtrot_supervisor.engine_process import DispatchEnded, HandlerProblem, SlowHandlerWatch, load_handlers
from foxtrot_supervisor.event_engine import Event, EventEngine
from tests.support.waiting import wait_until_async

LIMIT_S = 5.0


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


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def warning(self, event: str, /, **fields: Any) -> None:
        self.lines.append((event, fields))


class Context:
    def __init__(self) -> None:
        self.log = Log()


async def test_a_slow_handler_is_reported_once_with_its_stack_while_it_runs() -> None:
    engine, context, release = EventEngine(), Context(), threading.Event()

    def dawdle(_: Event) -> None:
        release.wait(LIMIT_S)

    engine.register("e", dawdle)
    engine.start()
    watch = SlowHandlerWatch(engine, 0.1, context)  # type: ignore[arg-type]  # only the log is used
    task = asyncio.create_task(watch.run())
    engine.put(Event("e"))
    await wait_until_async(lambda: context.log.lines, LIMIT_S, "the report")
    event, fields = context.log.lines[0]
    assert event == "slow_handler"
    assert "dawdle" in fields["stack"]
    release.set()
    assert watch.slow_total == 1
    await asyncio.to_thread(engine.stop, LIMIT_S)
    with pytest.raises(DispatchEnded):
        await asyncio.wait_for(task, LIMIT_S)
