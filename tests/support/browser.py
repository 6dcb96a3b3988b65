"""A real headless Chromium, driven over its DevTools protocol.

One page at a time. What the page complains about (console errors, exceptions, violations of its content policy, failed
requests) is collected in `Page.complaints`.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from websockets.sync.client import ClientConnection, connect

from tests.support.waiting import wait_until

__all__ = ["CHROMIUM", "Browser", "Page"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
"""The program, None where none is installed."""

LIMIT_S = 40.0
POLL_S = 0.05

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--remote-debugging-port=0",
)

_COMPLAINTS = frozenset({"Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"})
_GRAVE = frozenset({"error", "warning", "assert"})


class Browser:
    """A browser with a profile of its own in `folder`; use as a context manager: nothing of it is left."""

    def __init__(self, folder: Path) -> None:
        assert CHROMIUM is not None
        self._profile = folder / "chromium"
        self._stack = contextlib.ExitStack()
        self._ids = itertools.count(1)
        self.notices: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [CHROMIUM, *_OPTIONS, f"--user-data-dir={self._profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_CACHE_HOME": str(folder)},
            start_new_session=True,
        )

    def __enter__(self) -> Browser:
        try:
            told = self._profile / "DevToolsActivePort"
            port, path = wait_until(lambda: self._port(told), LIMIT_S, "the browser")
            address = f"ws://127.0.0.1:{port}{path}"
            self._socket = self._stack.enter_context(connect(address, max_size=None, proxy=None, ping_interval=None))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._stack.close()
        started = psutil.Process(self._process.pid).children(recursive=True)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for process in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(started, LIMIT_S)

    @contextlib.contextmanager
    def page(
        self, url: str, *, width: int = 1440, height: int = 1000, mobile: bool = False, dark: bool = False
    ) -> Iterator[Page]:
        """A page that shows `url`, of this size in CSS pixels."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        page.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )
        page.call("Page.navigate", url=url)
        try:
            yield page
        finally:
            self.call("Target.closeTarget", targetId=target)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; raises AssertionError for an error."""
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        _send(self._socket, message)
        deadline = time.monotonic() + LIMIT_S
        while True:
            answer = json.loads(self._socket.recv(deadline - time.monotonic()))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])
            if answer.get("method") in _COMPLAINTS or answer.get("method") == "Network.requestWillBeSent":
                self.notices.append(answer)

    def _port(self, told: Path) -> list[str] | None:
        assert self._process.poll() is None, "the browser has ended"
        lines = told.read_text().split() if told.exists() else []
        return lines if len(lines) == 2 else None


class Page:
    """One page of a browser."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol for this page."""
        return self._browser.call(method, self._session, **parameters)

    def run(self, script: str) -> Any:
        """Evaluate an expression in the page; promises are awaited."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, script: str, limit_s: float = LIMIT_S) -> None:
        """Wait until an expression is true; one that raises, since the page is still loading, is not."""
        guarded = f"(() => {{ try {{ return Boolean({script}); }} catch {{ return false; }} }})()"
        deadline = time.monotonic() + limit_s
        while not self.run(guarded):
            assert time.monotonic() < deadline, f"waited {limit_s:g} s in vain for {script}"
            time.sleep(POLL_S)

    def press(self, key: str, modifiers: int = 0) -> None:
        """Press and release a key."""
        for kind in ("rawKeyDown", "keyUp"):
            code = {"Tab": 9, "Enter": 13, "Escape": 27}[key]
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                modifiers=modifiers,
            )
        if key == "Enter":
            self.call("Input.dispatchKeyEvent", type="char", text="\r")

    def type(self, text: str) -> None:
        """Type a text into what has the focus."""
        self.call("Input.insertText", text=text)

    def picture(self, *, whole: bool = True) -> bytes:
        """A PNG of the page, below the visible part too if `whole`."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"])

    def complaints(self) -> list[str]:
        """What the page or the browser has complained about so far."""
        self.run("0")
        found = []
        for notice in self._mine():
            parameters = notice["params"]
            kind = notice["method"]
            if kind == "Log.entryAdded" and parameters["entry"]["level"] in _GRAVE:
                found.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
            elif kind == "Runtime.exceptionThrown":
                found.append(str(parameters["exceptionDetails"]))
            elif kind == "Runtime.consoleAPICalled" and parameters["type"] in _GRAVE:
                found.append(str(parameters["args"]))
        return found

    def requested(self) -> set[str]:
        """The addresses that the page has asked for."""
        self.run("0")
        return {each["params"]["request"]["url"] for each in self._mine() if each["method"].startswith("Network")}

    def _mine(self) -> list[dict[str, Any]]:
        return [each for each in self._browser.notices if each.get("sessionId") == self._session]


def _send(socket: ClientConnection, message: dict[str, Any]) -> None:
    socket.send(json.dumps(message))
