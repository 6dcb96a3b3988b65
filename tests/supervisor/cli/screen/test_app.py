"""The view, driven by its keys, on a played run."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from foxtrot_protocol.control import (
    ReloadRequest,
    RestartRequest,
    StopRequest,
    StopWorkersRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from foxtrot_supervisor.cli.screen.app import Starter, TopApp
from foxtrot_supervisor.cli.screen.details import Details, IncidentList
from foxtrot_supervisor.cli.screen.dialogs import Confirm, Help, Prompt
from foxtrot_supervisor.cli.screen.process_list import ProcessList
from tests.supervisor.cli.screen.played_run import PlayedRun, driven, shown, until
from tests.support.statuses import STATUS, remote


def table(pilot: Pilot[None]) -> ProcessList:
    return pilot.app.query_one(ProcessList)


def selected(pilot: Pilot[None]) -> str:
    row = table(pilot).selected
    return "" if row is None else row.name


def notices(pilot: Pilot[None]) -> list[str]:
    return [notice.message for notice in pilot.app._notifications]


async def test_it_shows_the_run_and_its_incidents(tmp_path: Path) -> None:
    run = PlayedRun()
    async with driven(tmp_path, run) as pilot:
        assert "4/5 workers serve" in shown(pilot, "#header")
        assert "Dear.on_trade" in shown(pilot, "#engine")
        assert "none since the start" in shown(pilot, "#incidents")
        run.incidents = [{"seq": 1, "at_ns": 1, "kind": "death", "worker": "twin.a", "cause": "killed by SIGKILL"}]
        await until(pilot, lambda: "killed by SIGKILL" in shown(pilot, "#incidents"))
        assert "1 incidents" in shown(pilot, "#header")


async def test_only_visible_rows_are_rendered_and_the_cursor_moves(tmp_path: Path) -> None:
    async with driven(tmp_path, PlayedRun(), size=(100, 20)) as pilot:
        await until(pilot, lambda: selected(pilot) == "twin")
        await pilot.press("down", "down", "up")
        assert selected(pilot) == "twin.b"
        await pilot.press("end")
        assert selected(pilot) == "simulator"
        assert "simulator" in table(pilot).render_line(table(pilot).size.height - 1).text
        await pilot.press("home", "pagedown")
        assert selected(pilot) != "twin"


async def test_filter_order_and_folding(tmp_path: Path) -> None:
    async with driven(tmp_path, PlayedRun()) as pilot:
        await until(pilot, lambda: selected(pilot) == "twin")
        await pilot.press("slash", *"backoff")
        assert table(pilot).border_subtitle == "order: problems  2 rows"
        await pilot.press("enter")
        assert table(pilot).has_focus
        await pilot.press("escape")
        assert pilot.app.query_one("#filter", Input).value == ""
        assert table(pilot).border_subtitle == "order: problems  10 rows"
        await pilot.press("space")
        assert table(pilot).border_subtitle == "order: problems  8 rows"
        await pilot.press("space", "s", "S")
        assert table(pilot).border_subtitle == "order: file, reversed  10 rows"


async def test_the_cursor_stays_on_its_row_when_the_order_changes(tmp_path: Path) -> None:
    async with driven(tmp_path, PlayedRun()) as pilot:
        await until(pilot, lambda: selected(pilot) == "twin")
        table(pilot).select("single.a")
        await pilot.press("s", "s", "s")
        assert selected(pilot) == "single.a"


async def test_a_restart_is_sent_after_a_yes_only(tmp_path: Path) -> None:
    run = PlayedRun()
    async with driven(tmp_path, run) as pilot:
        await until(pilot, lambda: selected(pilot) == "twin")
        await pilot.press("r")
        assert isinstance(pilot.app.screen, Confirm)
        await pilot.press("n")
        assert not isinstance(pilot.app.screen, Confirm)
        await pilot.press("down", "r", "y")
        await until(pilot, lambda: run.asked)
        assert run.asked == [RestartRequest("twin.b")]
        await until(pilot, lambda: "twin.b has been restarted" in notices(pilot))


async def test_one_worker_is_stopped_after_a_yes_only(tmp_path: Path) -> None:
    run = PlayedRun()
    async with driven(tmp_path, run) as pilot:
        await until(pilot, lambda: selected(pilot) == "twin")
        await pilot.press("down", "d", "n", "d", "y")
        await until(pilot, lambda: "twin.b has been stopped" in notices(pilot))
        assert run.asked == [StopWorkersRequest(["twin.b"])]


async def test_a_refusal_is_shown(tmp_path: Path) -> None:
    run = PlayedRun()
    run.error = "it is [bold]refused[/nope]"
    async with driven(tmp_path, run) as pilot:
        await pilot.press("x", "y")
        await until(pilot, lambda: run.error in notices(pilot))
        assert run.asked == [StopRequest()]


async def test_symbols_are_subscribed_and_unsubscribed(tmp_path: Path) -> None:
    run = PlayedRun()
    async with driven(tmp_path, run) as pilot:
        await until(pilot, lambda: selected(pilot) == "twin")
        table(pilot).select("single.a")
        await pilot.press("u")
        assert isinstance(pilot.app.screen, Prompt)
        await pilot.press(*"AB,CD", "enter")
        await until(pilot, lambda: len(run.asked) == 1)
        await pilot.press("U", *"AB", "enter", "n", "U", *"AB", "enter", "y")
        await until(pilot, lambda: len(run.asked) == 2)
        await pilot.press("u", "escape", "u", "enter", "R", "y")
        await until(pilot, lambda: len(run.asked) == 3)
    subscribe = SubscribeRequest("single.a", ["AB", "CD"])
    assert run.asked == [subscribe, UnsubscribeRequest("single.a", ["AB"]), ReloadRequest()]


async def test_further_screens_and_the_way_back(tmp_path: Path) -> None:
    async with driven(tmp_path, PlayedRun()) as pilot:
        await until(pilot, lambda: selected(pilot) == "twin")
        for key, screen in (("question_mark", Help), ("enter", Details), ("i", IncidentList)):
            await pilot.press(key)
            assert isinstance(pilot.app.screen, screen)
            await pilot.press("escape")
            assert not isinstance(pilot.app.screen, screen)


async def test_a_run_that_ends_is_said_and_the_last_state_stays(tmp_path: Path) -> None:
    run = PlayedRun()
    app = TopApp(str(tmp_path), 0.05)
    async with app.run_test(size=(150, 44)) as pilot:
        await until(pilot, lambda: "waiting for the run" in shown(pilot, "#header"))
        assert selected(pilot) == ""
        async with driven(tmp_path, run):
            await until(pilot, lambda: "workers serve" in shown(pilot, "#header"))
        await until(pilot, lambda: "NOT CONNECTED" in shown(pilot, "#header"))
        assert selected(pilot) == "twin"


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_leaving(tmp_path: Path, key: str) -> None:
    async with driven(tmp_path, PlayedRun()) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: not pilot.app.is_running)


STARTER = """
import signal, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit(7))
print("ready", flush=True)
signal.pause()
"""


async def test_a_view_of_start_interrupts_it_and_follows_its_end(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTER, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    (output, printed), (alive, lifeline) = os.pipe(), os.pipe()
    os.set_blocking(output, False)
    starter = Starter(process.pid, output, alive)
    app = TopApp(str(tmp_path), 0.05, starter)
    async with app.run_test(size=(150, 44)) as pilot:
        os.write(printed, b"from a handler\n")
        await until(pilot, lambda: "from a handler" in shown(pilot, "#output"))
        await pilot.press("q", "n")
        assert process.returncode is None
        await pilot.press("ctrl+c")
        assert await process.wait() == 7
        await pilot.press("ctrl+c")  # it has gone
        os.close(printed)
        await pilot.pause(0.1)
        os.close(lifeline)
        await until(pilot, lambda: not app.is_running)
    for descriptor in (output, alive):
        os.close(descriptor)
    starter.close()


async def test_sigterm_ends_the_view_in_order(tmp_path: Path) -> None:
    async with driven(tmp_path, PlayedRun()) as pilot:
        os.kill(os.getpid(), signal.SIGTERM)
        await until(pilot, lambda: not pilot.app.is_running)


async def test_a_worker_on_another_node_has_details_and_takes_no_request(tmp_path: Path) -> None:
    run = PlayedRun()
    run.status = {**STATUS, "workers": [], "remote_workers": [remote("btc.a0-a", "tokyo")]}
    async with driven(tmp_path, run) as pilot:
        await until(pilot, lambda: selected(pilot) == "btc.a0-a")
        await pilot.press("r", "d")
        reason = "btc.a0-a runs on another node: see cluster apply and cluster drain"
        await until(pilot, lambda: notices(pilot).count(reason) == 2)
        assert run.asked == []
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, Details)
        await until(pilot, lambda: "node tokyo on host-tokyo" in shown(pilot, "#facts"))
        assert "its log is on its node" in shown(pilot, "#log")
