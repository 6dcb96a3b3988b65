"""The command line: what is printed where, and with which exit code it ends."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.endpoints import operator_path, tap_path
from foxtrot_protocol.events import Quote, Trade
from foxtrot_supervisor.cli import main as cli
from foxtrot_supervisor.config.example import EXAMPLE

READING = ["status", "stop", "restart w", "reload", "subscribe w S", "unsubscribe w S", "events"]


class Run:
    """Calls the command line as its entry point does; keeps what it printed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd
        self.out = self.err = ""

    def __call__(self, *words: str) -> int:
        self._monkeypatch.setattr(sys, "argv", ["foxtrot-supervisor", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        self.out, self.err = self._capfd.readouterr()
        assert "Traceback" not in self.out + self.err
        assert isinstance(ended.value.code, int)
        return ended.value.code

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs in an empty folder, with an empty home, as a user whose run directory is below `tmp_path`."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return Run(monkeypatch, capfd)


class FakeSupervisor:
    """Answers each request by `answer`; listens in `run_dir` until closed, or until it has answered a stop."""

    def __init__(self, run_dir: Path, answer: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
        run_dir.mkdir(exist_ok=True)
        self.requests: list[dict[str, Any]] = []
        self._answer = answer
        self._path = operator_path(str(run_dir))
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(self._path)
        self._server.listen(16)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        Path(self._path).unlink(missing_ok=True)
        # wakes accept(); fails where the thread has closed it already
        if self._server.fileno() != -1:
            self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        with self._server:
            while True:
                try:
                    connection, _ = self._server.accept()
                except OSError:
                    return
                with connection, connection.makefile("rwb") as stream:
                    line = stream.readline()
                    if not line:
                        continue
                    request = json.loads(line)
                    self.requests.append(request)
                    reply = self._answer(request)
                    if reply is not None:
                        stream.write(json.dumps(reply).encode() + b"\n")
                if request["type"] == "stop":
                    Path(self._path).unlink()
                    return


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., FakeSupervisor]]:
    running: list[FakeSupervisor] = []

    def begin(answer: Any = None, run_dir: Path | None = None) -> FakeSupervisor:
        reply = answer if callable(answer) else lambda _request: answer
        running.append(FakeSupervisor(run_dir or tmp_path / "foxtrot", reply))
        return running[-1]

    yield begin
    for supervisor in running:
        supervisor.close()


# ---- help and usage


@pytest.mark.parametrize(
    "command",
    ["", "start", "check", "init", "status", "stop", "restart", "reload", "subscribe", "unsubscribe", "events",
     "replay", "simulate", "top", "unit"],
)  # fmt: skip
def test_every_command_has_help(run: Run, command: str) -> None:
    assert run(*command.split(), "--help") == 0
    assert "Usage: foxtrot-supervisor" in run.out
    assert run.err == ""


def test_the_version_is_told(run: Run) -> None:
    assert run("--version") == 0
    assert run.out.startswith("foxtrot-supervisor, version ")


@pytest.mark.parametrize(
    "words",
    ["nonsense", "start --nonsense", "restart", "events --type nonsense", "events --depth 0", "start --duration -1"],
)
def test_wrong_usage_is_2(run: Run, words: str) -> None:
    assert run(*words.split()) == 2
    assert "Error:" in run.err


# ---- configuration


def test_check_lists_every_error(run: Run) -> None:
    Path("foxtrot.toml").write_text('[supervisor]\nhelo_s = 1\n[[connections]]\nname = "X"\nexchange = "mars"\n')
    assert run("check") == 78
    assert run.out == ""
    lines = run.err.splitlines()
    path = str(Path.cwd() / "foxtrot.toml")
    assert lines[0] == f'{path}: supervisor.helo_s: is not a known key; did you mean "hello_s"?'
    assert len(lines) == 5
    assert all(line.startswith(f"{path}: connections[0].") for line in lines[1:])


def test_check_as_json(run: Run) -> None:
    Path("bad.toml").write_text("connections = 3")
    assert run("check", "-c", "bad.toml", "--json") == 78
    (report,) = run.lines()
    assert report == {
        "ok": False,
        "file": "bad.toml",
        "errors": [{"file": "bad.toml", "key": "connections", "reason": "must be tables, each headed [[connections]]"}],
    }
    Path("good.toml").write_text(EXAMPLE)
    assert run("check", "-c", "good.toml", "--json") == 0
    assert run.lines() == [{"ok": True, "file": "good.toml", "errors": [], "connections": ["sim"]}]


def test_check_names_the_exchanges(run: Run) -> None:
    assert run("check") == 0
    assert "no file found" in run.out
    assert "  binance: " in run.out


@pytest.mark.parametrize("command", ["check", "start", "status", "stop", "events"])
def test_a_missing_configuration_is_78(run: Run, command: str) -> None:
    assert run(command, "-c", "absent.toml") == 78
    assert run.err == "absent.toml: cannot be read: No such file or directory\n"


def test_a_wrong_configuration_starts_nothing(run: Run, tmp_path: Path) -> None:
    Path("foxtrot.toml").write_text("[engine]\nhandlers = 3\n")
    assert run("start") == 78
    assert "engine.handlers" in run.err
    assert not (tmp_path / "foxtrot").exists()


def test_init_writes_what_check_accepts(run: Run) -> None:
    assert run("init") == 0
    assert Path("foxtrot.toml").read_text() == EXAMPLE
    assert run("check") == 0
    assert run("init") == 2
    assert "is there already" in run.err
    Path("foxtrot.toml").write_text("")
    assert run("init", "--force") == 0
    assert Path("foxtrot.toml").read_text() == EXAMPLE
    assert run("init", "-o", "-") == 0
    assert run.out == EXAMPLE
    assert run("init", "-o", "absent/foxtrot.toml") == 2
    assert "cannot be written: No such file" in run.err


# ---- talking to a run


@pytest.mark.parametrize("command", READING)
def test_without_a_run_it_is_3_and_says_where_it_looked(run: Run, tmp_path: Path, command: str) -> None:
    assert run(*command.split()) == 3
    assert f"looked in {tmp_path}/foxtrot)" in run.err
    assert run(*command.split(), "--run-dir", "elsewhere") == 3
    assert f"looked in {Path.cwd()}/elsewhere)" in run.err
    Path("foxtrot.toml").write_text('[supervisor]\nrun_dir = "mine"')
    assert run(*command.split()) == 3
    assert f"looked in {Path.cwd()}/mine, {tmp_path}/foxtrot)" in run.err
    assert run(*command.split(), "-c", "foxtrot.toml") == 3
    assert f"looked in {Path.cwd()}/mine)" in run.err
    assert run(*command.split(), "--run-dir", "x" * 120) == 3
    assert "socket path has more than 107 bytes" in run.err


STATUS = {"supervisor": {"pid": 1, "state": "running"}, "engine": {}, "workers": [{"name": "sim.a", "state": "FATAL"}]}


def test_status(run: Run, supervise: Any) -> None:
    supervise({"data": STATUS})
    assert run("status", "--json") == 0
    assert run.lines() == [STATUS]
    assert run("status") == 0
    assert "sim.a" in run.out
    assert "FATAL" in run.out


def test_the_run_of_the_configuration_is_found(run: Run, supervise: Any) -> None:
    Path("foxtrot.toml").write_text('[supervisor]\nrun_dir = "mine"\nwrong = 1')
    supervise({"data": {"which": "mine"}}, run_dir=Path("mine").resolve())
    assert run("status", "--json") == 0
    assert run.lines() == [{"which": "mine"}]
    assert run("status", "--json", "-c", "foxtrot.toml") == 0
    assert run("status", "--json", "--run-dir", "mine") == 0


@pytest.mark.parametrize(
    ("words", "request_", "printed"),
    [
        ("restart sim.a", {"type": "restart", "worker": "sim.a"}, "sim.a has been restarted"),
        ("reload", {"type": "reload"}, "reloaded: nothing to start or to stop; 0 kept as they run"),
        (
            "subscribe sim.a X Y",
            {"type": "subscribe", "worker": "sim.a", "symbols": ["X", "Y"]},
            "sim.a has subscribed X, Y",
        ),
        (
            "unsubscribe sim.a X",
            {"type": "unsubscribe", "worker": "sim.a", "symbols": ["X"]},
            "sim.a has unsubscribed X",
        ),
    ],
)
def test_requests_are_sent_and_answers_told(
    run: Run, supervise: Any, words: str, request_: dict[str, Any], printed: str
) -> None:
    supervisor = supervise({"data": {"done": True}})
    assert run(*words.split()) == 0
    assert run.out == printed + "\n"
    assert supervisor.requests == [{**request_, "version": 1}]
    assert run(*words.split(), "--json") == 0
    assert run.lines() == [{"done": True}]


def test_a_refusal_is_told(run: Run, supervise: Any) -> None:
    supervise({"error": "there is no worker mars.a"})
    assert run("restart", "mars.a") == 1
    assert run.err == "there is no worker mars.a\n"


def test_an_answer_that_is_none(run: Run, supervise: Any) -> None:
    supervise({"error": 3})
    assert run("status") == 1
    assert "the supervisor's answer cannot be read: reply: " in run.err


def test_a_supervisor_that_ends_without_an_answer(run: Run, supervise: Any) -> None:
    supervise(None)
    assert run("status") == 3
    assert "it ended without an answer" in run.err


def test_stop_says_which_rung_was_needed(run: Run, supervise: Any) -> None:
    children = [
        {"name": "sim.a", "rung": "kill"},
        {"name": "engine", "rung": "ask"},
        {"name": "okx.a", "rung": None, "state": "FATAL", "cause": "no such exchange"},
    ]
    supervise({"data": {"exit_code": 4, "children": children, "audit": {"files": ["x.ipc"], "threads": []}}})
    assert run("stop") == 4
    assert run.out.splitlines() == [
        "sim.a: needed SIGKILL",
        "engine: stopped when asked",
        "okx.a: had ended before (no such exchange)",
        "left behind: files ['x.ipc']",
        "stopped, exit code 4",
    ]


def test_stop_says_what_was_not_handled(run: Run, supervise: Any) -> None:
    ring = {"worker": "sim.a", "incarnation": 1, "events": 421}
    supervise({"data": {"exit_code": 4, "children": [], "audit": {"clean": False, "unhandled": [ring]}}})
    assert run("stop") == 4
    expected = ["not handled: 421 events of sim.a#1", "left behind: nothing", "stopped, exit code 4"]
    assert run.out.splitlines() == expected


def test_stop_as_json(run: Run, supervise: Any) -> None:
    supervise({"data": {"exit_code": 0}})
    assert run("stop", "--json") == 0
    assert run.lines() == [{"exit_code": 0}]


# ---- events


def serve_events(run_dir: Path, data: bytes, operator: FakeSupervisor) -> threading.Thread:
    """One engine that sends `data` to one reader, and ends together with its supervisor."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(tap_path(str(run_dir)))
    server.listen(4)

    def serve() -> None:
        with server:
            connection, _ = server.accept()
            with connection:
                connection.sendall(data)
                operator.close()
        Path(tap_path(str(run_dir))).unlink()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def stream(*, publish_ns: int = 3) -> bytes:
    events = [
        Trade("SIM", "BTCUSDT", 1, 2, "100.10", "0.5", "buy", "7"),
        Quote("SIM", "ETHUSDT", 1, 2, "10", "1", "11", "1", "8"),
    ]
    data = BatchEncoder("sim.a", 1).encode(1, publish_ns, events)
    return struct.pack(">I", len(data)) + data + struct.pack(">II", 0, 5)


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ("", ["trade", "quote"]),
        ("--json", ["trade", "quote"]),
        ("--type trade", ["trade"]),
        ("--type eBbo. --type eMarketTrade.", ["trade", "quote"]),
        ("--symbol ETHUSDT.SIM", ["quote"]),
        ("--count 1", ["trade"]),
        ("--live", []),
        ("--wait 5", ["trade", "quote"]),
    ],
)
def test_events_are_lines(run: Run, supervise: Any, tmp_path: Path, options: str, kinds: list[str]) -> None:
    engine = serve_events(tmp_path / "foxtrot", stream(), supervise())
    assert run("events", *options.split()) == 0
    engine.join(10)
    assert [line["kind"] for line in run.lines()] == kinds
    if "--count" not in options:
        assert "5 batches were dropped" in run.err
        assert "the run has ended" in run.err


def test_an_event_line_has_its_instrument_and_times(run: Run, supervise: Any, tmp_path: Path) -> None:
    engine = serve_events(tmp_path / "foxtrot", stream(publish_ns=99), supervise())
    assert run("events", "--type", "trade", "--count", "1") == 0
    engine.join(10)
    (line,) = run.lines()
    assert line["instrument"] == "BTC-USDT"
    assert line["event"] == "eMarketTrade."
    assert (line["price"], line["receive_ns"], line["publish_ns"]) == ("100.1", 2, 99)


# ---- replay


def recording(folder: Path, *frames: dict[str, Any]) -> Path:
    path = folder / "few.jsonl.gz"
    with gzip.open(path, "wt") as lines:
        for frame in frames:
            lines.write(
                json.dumps({"t": 1, "dir": "in", "url": "wss://stream.binance.com:9443/stream", **frame}) + "\n"
            )
    return path


def trade(number: int) -> dict[str, Any]:
    data = {
        "e": "trade", "E": 1, "s": "BTCUSDT", "t": number, "p": "1.50", "q": "2", "T": 1, "m": False, "M": True
    }  # fmt: skip
    return {"raw": json.dumps({"stream": "btcusdt@trade", "data": data})}


def test_replay_prints_events_and_tells_of_rejected_frames(run: Run, tmp_path: Path) -> None:
    path = recording(tmp_path, trade(1), {"raw": "garbage"}, trade(2))
    assert run("replay", str(path), "--json") == 0
    assert [(line["frame"], line["id"], line["price"]) for line in run.lines()] == [(0, "1", "1.5"), (2, "2", "1.5")]
    assert run.err.startswith("1 of 3 frames were rejected, the first of them:\n")


def test_replay_of_an_unknown_exchange_is_2(run: Run, tmp_path: Path) -> None:
    assert run("replay", str(recording(tmp_path, trade(1))), "--exchange", "mars") == 2
    assert "unknown exchange 'mars'" in run.err


def test_replay_of_what_is_no_recording(run: Run, tmp_path: Path) -> None:
    assert run("replay", str(tmp_path / "absent.jsonl"), "--exchange", "binance") == 1
    assert "absent.jsonl" in run.err
    (tmp_path / "bad.jsonl").write_text("nonsense\n")
    assert run("replay", str(tmp_path / "bad.jsonl"), "--exchange", "binance") == 1
    assert "line 0" in run.err


def test_a_reader_that_has_enough_ends_it_quietly(tmp_path: Path) -> None:
    path = recording(tmp_path, *(trade(number) for number in range(20_000)))
    program = subprocess.Popen(
        [sys.executable, "-c", "from foxtrot_supervisor.cli.main import main; main()", "replay", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert program.stdout is not None
    assert program.stderr is not None
    with program.stdout, program.stderr:
        assert program.stdout.readline().startswith(b'{"frame":0,')
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.wait(20) == 0


# ---- simulate


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_simulate_serves_until_it_is_told_to_end(ending: signal.Signals) -> None:
    program = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from foxtrot_supervisor.cli.main import main; main()",
            "simulate",
            "--json",
            "--symbols",
            "BTCUSDT",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with program:
        assert program.stdout is not None
        assert program.stderr is not None
        report = json.loads(program.stdout.readline())
        answer = urllib.request.urlopen(f"{report['rest_url']}/api/v3/depth?symbol=BTCUSDT&limit=5", timeout=10)
        with answer:
            assert len(json.load(answer)["bids"]) == 5
        program.send_signal(ending)
        assert program.wait(10) == 0
        assert program.stderr.read() == b""


def test_simulate_tells_what_is_wrong(run: Run, tmp_path: Path) -> None:
    assert run("simulate", "--exchange", "mars") == 2
    assert "'mars' is not one of" in run.err
    assert run("simulate", "--recording", str(tmp_path / "absent.jsonl")) in (2, 3)
    assert "absent.jsonl" in run.err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run("simulate", "--port", str(taken.getsockname()[1])) == 3
    assert "in use" in run.err


# ---- what goes wrong inside


def test_an_internal_error_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_target: str) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(cli, "resolve", broken)
    assert run("start") == 1
    assert run.err.splitlines()[-1] == "internal error: RuntimeError: a bug (--debug shows where)"


def test_debug_shows_where(tmp_path: Path) -> None:
    program = "from foxtrot_supervisor import cli; cli.resolve = None; cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--debug", "start"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_without_a_file_the_simulated_exchange_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    called: dict[str, Any] = {}

    def run_supervisor(config: Any, **options: Any) -> int:
        called.update(options, config=config)
        return 4

    real = cli.resolve
    monkeypatch.setattr(cli, "resolve", lambda target: run_supervisor if "runner" in target else real(target))
    assert run("start", "--duration", "3", "--run-dir", "mine") == 4
    assert "using the embedded SIMULATED exchange" in run.err
    assert called["config"].connections[0].exchange == "sim"
    assert called["run_dir_path"] == str(Path.cwd() / "mine")
    assert called["import_path"] == str(Path.cwd())
    assert (called["duration_s"], called["log_format"]) == (3.0, "console")
