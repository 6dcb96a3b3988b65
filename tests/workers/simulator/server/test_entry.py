"""Starting the exchange: as a supervised child, and as the command does, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.sync.client import connect as connect_blocking

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Fenced, Stop, ToChild
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import SimulatorSettings
from foxtrot_workers.simulator.server.entry import LISTED_ALSO, load_playback, run, simulate
from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.support.sim_client import fetch_json
from tests.support.tls import make_tls
from tests.support.waiting import wait_until, wait_until_async


class Context:
    """As much of a child's context as the exchange asks for."""

    class _Spec:
        def __init__(self, settings: SimulatorSettings) -> None:
            self.settings = msgspec.msgpack.encode(settings)

    def __init__(self, **settings: Any) -> None:
        self.spec = Context._Spec(SimulatorSettings(**settings))
        self.told: dict[str, str] = {}
        self.failures: list[str] = []
        self.command: Callable[[ToChild], None] = lambda _: None

    def on_command(self, handler: Callable[[ToChild], None]) -> None:
        self.command = handler

    def ready(self, info: dict[str, str] | None = None) -> None:
        self.told = dict(info or {})

    def failed(self, cause: str, retry_after_s: float | None = None) -> None:
        self.failures.append(cause)

    def start(self) -> asyncio.Task[int]:
        return asyncio.create_task(run(cast(ChildContext, self)))


async def test_the_child_reports_its_addresses_and_ends_on_stop() -> None:
    context = Context(symbols=["BTCUSDT", "XYZUSDT"], rate_per_s=500.0, seed=4)
    task = context.start()
    await wait_until_async(lambda: context.told)
    assert set(context.told) == {"url", "rest_url"}
    async with connect(context.told["url"] + "/ws/xyzusdt@trade", proxy=None) as client:
        assert json.loads(await client.recv())["s"] == "XYZUSDT"
        info = await fetch_json(context.told["rest_url"] + "/api/v3/exchangeInfo")
        listed = [row["symbol"] for row in info["symbols"]]
        assert listed[:2] == ["BTCUSDT", "XYZUSDT"]
        assert set(listed) == {"XYZUSDT", *LISTED_ALSO}
        context.command(Fenced("x", 1))
        assert not task.done()
        begun = time.monotonic()
        context.command(Stop(1.0))
        assert await task == ChildExit.CLEAN
        assert time.monotonic() - begun < 1.0


async def test_settings_that_cannot_work_are_a_configuration_error() -> None:
    context = Context(symbols=["BTC-USDT"])
    assert await context.start() == ChildExit.CONFIGURATION
    assert "BTC-USDT" in context.failures[0]


async def test_a_taken_port_is_named() -> None:
    async with SimulatedExchange(["BTCUSDT"]) as sim:
        context = Context(symbols=["BTCUSDT"], port=sim.port)
        assert await context.start() == ChildExit.CRASH
        assert str(sim.port) in context.failures[0]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"exchange": "nowhere"}, "nowhere"),
        ({"speed": -1.0}, "speed"),
        ({"rate": -1.0}, "rate"),
        ({"symbols": []}, "symbol"),
        ({"symbols": ["A-B"]}, "A-B"),
        ({"tls_cert": "cert.pem"}, "key"),
    ],
)
async def test_the_error_names_the_setting_that_cannot_work(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        await simulate(**options)


async def test_a_recording_without_data_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text('{"t":1,"dir":"out","url":"wss://x/","raw":"{}"}\n')
    with pytest.raises(ValueError, match="no data frames of binance"):
        load_playback(path, "binance")
    with pytest.raises((OSError, ValueError)):
        await simulate(recording=str(tmp_path / "absent.jsonl"))


_SCRIPT = textwrap.dedent(
    """
    import asyncio, json, sys
    import uvloop
    from foxtrot_workers.simulator.server.entry import simulate

    def report(told):
        print(json.dumps(told), flush=True)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(simulate(report=report, **json.loads(sys.argv[1]))))
    """
)


def test_the_length_of_the_trade_history_is_configurable() -> None:
    options = {"rate": 2000, "symbols": ["BTCUSDT"], "history": 7}
    with subprocess.Popen([sys.executable, "-c", _SCRIPT, json.dumps(options)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            address = json.loads(process.stdout.readline())["rest_url"]

            def remembered() -> bool:
                with urllib.request.urlopen(f"{address}/api/v3/trades?symbol=BTCUSDT&limit=1000") as answer:
                    return len(json.load(answer)) == 7

            wait_until(remembered, 10.0, "seven trades")
            time.sleep(0.1)
            assert remembered(), "and no more"
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    tls = make_tls(tmp_path)
    ledger = tmp_path / "ledger.jsonl"
    options = {
        "rate": 500,
        "symbols": ["BTCUSDT"],
        "ledger": str(ledger),
        "tls_cert": str(tls.cert_file),
        "tls_key": str(tls.key_file),
    }
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _SCRIPT, json.dumps(options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            assert told["exchange"] == "binance"
            assert told["symbols"] == ["BTCUSDT"]
            assert told["url"].startswith("wss://127.0.0.1:")
            url = told["url"] + "/stream?streams=btcusdt@trade"
            with connect_blocking(url, ssl=tls.client_context(), proxy=None, close_timeout=0.5) as client:
                ids = [json.loads(client.recv())["data"]["t"] for _ in range(20)]
                process.send_signal(number)
                wait_until(lambda: process.poll() is not None, 5.0, "the end of the simulator")
        finally:
            process.kill()
        assert process.returncode == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    rows = [json.loads(line) for line in ledger.read_text().splitlines()]
    sent = [n for row in rows if row["what"] == "sent" for n in row["ids"]]
    assert sent[:20] == ids


async def test_only_the_limits_of_binance_can_be_enforced() -> None:
    with pytest.raises(ValueError, match="the limits are those of Binance, not of okx"):
        await simulate("okx", enforce=True)
