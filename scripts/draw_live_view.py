"""Record the full-screen view of a real run during kills, and draw it as the moving picture docs/live-view.svg.

    .venv/bin/python scripts/draw_live_view.py

Starts simulated exchanges of five venues, a supervisor in a terminal of tmux, and kills processes while the screen is
recorded. `--still NAME` writes one frame, as docs/NAME.svg, beside it. Needs tmux and the extra ``top``.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from foxtrot_protocol.control import StatusRequest
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning

COLUMNS, LINES = 132, 33
FRAME_S = 0.7
DOCS = Path(__file__).resolve().parent.parent / "docs"
PROGRAM = Path(sys.executable).with_name("foxtrot-supervisor")
SETTINGS = """
set -g default-terminal "tmux-256color"
set -as terminal-features ",*:RGB"
set -g status off
"""
"""Of tmux."""

READY_S = 120.0
BYTES_MAX = 400_000
"""Largest size of the moving picture."""

CHARACTER, LINE, LEFT, TOP = 8.0, 17.0, 14.0, 44.0
"""Geometry in pixels: width and height of a character, position of the first."""

STILL_S = 11.5
"""Time of the frame that is drawn alone, in seconds."""

FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
BACKGROUND, FOREGROUND = "#121212", "#e0e0e0"

STRATEGY = '''
class Momentum:
    """Counts; a strategy would trade."""

    def __init__(self, engine):
        self.last = {}
        engine.register("eMarketTrade.", self.on_trade)
        engine.register("eBook.", self.on_book)

    def on_trade(self, event):
        self.last[event.data.symbol] = event.data.price

    def on_book(self, event):
        pass


def setup(engine):
    return Momentum(engine)
'''

CONNECTION = """
[[connections]]
name = "{name}"
exchange = "{exchange}"
url = "{url}"
rest_url = "{rest_url}"
channels = ["trade", "book"]
symbols = {symbols}
{more}
"""

VENUES: tuple[tuple[str, str, str, str, str], ...] = (
    ("binance-spot", "binance", "", "", "redundancy = 2\nbackfill = true"),
    ("okx-swap", "okx", "-", "", "backfill = true"),
    ("bybit-spot", "bybit", "", "", ""),
    ("coinbase", "coinbase", "-", "", ""),
    ("kraken", "kraken", "/", "/v2", "redundancy = 2"),
)
"""Name, exchange, separator of symbols, path, further settings."""


# ---- the run


@contextlib.contextmanager
def exchanges() -> Iterator[dict[str, dict[str, Any]]]:
    """Run a simulated exchange of each venue; gives their addresses by name."""
    with contextlib.ExitStack() as stack:
        found = {}
        for number, (name, exchange, separator, _, _) in enumerate(VENUES):
            symbols = ",".join(f"{base}{separator}USDT" for base in ("BTC", "ETH"))
            command = [str(PROGRAM), "simulate", "--json", "--exchange", exchange, "--symbols", symbols]
            command += ["--rate", str(60 + 45 * number), "--seed", str(number + 3)]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(process.terminate)
            assert process.stdout is not None
            found[name] = json.loads(process.stdout.readline())
        yield found


def write_configuration(folder: Path, addresses: dict[str, dict[str, Any]]) -> Path:
    """Write the files of the run; return its run directory."""
    run_dir = folder / "foxtrot"
    text = f'[supervisor]\nrun_dir = "{run_dir}"\n\n[engine]\nhandlers = ["momentum:setup"]\n'
    for name, exchange, separator, path, more in VENUES:
        symbols = json.dumps([f"{base}{separator}USDT" for base in ("BTC", "ETH")])
        known = addresses[name]
        text += CONNECTION.format(
            name=name,
            exchange=exchange,
            url=known["url"] + path,
            rest_url=known["rest_url"],
            symbols=symbols,
            more=more,
        )
    (folder / "foxtrot.toml").write_text(text)
    (folder / "momentum.py").write_text(STRATEGY)
    return run_dir


class Run:
    """The supervisor's status, by its operator socket."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = str(run_dir)

    def processes(self) -> dict[str, dict[str, Any]]:
        """Return the engine and the workers by name."""
        with ControlClient(self._run_dir) as client:
            status = client.request(StatusRequest(fresh=True), 10.0).data
        return {each["name"]: each for each in [status["engine"], *status["workers"]]}

    def kill(self, name: str) -> None:
        """Kill a process as the kernel's out-of-memory killer would."""
        with contextlib.suppress(ProcessLookupError, TypeError):
            os.kill(self.processes()[name]["pid"], signal.SIGKILL)

    def is_ready(self) -> bool:
        """Whether everything serves."""
        try:
            return all(each["state"] == "RUNNING" for each in self.processes().values())
        except (NotRunning, OSError):
            return False


