"""The unit as systemd itself sees it, and the script that installs it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from foxtrot_supervisor.cli.systemd_unit import UnitOptions, render_unit
from tests.support.sources import ROOT

EXPOSURE_MAX = 2.0
"""0 is a service that can do nothing, 10 one that may do everything; this one needs the network."""

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")


@pytest.fixture(params=[None, "root"], ids=["own user", "named user"])
def unit_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    # systemd looks whether the program is there and can be run
    options = UnitOptions(program="/bin/true", config_path="/etc/foxtrot/foxtrot.toml", user=request.param)
    path = tmp_path / "foxtrot-supervisor.service"
    path.write_text(render_unit(options))
    return path


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60, check=False)


@needs_systemd
def test_systemd_finds_nothing_to_complain_of(unit_file: Path) -> None:
    result = analyze("verify", str(unit_file))
    assert (result.returncode, result.stderr) == (0, "")


@needs_systemd
def test_systemd_would_complain(unit_file: Path) -> None:
    """The test above is worth something: a key that does not exist is noticed."""
    unit_file.write_text(unit_file.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    assert "WatchdogSecs" in analyze("verify", str(unit_file)).stderr


@needs_systemd
def test_exposure(unit_file: Path) -> None:
    result = analyze("security", "--offline=true", "--no-pager", str(unit_file))
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", result.stdout)
    assert level is not None, result.stdout + result.stderr
    print(level.group(0))
    assert float(level.group(1)) <= EXPOSURE_MAX, result.stdout


def test_a_dry_run_says_what_would_be_done_and_does_nothing() -> None:
    before = Path("/etc/systemd/system/foxtrot-supervisor.service").exists()
    result = subprocess.run(
        [ROOT / "scripts" / "install-systemd", "--dry-run", "--user", "feeds", "--prefix", "/nowhere/foxtrot"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    for said in (
        "-m venv /nowhere/foxtrot",
        "foxtrot-supervisor unit -c /etc/foxtrot/foxtrot.toml --user feeds > /etc/systemd/system/",
        "systemctl daemon-reload",
        "systemctl enable foxtrot-supervisor.service",
        "systemctl restart foxtrot-supervisor.service",
    ):
        assert said in result.stderr
    assert not Path("/nowhere").exists()
    assert Path("/etc/systemd/system/foxtrot-supervisor.service").exists() == before


def test_an_unknown_argument_is_refused() -> None:
    result = subprocess.run(
        [ROOT / "scripts" / "install-systemd", "--dry"], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 2
    assert "--dry-run" in result.stderr
