"""Asynchronous programs, attached programs and a notebook, with a real run."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.events import Trade
from foxtrot_supervisor import Supervisor, attach
from foxtrot_supervisor.client.control_client import NotRunning
from tests.support.sources import ROOT
from tests.support.waiting import wait_until

LIMIT_S = 60.0
CONFIG = {
    "engine": {"numbers": "decimal"},
    "connections": [
        {"name": "sim", "exchange": "sim", "channels": ["trade", "quote"], "symbols": ["BTCUSDT", "ETHUSDT"]}
    ],
}


@pytest.fixture
def run_dir() -> Iterator[str]:
    path = tempfile.mkdtemp(prefix="fx")
    yield f"{path}/run"
    shutil.rmtree(path)


async def taken(stream: Any, count: int) -> list[Any]:
    events = []
    async for event in stream:
        events.append(event)
        if len(events) == count:
            break
    return events


async def test_async_with_streams_frames_and_attached_programs(run_dir: str) -> None:
    pandas = pytest.importorskip("pandas", reason="the extra `frames` is not installed")
    threads = set(threading.enumerate())
    async with asyncio.timeout(LIMIT_S), Supervisor(CONFIG, run_dir=run_dir) as supervisor:
        supervisor.keep("trade", last="10m")
        handlers = supervisor.event_engine.handler_count()
        async with supervisor.stream("trade", symbol="BTCUSDT") as trades:
            own = await taken(trades, 5)
        assert {trade.symbol for trade in own} == {"BTCUSDT"}
        assert supervisor.event_engine.handler_count() == handlers, "the stream has left"
        assert type(own[0].price).__name__ == "Decimal"

        frame = supervisor.frame("trade", last="10m", symbol="BTCUSDT")
        assert isinstance(frame, pandas.DataFrame)
        assert len(frame) >= 5
        assert type(frame["price"].iloc[0]).__name__ == "Decimal", "as configured"

        run, other = attach(run_dir), attach(run_dir, numbers="text")
        assert run.status()["workers"][0]["connection"] == "sim"
        run.keep(["trade", "quote"], last="1m")
        attached, text = await asyncio.gather(
            taken(run.stream("trade"), 5), taken(other.stream("eMarketTrade.", symbol="ETHUSDT.SIM"), 3)
        )
        assert isinstance(attached[0], Trade)
        assert isinstance(attached[0].price, float)
        assert isinstance(text[0].price, str)
        assert next(await asyncio.to_thread(lambda: run.events("quote"))).symbol in ("BTCUSDT", "ETHUSDT")
        await asyncio.to_thread(wait_until, lambda: len(run.frame("quote")), LIMIT_S, "kept quotes")
        assert str(run.frame("quote")["bid"].dtype) == "float64"

        last = asyncio.create_task(_read_to_the_end(run.stream("trade"), own_run=supervisor.stream("trade")))
        await asyncio.sleep(0)
    assert await asyncio.wait_for(last, LIMIT_S) == "both have ended"
    with pytest.raises(NotRunning):
        run.status()
    with pytest.raises(NotRunning):
        attach(run_dir)
    run.close()
    other.close()
    await asyncio.sleep(0)
    left = [each for each in threading.enumerate() if each not in threads and "asyncio" not in each.name]
    assert left == []


async def _read_to_the_end(attached: Any, own_run: Any) -> str:
    async for _ in own_run:
        pass
    async for _ in attached:
        pass
    return "both have ended"


def test_the_notebook_runs_in_a_real_kernel(run_dir: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    pytest.importorskip("pandas", reason="the extra `frames` is not installed")
    folder = Path(run_dir).parent
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("HOME", str(folder))
    notebook = nbformat.reads((ROOT / "examples" / "notebook.ipynb").read_text(encoding="utf-8"), as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=LIMIT_S, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    done = client.execute()
    outputs = [cell["outputs"] for cell in done["cells"] if cell["cell_type"] == "code"]
    shown = [output["data"]["text/plain"] for each in outputs for output in each if "data" in output]
    assert "('sim.a', 'RUNNING')" in shown[0]
    assert json.loads(shown[-1]) == 0
    assert not (folder / "foxtrot").exists()
