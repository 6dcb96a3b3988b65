"""The sink in examples/acme-sink is a package of its own: installed, proven by the conformance suite, and run.

Also the client of the ZeroMQ tap in examples/zeromq-tap, which docs/sinks.md shows.
"""

from __future__ import annotations

import json
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.installed_example import call, install
from tests.support.sources import ROOT

EXAMPLE = ROOT / "examples" / "acme-sink"
CLIENT = ROOT / "examples" / "zeromq-tap" / "client.py"

_CONNECTION = """
[supervisor]
run_dir = "run"
[[connections]]
name = "sim"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(EXAMPLE, tmp_path_factory.mktemp("installed"))


def test_it_conforms_where_it_is_installed(installed: Path, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "test_acme_sink.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    proved = call(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder=tmp_path)
    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert "10 passed" in proved.stdout


def test_it_stores_what_a_run_brings(installed: Path, tmp_path: Path) -> None:
    config = tmp_path / "foxtrot.toml"
    config.write_text(f'{_CONNECTION}\n[[sinks]]\nname = "tape"\nkind = "acme"\n')
    refused = call(installed, "-m", "foxtrot_supervisor", "check", folder=tmp_path)
    assert refused.returncode == 78
    assert "sinks[0].directory: is missing" in refused.stdout + refused.stderr
    config.write_text(f'{_CONNECTION}\n[[sinks]]\nname = "tape"\nkind = "acme"\ndirectory = "tape"\n')
    ran = call(installed, "-m", "foxtrot_supervisor", "start", "--duration", "8", folder=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = [json.loads(line) for path in (tmp_path / "tape").iterdir() for line in path.read_text().splitlines()]
    trades = [int(line["trade_id"]) for line in lines if line["kind"] == "trade"]
    assert trades == [*range(trades[0], trades[0] + len(trades))]
    assert not (tmp_path / "run").exists()


def test_the_client_of_the_zeromq_tap_prints_trades(tmp_path: Path) -> None:
    (tmp_path / "foxtrot.toml").write_text(f'{_CONNECTION}\n[[sinks]]\nname = "tap"\nkind = "zeromq"\n')
    start = [sys.executable, "-m", "foxtrot_supervisor", "start", "--log-format", "json"]
    command = [sys.executable, str(CLIENT), f"ipc://{tmp_path}/run/tap.ipc"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client,
        subprocess.Popen(start, cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True) as run,
    ):
        try:
            assert client.stdout is not None
            assert select.select([client.stdout], [], [], 60.0)[0]
            symbol, side, *_ = client.stdout.readline().split()
            assert (symbol, side in ("buy", "sell")) == ("BTCUSDT", True)
            run.send_signal(signal.SIGTERM)
            assert run.wait(60.0) == 0
        finally:
            client.kill()
            if run.poll() is None:
                run.kill()
    assert CLIENT.read_text().partition('"""\n\n')[2] in (ROOT / "docs" / "sinks.md").read_text()
