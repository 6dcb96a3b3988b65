"""The whole program through its command line: real exchange protocol in, a user's handler out."""

from __future__ import annotations

import gzip
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.command_line import Background, Run, Simulated, run_program
from tests.support.waiting import wait_until

LIMIT_S = 30.0

HANDLER = """
import json

class Strategy:
    def __init__(self, engine):
        self.file = open("handler.jsonl", "w", buffering=1)
        engine.register("eMarketTrade.", self.on_trade)
        engine.register("eMarketTrade.BTCUSDT.BINANCE", self.on_btc)

    def on_trade(self, event):
        trade = event.data
        self.write("all", event.type, trade)

    def on_btc(self, event):
        self.write("btc", event.type, event.data)

    def write(self, who, type, trade):
        line = [who, type, trade.symbol, trade.exchange, repr(trade.price), repr(trade.size), trade.side,
                trade.trade_id]
        self.file.write(json.dumps(line) + "\\n")

    def close(self):
        self.file.write('["closed"]\\n')
        self.file.close()

def setup(engine):
    return Strategy(engine)
"""


def connection(url: str = "", rest_url: str = "", **keys: object) -> str:
    values: dict[str, object] = {
        "name": "feed",
        "exchange": "binance",
        "channels": ["trade", "quote", "book"],
        "symbols": ["BTCUSDT", "ETHUSDT"],
    }
    if url:
        values.update(url=url, rest_url=rest_url)
    values.update(keys)
    return "[[connections]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


@pytest.fixture
def closing() -> Iterator[Callable[[Any], Any]]:
    open_things: list[Background] = []

    def keep(thing: Any) -> Any:
        open_things.append(thing)
        return thing

    yield keep
    for thing in reversed(open_things):
        thing.close()