class Terminal:
    """A terminal of tmux."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / "tmux")
        settings = folder / "tmux.conf"
        settings.write_text(
            'set -g default-terminal "tmux-256color"\nset -as terminal-features ",*:RGB"\nset -g status off\n'
        )
        size = ["-x", str(COLUMNS), "-y", str(LINES)]
        self._call("-f", str(settings), "new-session", "-d", *size, "-s", "t", "-c", str(folder), "bash --norc")

    def type(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        self._call("send-keys", "-t", "t", *keys)

    def screen(self) -> list[str]:
        """Return the lines on the screen with their escape sequences."""
        return self._call("capture-pane", "-e", "-p", "-t", "t").split("\n")[:LINES]

    def close(self) -> None:
        """End it."""
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False)

    def _call(self, *words: str) -> str:
        environ = {**os.environ, "COLORTERM": "truecolor", "PS1": "$ "}
        command = ["tmux", "-S", self._socket, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environ).stdout


def play(folder: Path) -> list[list[str]]:
    """Return the frames of a run during which processes are killed."""
    with exchanges() as addresses:
        run_dir = write_configuration(folder, addresses)
        run, terminal = Run(run_dir), Terminal(folder)
        try:
            terminal.type(f"export TZ=UTC; clear; {PROGRAM} start", "Enter")
            deadline = time.monotonic() + READY_S
            while not run.is_ready() or "market" not in "".join(terminal.screen()):
                if time.monotonic() > deadline:
                    sys.exit("the run does not get ready\n" + "\n".join(terminal.screen()))
                time.sleep(FRAME_S)
            time.sleep(10.0)  # some history for the sparklines
            terminal.type("s")  # the order of the file: rows stay where they are
            return record(terminal, script(run, terminal), FRAME_S)
        finally:
            terminal.type("C-c")
            time.sleep(3.0)
            terminal.close()


def script(run: Run, terminal: Terminal) -> dict[float, Callable[[], None]]:
    """What happens, by seconds since the beginning; the last is the end."""
    return {
        1.0: lambda: terminal.type("Down"),
        2.0: lambda: run.kill("binance-spot.a"),
        6.0: lambda: terminal.type("Down", "Down"),
        7.0: lambda: run.kill("okx-swap.a"),
        7.5: lambda: run.kill("bybit-spot.a"),
        11.0: lambda: run.kill("engine"),
        16.0: lambda: terminal.type("r"),
        18.0: lambda: terminal.type("y"),
        21.0: lambda: None,
    }


def record(terminal: Terminal, events: dict[float, Callable[[], None]], frame_s: float) -> list[list[str]]:
    """Do what `events` says and return a frame every `frame_s` seconds."""
    began, frames, left = time.monotonic(), [], sorted(events.items())
    while left:
        due = began + len(frames) * frame_s
        time.sleep(max(0.0, due - time.monotonic()))
        while left and time.monotonic() >= began + left[0][0]:
            left.pop(0)[1]()
        frames.append(terminal.screen())
    return frames


# ---- the picture

_ESCAPE = re.compile("\x1b\\[([0-9;:]*)m")
_BASIC = ["#3b4252", "#bf616a", "#a3be8c", "#ebcb8b", "#81a1c1", "#b48ead", "#88c0d0", "#e5e9f0"]
_BRIGHT = ["#5a6478", "#e06c75", "#b5d69c", "#f5d98b", "#8fb8e0", "#c9a0dc", "#9fe0ee", "#ffffff"]


class Style:
    """Colours and weight while a line is read."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """The terminal's own style."""
        self.front = self.back = ""
        self.bold = self.dim = self.italic = self.reverse = False

    def apply(self, codes: list[int]) -> None:
        """Take the numbers of one escape sequence (ECMA-48, SGR)."""
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.clear()
            elif code in (1, 2, 3, 7):
                setattr(self, {1: "bold", 2: "dim", 3: "italic", 7: "reverse"}[code], True)
            elif code in (22, 23, 27):
                for name in {22: ("bold", "dim"), 23: ("italic",), 27: ("reverse",)}[code]:
                    setattr(self, name, False)
            elif code in (38, 48):
                colour = self._colour(codes)
                self.front, self.back = (colour, self.back) if code == 38 else (self.front, colour)
            elif code in (39, 49):
                self.front, self.back = ("", self.back) if code == 39 else (self.front, "")
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self.front = (_BASIC if code < 90 else _BRIGHT)[code % 10]
            elif 40 <= code <= 47 or 100 <= code <= 107:
                self.back = (_BASIC if code < 100 else _BRIGHT)[code % 10]

    @staticmethod
    def _colour(codes: list[int]) -> str:
        if codes.pop(0) == 2:
            return "#{:02x}{:02x}{:02x}".format(*(codes.pop(0) for _ in range(3)))
        number = codes.pop(0)
        if number < 16:
            return [*_BASIC, *_BRIGHT][number]
        if number >= 232:
            return "#" + f"{8 + 10 * (number - 232):02x}" * 3
        cube = [0, 95, 135, 175, 215, 255]
        number -= 16
        return f"#{cube[number // 36]:02x}{cube[number // 6 % 6]:02x}{cube[number % 6]:02x}"

    def key(self) -> tuple[str, str, str]:
        """Return foreground, background and a list of attributes."""
        front, back = self.front or FOREGROUND, self.back
        if self.reverse:
            front, back = back or BACKGROUND, front
        more = "b" * self.bold + "d" * self.dim + "i" * self.italic
        return front, "" if back == BACKGROUND else back, more


