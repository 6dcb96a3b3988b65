"""Questions and help."""

from __future__ import annotations

import pytest
from textual.app import App
from textual.widgets import Static

from foxtrot_supervisor.cli.screen.dialogs import Confirm, Help, Prompt


@pytest.mark.parametrize(("key", "answer"), [("y", True), ("n", False), ("enter", False), ("escape", False)])
async def test_only_y_confirms(key: str, answer: bool) -> None:
    answers: list[bool | None] = []
    async with App[None]().run_test() as pilot:
        pilot.app.push_screen(Confirm("Stop it?", "It [ends]."), answers.append)
        await pilot.pause()
        assert "It [ends]." in str(pilot.app.screen.query_one(Static).content)
        await pilot.press(key)
    assert answers == [answer]


@pytest.mark.parametrize(("keys", "answer"), [([*" A b ", "enter"], "A b"), (["A", "escape"], "")])
async def test_a_line_is_asked_for(keys: list[str], answer: str) -> None:
    answers: list[str | None] = []
    async with App[None]().run_test() as pilot:
        pilot.app.push_screen(Prompt("Symbols?"), answers.append)
        await pilot.pause()
        await pilot.press(*keys)
    assert answers == [answer]


async def test_help_lists_the_keys_and_what_leaving_does() -> None:
    async with App[None]().run_test() as pilot:
        pilot.app.push_screen(Help("leaves the view"))
        await pilot.pause()
        text = str(pilot.app.screen.query_one(Static).content)
        assert "filter by name" in text
        assert "leaves the view" in text
        await pilot.press("a")
        assert not isinstance(pilot.app.screen, Help)