def patience() -> float:
    """How much longer than promised something may take because others use the machine."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def handled(folder: Path) -> list[list[str]]:
    path = folder / "handler.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("]")]


def test_without_a_configuration_the_simulated_exchange_is_shown_and_ctrl_c_leaves_nothing(
    tmp_path: Path, closing: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    run = closing(Background(tmp_path, "start", "start"))
    wait_until(lambda: "BTCUSDT.SIM" in run.err.read_text() + run.out.read_text(), LIMIT_S, "live events")
    assert "simulated" in (run.err.read_text() + run.out.read_text()).lower()
    below = psutil.Process(run.process.pid).children(recursive=True)
    assert len(below) >= 3
    run.interrupt()
    asked_at = time.monotonic()
    assert run.ends() == 0
    assert time.monotonic() - asked_at < 2.0 * patience()
    assert not [process for process in below if process.is_running()]
    assert not (tmp_path / "foxtrot").exists(), "the run directory is gone"


@pytest.mark.parametrize(
    ("numbers", "is_like"),
    [("float", "93."), ("decimal", "Decimal('"), ("text", "'")],
    ids=["float", "decimal", "text"],
)
def test_a_users_handler_gets_typed_events_of_its_symbol(
    tmp_path: Path, closing: Callable[[Any], Any], numbers: str, is_like: str
) -> None:
    (tmp_path / "mymodule.py").write_text(HANDLER)
    sim = closing(Simulated(tmp_path, "--rate", "300"))
    engine = f'[supervisor]\nrun_dir = "RUN_DIR"\n[engine]\nhandlers = ["mymodule:setup"]\nnumbers = "{numbers}"\n'
    run = closing(Run(tmp_path, engine + connection(sim.url, sim.rest_url)))
    wait_until(lambda: len(handled(tmp_path)) > 100, LIMIT_S, "a hundred trades")
    assert run.stop() == 0
    lines = handled(tmp_path)
    assert lines[-1] == ["closed"]
    trades = lines[:-1]
    everything = [line for line in trades if line[0] == "all"]
    btc = [line for line in trades if line[0] == "btc"]
    assert {line[2] for line in everything} == {"BTCUSDT", "ETHUSDT"}
    assert {(line[1], line[2]) for line in btc} == {("eMarketTrade.BTCUSDT.BINANCE", "BTCUSDT")}
    assert [line[7] for line in btc] == [line[7] for line in everything if line[2] == "BTCUSDT"]
    for line in everything:
        if numbers == "float":
            assert float(line[4]) > 0
            assert not line[4].startswith("'")
        else:
            assert line[4].startswith(is_like)


def sample_recording(folder: Path) -> Path:
    """A small recording after the documented shapes, with a late snapshot and topics that come interleaved."""

    def frame(stream: str, data: dict[str, object]) -> dict[str, object]:
        raw = json.dumps({"stream": stream, "data": data}, separators=(",", ":"))
        return {"t": 1_700_000_000_000_000_000, "dir": "in", "url": "wss://stream.binance.com:9443/stream", "raw": raw}

    def depth(first: int, last: int, bids: list[list[str]], asks: list[list[str]]) -> dict[str, object]:
        data = {"e": "depthUpdate", "E": 1700000000000 + last, "s": "ABCUSDT", "U": first, "u": last}
        return frame("abcusdt@depth@100ms", {**data, "b": bids, "a": asks})

    def trade(number: int, price: str) -> dict[str, object]:
        data = {"e": "aggTrade", "E": 1700000000000, "s": "ABCUSDT", "a": number, "p": price, "q": "0.50000000"}
        rest = {"f": number, "l": number, "T": 1700000000000 + number, "m": number % 2 == 0, "M": True}
        return frame("abcusdt@aggTrade", {**data, **rest})

    snapshot = {
        "t": 1,
        "dir": "http",
        "url": "https://api.binance.com/api/v3/depth?symbol=ABCUSDT&limit=1000",
        "raw": json.dumps(
            {
                "lastUpdateId": 103,
                "bids": [["9.90", "1.0"], ["9.80", "2.0"]],
                "asks": [["10.10", "1.5"], ["10.20", "3"]],
            }
        ),
    }
    rows = [
        depth(100, 102, [["9.90", "7"]], []),
        trade(1, "10.00000000"),
        depth(103, 104, [["9.95", "4.0"]], [["10.10", "0.0"]]),
        snapshot,
        frame("abcusdt@bookTicker", {"u": 104, "s": "ABCUSDT", "b": "9.95", "B": "4.0", "a": "10.20", "A": "3"}),
        depth(105, 105, [], [["10.15", "2.5"]]),
        trade(2, "0.00000912"),
        depth(106, 109, [["9.90", "0"]], [["10.20", "1"]]),
    ]
    path = folder / "sample.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)
    return path


COMPARED = (
    *("kind", "exchange", "symbol", "instrument", "ts", "price", "amount", "side", "id"),
    *("bid", "bid_size", "ask", "ask_size", "type", "seq", "checksum", "bids", "asks"),
    *("start", "interval", "open", "high", "low", "close", "volume", "closed"),
)


def market_lines(text: str) -> Counter[str]:
    lines = [json.loads(line) for line in text.splitlines()]
    return Counter(
        json.dumps([line.get(key) for key in COMPARED]) for line in lines if line["kind"] not in ("status", "worker")
    )


def compare_live_with_replay(
    folder: Path,
    closing: Callable[[Any], Any],
    recording: Path,
    exchange: str,
    channels: list[str],
    symbols: list[str],
    client: str = "picows",
) -> Counter[str]:
    """The same recording over a real socket, worker, ZeroMQ and engine, and by `replay`; both must agree."""
    replayed = run_program("replay", recording, "--exchange", exchange, "--depth", "10", "--json", limit_s=60)
    assert replayed.returncode == 0, replayed.stderr
    expected = market_lines(replayed.stdout)
    sim = closing(Simulated(folder, "--exchange", exchange, "--recording", recording, "--speed", "0"))
    text = connection(sim.url, sim.rest_url, exchange=exchange, channels=channels, symbols=symbols, client=client)
    run = closing(Run(folder, '[supervisor]\nrun_dir = "RUN_DIR"\n[engine]\nnumbers = "text"\n' + text))
    events = closing(
        Background(folder, "events", "events", "--json", "--depth", "10", "--wait", "20", "--run-dir", run.run_dir)
    )
    total = sum(expected.values())

    def received() -> Counter[str]:
        return market_lines("\n".join(events.out.read_text().split("\n")[:-1]))

    wait_until(lambda: sum(received().values()) >= total, LIMIT_S, f"{total} events")
    assert run.stop() == 0
    events.ends()
    live = received()
    assert live - expected == Counter(), "nothing but what replay gives"
    assert expected - live == Counter(), "everything that replay gives"
    return live


@pytest.mark.parametrize("client", ["picows", "websockets"])
def test_a_recording_over_the_wire_gives_what_replay_gives(
    tmp_path: Path, closing: Callable[[Any], Any], client: str
) -> None:
    recording = sample_recording(tmp_path)
    live = compare_live_with_replay(
        tmp_path, closing, recording, "binance", ["agg_trade", "quote", "book"], ["ABCUSDT"], client
    )
    kinds = Counter(json.loads(line)[0] for line in live.elements())
    assert kinds == {"trade": 2, "quote": 1, "book": 4}


SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded exchange data are not on this machine")
@pytest.mark.parametrize(
    ("exchange", "name", "channels"),
    [
        ("binance", "2021-08-14-spot", ["agg_trade", "quote", "book", "bar_1m"]),
        ("okx", "2022-05-13", ["trade", "ticker", "book"]),
    ],
)
def test_a_real_recording_over_the_wire_gives_what_replay_gives(
    tmp_path: Path, closing: Callable[[Any], Any], exchange: str, name: str, channels: list[str]
) -> None:
    recording = SHARED / exchange / f"{name}.jsonl.gz"
    symbols: set[str] = set()
    with gzip.open(recording, "rt", encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            message = json.loads(row["raw"]) if row["dir"] == "in" else {}
            if "stream" in message:
                symbols.add(message["stream"].split("@")[0].upper())
            elif "arg" in message:
                symbols.add(message["arg"]["instId"])
    live = compare_live_with_replay(tmp_path, closing, recording, exchange, channels, sorted(symbols))
    assert sum(live.values()) > 300


def test_every_configuration_error_is_listed_and_nothing_is_started(tmp_path: Path) -> None:
    config = tmp_path / "bad.toml"
    config.write_text(
        f'[supervisor]\nrun_dir = "{tmp_path}/run"\nhelo_s = 3\nready_s = "soon"\n'
        + connection(exchange="binnance")
        + connection(channels=["gossip"], symbols=[])
        + connection(name="other", ca_file="/does/not/exist.pem")
    )
    for command in ("check", "start"):
        answer = run_program(command, "-c", config)
        assert answer.returncode == 78
        text = answer.stdout + answer.stderr
        for expected in ("helo_s", "ready_s", "binnance", "gossip", "symbols", "feed", "ca_file"):
            assert expected in text, expected
        assert text.count(str(config)) >= 7
        assert "Traceback" not in text
    assert not (tmp_path / "run").exists()
    assert run_program("check", "-c", tmp_path / "absent.toml").returncode == 78


def test_a_second_start_on_the_same_run_directory_is_refused_with_the_pid(
    tmp_path: Path, closing: Callable[[Any], Any]
) -> None:
    run = closing(Run(tmp_path, '[supervisor]\nrun_dir = "RUN_DIR"\n' + connection(exchange="sim")))
    run.running()
    second = run_program("start", "-c", run.config)
    assert second.returncode == 75
    assert str(run.process.pid) in second.stdout + second.stderr
    assert run.status() is not None, "the first one runs on"
    assert run_program("stop", "--run-dir", run.run_dir).returncode == 0
    assert run.ends() == 0
    assert run_program("status", "--run-dir", run.run_dir).returncode == 3


def test_a_killed_worker_is_replaced_and_the_others_are_undisturbed(
    tmp_path: Path, closing: Callable[[Any], Any]
) -> None:
    (tmp_path / "mymodule.py").write_text(HANDLER)
    sim = closing(Simulated(tmp_path, "--rate", "500"))
    text = '[supervisor]\nrun_dir = "RUN_DIR"\n[engine]\nhandlers = ["mymodule:setup"]\n'
    text += connection(sim.url, sim.rest_url, name="one", symbols=["BTCUSDT"])
    text += connection(sim.url, sim.rest_url, name="two", symbols=["ETHUSDT"])
    run = closing(Run(tmp_path, text))
    before = {worker["name"]: worker for worker in run.running()["workers"]}
    wait_until(lambda: len(handled(tmp_path)) > 50, LIMIT_S, "events under load")
    os.kill(before["one.a"]["pid"], signal.SIGKILL)

    def replaced() -> dict[str, Any] | None:
        status = run.status()
        workers = {worker["name"]: worker for worker in status["workers"]} if status else {}
        one = workers.get("one.a")
        return workers if one and one["state"] == "RUNNING" and one["pid"] != before["one.a"]["pid"] else None

    after = wait_until(replaced, LIMIT_S, "the replacement")
    assert after["one.a"]["incarnation"] == before["one.a"]["incarnation"] + 1
    assert after["one.a"]["last_exit"]["signal"] == signal.SIGKILL
    assert after["one.a"]["restarts_total"] == 1
    assert (after["two.a"]["pid"], after["two.a"]["incarnation"]) == (before["two.a"]["pid"], 1)
    count = len(handled(tmp_path))
    wait_until(
        lambda: {"BTCUSDT", "ETHUSDT"} <= {line[2] for line in handled(tmp_path)[count:] if len(line) > 2},
        LIMIT_S,
        "events of both again",
    )
    assert run.stop() == 0
    for symbol in ("ETHUSDT",):
        numbers = [int(line[7]) for line in handled(tmp_path) if line[0] == "all" and line[2] == symbol]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "no trade of the other was lost"


def test_nothing_outlives_a_killed_supervisor(tmp_path: Path, closing: Callable[[Any], Any]) -> None:
    sim = closing(Simulated(tmp_path, "--rate", "500"))
    run = closing(Run(tmp_path, '[supervisor]\nrun_dir = "RUN_DIR"\n' + connection(sim.url, sim.rest_url)))
    run.running()
    below = run.descendants()
    assert len(below) >= 2
    run.process.kill()
    killed_at = time.monotonic()
    wait_until(lambda: not [p for p in below if alive(p)], 1.0 * patience(), "everybody's death")
    assert time.monotonic() - killed_at < 1.0 * patience()
    run.ends()
    again = closing(Run(tmp_path, run.config.read_text()))
    again.running()
    assert again.stop() == 0
    assert not again.run_dir.exists()


def alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_an_unreachable_exchange_is_waited_for_and_others_go_on(tmp_path: Path, closing: Callable[[Any], Any]) -> None:
    sim = closing(Simulated(tmp_path))
    text = '[supervisor]\nrun_dir = "RUN_DIR"\nbackoff_s = 0.1\nbackoff_max_s = 0.3\n'
    text += connection(sim.url, sim.rest_url, name="good")
    text += connection("ws://127.0.0.1:9", "http://127.0.0.1:9", name="bad")
    run = closing(Run(tmp_path, text))

    def look() -> dict[str, Any] | None:
        status = run.status()
        workers = {worker["name"]: worker for worker in status["workers"]} if status else {}
        good, bad = workers.get("good.a"), workers.get("bad.a")
        return bad if good and bad and good["state"] == "RUNNING" and bad["restarts_total"] >= 7 else None

    bad = wait_until(look, LIMIT_S, "seven attempts")
    assert bad["state"] != "FATAL", "an exchange that is away is no crash loop"
    assert bad["last_exit"]["cause"]
    assert run.stop() in (0, 5)
    log = run.err.read_text()
    assert "Traceback" not in log
    assert "connect_failed" in log