class Picture:
    """Draws frames; equal lines and styles are written once."""

    def __init__(self) -> None:
        self._classes: dict[tuple[str, str], str] = {}
        self._groups: dict[str, str] = {}

    def frame(self, lines: list[str]) -> str:
        """Return the elements of a frame."""
        style = Style()  # a line begins in the style in which the one before it ended
        return "".join(self._line(line, LINE * number, style) for number, line in enumerate(lines))

    def _line(self, line: str, top: float, style: Style) -> str:
        runs, column, at = [], 0, 0
        for found in [*_ESCAPE.finditer(line), None]:
            text = line[at : found.start() if found else len(line)]
            if text:
                runs.append((column, text, style.key()))
                column += len(text)
            if found:
                style.apply([int(code or 0) for code in re.split("[;:]", found[1])])
                at = found.end()
        shapes = "".join(self._run(column, text, key) for column, text, key in runs)
        return f'<use href="#{self._known(shapes)}" y="{top:g}"/>' if shapes else ""

    def _known(self, shapes: str) -> str:
        """Return the name of a group of these shapes."""
        return self._groups.setdefault(shapes, f"g{len(self._groups)}")

    def _run(self, column: int, text: str, key: tuple[str, str, str]) -> str:
        front, back, more = key
        shape = ""
        if back:
            width = len(text) * CHARACTER
            shape = f'<path fill="{back}" d="M0 -13h{width:g}v{LINE:g}h-{width:g}"/>'
        lines, bars, words = _drawn(text)
        name = self._classes.setdefault((front, more), f"s{len(self._classes)}")
        if lines:
            shape += f'<path class="l" stroke="{front}" d="{lines}"/>'
        if bars:
            shape += f'<path class="{name}" d="{bars}"/>'
        kept = words.strip()
        if kept:
            left = (len(words) - len(words.lstrip())) * CHARACTER
            length = f' textLength="{len(kept) * CHARACTER:g}"' if len(kept) > 3 else ""
            shape += f'<text class="{name}" x="{left:g}"{length}>{html.escape(kept, quote=False)}</text>'
        if not shape:
            return ""
        return f'<use href="#{self._known(shape)}" x="{column * CHARACTER:g}"/>'

    def document(self, frames: list[list[str]], frame_s: float) -> str:
        """Return the SVG; one frame does not move."""
        groups = [(count, self.frame(lines)) for lines, count in _merged(frames)]
        bodies = "".join(f'<g class="f" id="f{number}">{body}</g>' for number, (_, body) in enumerate(groups))
        moves = _moves([count for count, _ in groups], frame_s) if len(groups) > 1 else ""
        width, height = 2 * LEFT + COLUMNS * CHARACTER, TOP + LINES * LINE + 6
        styles = "".join(f".{name}{{fill:{front}{_attributes(more)}}}" for (front, more), name in self._classes.items())
        known = "".join(f'<g id="{name}">{shapes}</g>' for shapes, name in self._groups.items())
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">'
            "<title>foxtrot-supervisor: processes are killed and replaced while the view shows it</title>"
            f"<style>text{{font:13px {FONT};white-space:pre}}.l{{fill:none;stroke-width:1.1}}{styles}{moves}</style>"
            f"<defs>{known}</defs>"
            f'<rect width="{width:g}" height="{height:g}" rx="9" fill="{BACKGROUND}"/>'
            '<circle cx="20" cy="16" r="6" fill="#ff5f57"/><circle cx="40" cy="16" r="6" fill="#febc2e"/>'
            '<circle cx="60" cy="16" r="6" fill="#28c840"/>'
            f'<text x="{width / 2:g}" y="20" text-anchor="middle" fill="#8a93a2">foxtrot-supervisor start</text>'
            f'<g transform="translate({LEFT:g} {TOP:g})">{bodies}</g></svg>\n'
        )


