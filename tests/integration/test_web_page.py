"""The page of the web view in a real Chromium, with a real run: panels, incidents, actions, access for everybody."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_web_view import CONFIGURATION, Web
from tests.support.browser import CHROMIUM, Browser, Page
from tests.support.command_line import Run
from tests.support.web_client import TOKEN

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
    pytest.mark.xdist_group("web page"),
]

INCIDENT_S = 2.0
"""What is promised: the page shows an incident this many seconds after the supervisor has noticed it."""

ACCESS = (Path(__file__).parent / "web_access.js").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def run(folder: Path) -> Iterator[Run]:
    with contextlib.closing(Run(folder, CONFIGURATION)) as started:
        started.running()
        yield started


@pytest.fixture(scope="module")
def web(run: Run, folder: Path) -> Iterator[Web]:
    with contextlib.closing(Web(folder, run.run_dir)) as started:
        yield started


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[Browser]:
    with Browser(folder) as started:
        yield started


def text(page: Page, selector: str) -> str:
    return str(page.run(f"document.querySelector({selector!r}).textContent"))


@pytest.mark.alone
def test_every_panel_shows_the_run_and_an_incident_comes_in_time(run: Run, web: Web, browser: Browser) -> None:
    with browser.page(web.url) as page:
        page.wait("document.querySelector('#tile-serving .value')?.textContent === '1'")
        assert text(page, "#run-state") == "running"
        assert text(page, "#link-text") == "live"
        assert text(page, "#workers .name") == "one.a"
        page.wait("document.querySelectorAll('.uplot canvas').length === 2")
        page.wait("document.querySelector('#engine-state').textContent === 'RUNNING'")
        page.wait("document.querySelectorAll('#matrix tbody tr').length === 2")
        assert page.run("document.querySelectorAll('#matrix [data-tone=good]').length") == 4
        assert page.run("document.querySelector('#symbol').value") == "BTCUSDT.SIM"
        page.wait("document.querySelectorAll('#levels tr').length > 3")
        page.wait("document.querySelector('#quote dd').textContent.length > 3")
        page.wait("document.querySelector('#depth').getAttribute('aria-label').includes('bids')")
        assert "Nothing" in text(page, "#findings")

        # when the list first had the death, in the page's own clock
        page.run(
            "void (window.seen = new Promise((done) => new MutationObserver((_, watching) => {"
            " const found = document.querySelector('#incident-list [data-tone=bad]');"
            " if (found) { watching.disconnect(); done(Date.now()); } })"
            ".observe(document.querySelector('#incident-list'), {childList: true})))"
        )
        status = run.status()
        assert status is not None
        os.kill(status["workers"][0]["pid"], signal.SIGKILL)
        seen_ms = page.run("window.seen")
        assert "killed by SIGKILL" in text(page, "#incident-list")
        death = next(each for each in status_incidents(web) if each["kind"] == "death")
        assert seen_ms / 1000 - death["at_ns"] / 1e9 < INCIDENT_S
        page.wait("document.querySelector('#incident-list [data-tone=good]')")
        page.wait("document.querySelector('#announcer').textContent.includes('one.a')")
        page.wait("document.querySelector('#tile-restarts .value').textContent === '1'")
        page.wait("document.querySelector('#findings').textContent.includes('was restarted once')")
        page.wait("document.querySelectorAll('#timeline i').length >= 2")
        assert page.complaints() == []
        assert {address.split("/")[2] for address in page.requested()} == {web.host}, "nothing comes from elsewhere"


def status_incidents(web: Web) -> list[dict[str, object]]:
    return list(next(web.events("incidents"))["incidents"])


def test_an_action_asks_and_is_done_by_keyboard_alone(run: Run, web: Web, browser: Browser) -> None:
    with browser.page(web.url) as page:
        page.wait("document.querySelector('#unlock')?.hidden === false && document.querySelector('#workers .name')")
        page.run("document.querySelector('#unlock').focus()")
        page.press("Enter")
        page.wait("document.querySelector('#question').open")
        assert page.run("document.activeElement.id") == "question-input"
        assert page.run(ACCESS) == []
        page.type("wrong")
        page.press("Enter")
        page.wait("document.querySelector('#question-problem').textContent.includes('token')")
        page.run("document.querySelector('#question-input').select()")
        page.type(TOKEN)
        page.press("Enter")
        page.wait("!document.querySelector('#question').open && !document.querySelector('#run-menu').hidden")
        incarnation = page.run("Number(document.querySelector('#workers tr').children[3].textContent)")
        page.run("document.querySelector('#workers .name').focus()")
        page.press("Enter")
        page.wait("document.querySelector('#details').open")
        assert page.run("document.querySelectorAll('#details-actions button').length") == 4
        assert page.run(ACCESS) == []
        page.run("document.querySelector('#details-actions button').focus()")
        page.press("Enter")
        page.wait("document.querySelector('#question').open")
        assert "Restart one.a?" in text(page, "#question-title")
        page.press("Escape")
        page.wait("!document.querySelector('#question').open")
        assert page.run("Number(document.querySelector('#workers tr').children[3].textContent)") == incarnation
        page.run("document.querySelector('#workers .name').click()")
        page.run("document.querySelector('#details-actions button').click()")
        page.run("document.querySelector('#question-yes').click()")
        page.wait("document.querySelector('#toast').textContent === 'one.a has been restarted.'")
        page.wait(f"Number(document.querySelector('#workers tr').children[3].textContent) > {incarnation}")
        complaints = [each for each in page.complaints() if "401" not in each]
        assert complaints == []


@pytest.mark.cases(played=2)
@pytest.mark.parametrize(("width", "height", "mobile"), [(1440, 1000, False), (820, 1180, True), (360, 740, True)])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_and_is_for_everybody(
    web: Web, browser: Browser, width: int, height: int, mobile: bool, dark: bool
) -> None:
    with browser.page(web.url, width=width, height=height, mobile=mobile, dark=dark) as page:
        page.wait("document.querySelector('#levels tr') && document.querySelector('#workers .name')")
        assert page.run("document.documentElement.scrollWidth") <= width, "no horizontal scroll"
        assert page.run(ACCESS) == []
        assert page.complaints() == []


def test_the_end_of_the_view_is_shown_and_its_return_too(run: Run, browser: Browser, tmp_path: Path) -> None:
    with contextlib.closing(Web(tmp_path, run.run_dir)) as first, browser.page(first.url) as page:
        page.wait("document.querySelector('#link-text').textContent === 'live'")
        first.close()
        page.wait("document.querySelector('#link-text').textContent === 'reconnecting'")
        (tmp_path / "token").unlink()
        listen = ("--listen", first.host)
        with contextlib.closing(Web(tmp_path, run.run_dir, *listen)):
            page.wait("document.querySelector('#link-text').textContent === 'live'")
