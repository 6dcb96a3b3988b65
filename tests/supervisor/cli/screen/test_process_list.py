"""The list renders what is on the screen, and follows the mouse."""

from __future__ import annotations

from textual.app import App, ComposeResult

from foxtrot_supervisor.cli.screen.process_list import ProcessList
from foxtrot_supervisor.client.history import History
from foxtrot_supervisor.report.process_rows import arrange, rows_of
from tests.support.statuses import remote, worker


class Shown(App[None]):
    """A list and nothing else; counts its messages."""

    def __init__(self) -> None:
        super().__init__()
        self.chosen = 0

    def compose(self) -> ComposeResult:
        yield ProcessList()

    def on_process_list_chosen(self) -> None:
        self.chosen += 1


def fill(app: Shown, count: int) -> ProcessList:
    shown = app.query_one(ProcessList)
    shown.focus()
    shown.show(arrange(rows_of({"workers": [worker(f"c{number:03d}.a") for number in range(count)]})), History())
    return shown


def name(shown: ProcessList) -> str:
    assert shown.selected is not None
    return shown.selected.name


async def test_keys_and_the_bar_at_the_side() -> None:
    app = Shown()
    async with app.run_test(size=(100, 11)) as pilot:
        shown = fill(app, 100)
        assert "c000.a" in shown.render_line(1).text
        assert shown.render_line(1).text.endswith("┃")
        await pilot.press("pagedown")
        assert name(shown) == "c010.a"
        await pilot.press("G")
        assert name(shown) == "c099.a"
        assert shown.render_line(10).text.endswith("┃")
        assert shown.render_line(1).text.endswith("│")
        await pilot.press("j", "k", "g")
        assert name(shown) == "c000.a"
        fill(app, 3)
        assert shown.render_line(5).text.strip() == ""
        assert shown.render_line(1).text.endswith(" ")


async def test_when_rows_go_the_cursor_stays_within() -> None:
    app = Shown()
    async with app.run_test(size=(100, 11)):
        shown = fill(app, 100)
        shown.select("c099.a")
        fill(app, 5)
        assert name(shown) == "c004.a"
        shown.show([], History())
        assert shown.selected is None


async def test_the_mouse() -> None:
    app = Shown()
    async with app.run_test(size=(100, 11)) as pilot:
        shown = fill(app, 100)
        await pilot.click(ProcessList, offset=(5, 4))
        assert name(shown) == "c003.a"
        await pilot.click(ProcessList, offset=(5, 0))
        assert name(shown) == "c003.a"
        await pilot.click(ProcessList, offset=(5, 4), times=2)
        await pilot.pause()
        assert app.chosen == 1


async def test_long_names_are_cut() -> None:
    app = Shown()
    async with app.run_test(size=(60, 11)):
        shown = app.query_one(ProcessList)
        shown.show(rows_of({"workers": [worker(f"{'x' * 80}.a")]}), History())
        assert "…" in shown.render_line(1).text


async def test_where_workers_run_on_other_nodes_there_is_a_column_of_nodes() -> None:
    app = Shown()
    async with app.run_test(size=(120, 8)):
        shown = fill(app, 2)
        assert "node" not in shown.render_line(0).text
        shown.show(arrange(rows_of({"remote_workers": [remote("btc.a0-a", "tokyo")]})), History())
        assert "node" in shown.render_line(0).text
        assert "serving" in shown.render_line(1).text
        assert "tokyo" in shown.render_line(1).text