_LINES = {
    "─": "M{x:g} -4.5h8",
    "│": "M{m:g} -13v17",
    "┃": "M{m:g} -13v17",
    "╭": "M{m:g} 4v-4.5q0 -4 4 -4",
    "╮": "M{x:g} -4.5q4 0 4 4v4.5",
    "╰": "M{m:g} -13v4.5q0 4 4 4",
    "╯": "M{x:g} -4.5q4 0 4 -4v-4.5",
    "├": "M{m:g} -13v17M{m:g} -4.5h4",
    "└": "M{m:g} -13v8.5h4",
}
"""Characters that are drawn as lines: fonts leave gaps between them."""

_BARS = "▁▂▃▄▅▆▇█"


def _drawn(text: str) -> tuple[str, str, str]:
    """Return the lines and the bars in `text` as paths, and what is left of it as text."""
    lines, bars, words = "", "", []
    for at, character in enumerate(text):
        x = at * CHARACTER
        if character in _LINES:
            lines += _LINES[character].format(x=x, m=x + CHARACTER / 2)
        elif character in _BARS:
            height = 1.8 * (_BARS.index(character) + 1)
            bars += f"M{x:g} 2v-{height:g}h7v{height:g}"
        words.append(" " if character in _LINES or character in _BARS else character)
    return re.sub(r"(M[0-9.]+ -4\.5)h8((?:M[0-9.]+ -4\.5h8)+)", _joined, lines), bars, "".join(words)


def _joined(found: re.Match[str]) -> str:
    """Make one line of neighbours."""
    return f"{found[1]}h{8 * (found[2].count('h') + 1)}"


def _moves(counts: list[int], frame_s: float) -> str:
    """Return the style that shows each group for its number of frames, over and over."""
    whole, at, rules = sum(counts), 0, []
    for number, count in enumerate(counts):
        first, last = 100 * at / whole, 100 * (at + count) / whole
        at += count
        before = "" if number == 0 else "0%{visibility:hidden}"
        after = "" if at == whole else f"{last:.2f}%{{visibility:hidden}}"
        rules.append(f"@keyframes k{number}{{{before}{first:.2f}%{{visibility:visible}}{after}}}")
        rules.append(f"#f{number}{{animation-name:k{number}}}")
    shared = f".f{{visibility:hidden;animation:{whole * frame_s:g}s step-end infinite}}"
    still = "@media (prefers-reduced-motion:reduce){.f{animation:none}#f0{visibility:visible}}"
    return shared + "".join(rules) + still


def _attributes(more: str) -> str:
    texts = {"b": ";font-weight:bold", "d": ";opacity:.6", "i": ";font-style:italic"}
    return "".join(texts[each] for each in more)


def _merged(frames: list[list[str]]) -> list[tuple[list[str], int]]:
    """Return the frames with their number of repetitions."""
    merged: list[tuple[list[str], int]] = []
    for frame in frames:
        if merged and merged[-1][0] == frame:
            merged[-1] = (frame, merged[-1][1] + 1)
        else:
            merged.append((frame, 1))
    return merged


def main() -> None:
    """Record and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--still", metavar="NAME", default="top", help="name of the picture of one frame")
    parser.add_argument("--folder", type=Path, default=DOCS, help="where the pictures are written")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="foxtrot-") as folder:
        frames = play(Path(folder))
        place = f"{folder}/foxtrot"
        frames = [[line.replace(place, "/run/foxtrot") for line in frame] for frame in frames]
    moving = Picture().document(frames, FRAME_S)
    assert len(moving.encode()) <= BYTES_MAX, f"{len(moving.encode())} bytes are too many"
    (options.folder / "live-view.svg").write_text(moving, encoding="utf-8")
    still = Picture().document([frames[int(STILL_S / FRAME_S)]], FRAME_S)
    (options.folder / f"{options.still}.svg").write_text(still, encoding="utf-8")
    print(f"written: docs/live-view.svg ({len(moving.encode()) // 1000} kB), docs/{options.still}.svg")


if __name__ == "__main__":
    main()
