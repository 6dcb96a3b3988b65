"""The exchange in examples/acme-exchange is a package of its own: installed, listed, proven, replayed, and run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from tests.support.installed_example import call as run_python
from tests.support.installed_example import install
from tests.support.sources import ROOT

EXAMPLE = ROOT / "examples" / "acme-exchange"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as an installer lays it out."""
    return install(EXAMPLE, tmp_path_factory.mktemp("installed"))


def call(installed: Path, *arguments: str, folder: Path = EXAMPLE) -> subprocess.CompletedProcess[str]:
    return run_python(installed, *arguments, folder=folder)


def test_it_is_listed_by_its_entry_point(installed: Path) -> None:
    listed = msgspec.json.decode(call(installed, "-m", "foxtrot_workers.adapter.catalog", "acme").stdout)["acme"]
    assert (listed["error"], listed["channels"]) == ("", ["book", "trade"])
    assert listed["absent"] == {"quote": "take the best levels of the book"}


def test_its_own_tests_pass_where_it_is_installed(installed: Path, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "test_acme_exchange.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    proved = call(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder=tmp_path)
    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert "3 passed" in proved.stdout


def test_a_configuration_may_name_it(installed: Path, tmp_path: Path) -> None:
    config = tmp_path / "foxtrot.toml"
    table = '[[connections]]\nname = "a"\nexchange = "acme"\nsymbols = ["BTC-USD"]\n'
    config.write_text(f'{table}channels = ["trade", "book"]\n')
    checked = call(installed, "-m", "foxtrot_supervisor", "check", "-c", str(config))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "acme: book, trade" in checked.stdout
    config.write_text(f'{table}channels = ["quote"]\n')
    refused = call(installed, "-m", "foxtrot_supervisor", "check", "-c", str(config))
    assert refused.returncode != 0
    assert 'acme has no channel "quote": take the best levels of the book' in refused.stdout + refused.stderr


def test_a_recording_of_it_is_replayed(installed: Path, tmp_path: Path) -> None:
    frame = '{"ch":"trades:BTC-USD","id":7,"px":"64000.1","sz":"0.5","side":"buy","t":1700000000000}'
    recorded = {"t": 1, "dir": "in", "url": "wss://stream.acme.example/v1", "raw": frame}
    (tmp_path / "recorded.jsonl").write_bytes(msgspec.json.encode(recorded) + b"\n")
    replayed = call(installed, "-m", "foxtrot_supervisor", "replay", str(tmp_path / "recorded.jsonl"), "--json")
    assert replayed.returncode == 0, replayed.stderr
    assert msgspec.json.decode(replayed.stdout.splitlines()[0])["price"] == "64000.1"
