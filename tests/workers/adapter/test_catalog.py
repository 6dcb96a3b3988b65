from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from foxtrot_workers.adapter import catalog
from foxtrot_workers.adapter.catalog import GROUP, UnknownExchange, adapter_class, describe, main, names
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.binance.variants import BinanceUs, Sim
from foxtrot_workers.exchanges.okx.adapter import Okx

Install = Callable[[dict[str, str]], None]


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    """What is installed is looked up once in a process; here it changes with each test."""
    catalog._entry_points.cache_clear()
    yield
    catalog._entry_points.cache_clear()


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Pretends that exactly these entry points are installed."""

    def pretend(targets: dict[str, str]) -> None:
        found = [EntryPoint(name, target, GROUP) for name, target in targets.items()]
        monkeypatch.setattr(catalog, "entry_points", lambda group: found if group == GROUP else [])
        catalog._entry_points.cache_clear()

    return pretend


def test_the_package_brings_its_exchanges() -> None:
    ours = ("binance", "binance_us", "okx", "sim")
    assert set(ours) <= set(names())
    assert names() == sorted(names())
    assert [adapter_class(name) for name in ours] == [Binance, BinanceUs, Okx, Sim]


def test_names_are_those_of_the_classes() -> None:
    for name in names():
        assert adapter_class(name).name == name


def test_an_unknown_name_lists_the_known(install: Install) -> None:
    with pytest.raises(UnknownExchange, match="'nope'; installed are: binance, ") as raised:
        adapter_class("nope")
    assert isinstance(raised.value, ValueError)
    assert raised.value.name == "nope"
    install({})
    with pytest.raises(UnknownExchange, match="none"):
        adapter_class("binance")


@pytest.fixture(params=["raise ZeroDivisionError('at import')", "raise SystemExit('ZeroDivisionError')"])
def broken_module(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "broken_exchange.py").write_text(request.param + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "broken_exchange:Broken"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("no_such_module_anywhere:X", "ModuleNotFoundError"),
        ("foxtrot_workers.adapter.adapter:NoSuchClass", "AttributeError"),
        ("foxtrot_workers.adapter.limits:Topic", "not an Adapter class"),
        ("foxtrot_workers.adapter.adapter:Adapter", "not an Adapter class"),
        ("foxtrot_workers.adapter.catalog:names", "not an Adapter class"),
    ],
)
def test_what_cannot_be_loaded_is_an_import_error(install: Install, target: str, reason: str) -> None:
    install({"x": target})
    with pytest.raises(ImportError, match=reason):
        adapter_class("x")
    assert reason in describe()["x"]["error"]


def test_a_module_that_raises_is_an_error_of_its_own_exchange(install: Install, broken_module: str) -> None:
    install({"broken": broken_module, "okx": "foxtrot_workers.exchanges.okx.adapter:Okx"})
    described = describe()
    assert "ZeroDivisionError" in described["broken"]["error"]
    sys.modules.pop("broken_exchange", None)
    assert described["broken"]["channels"] == []
    assert described["okx"]["error"] == ""


@pytest.mark.parametrize(
    ("declared", "reason"), [("pass", "exchange"), ("exchange = 'X'; channels = 5", "not iterable")]
)
def test_an_adapter_with_wrong_declarations_is_an_error(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: str, reason: str
) -> None:
    module = f"bare_exchange_{len(declared)}"
    (tmp_path / f"{module}.py").write_text(
        "from foxtrot_workers.adapter.adapter import Adapter\n"
        "class Bare(Adapter):\n"
        "    topics = address = subscribe = unsubscribe = parse = lambda self, *rest: None\n"
        f"    {declared}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    install({"bare": f"{module}:Bare"})
    assert reason in describe()["bare"]["error"]


def test_the_catalog_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    printed = json.loads(capsys.readouterr().out)
    assert printed == describe()
    assert printed["binance"]["exchange"] == "BINANCE"
    assert printed["binance"]["topics_max"] == 1024
    assert printed["binance"]["lifetime_s"] == 86400.0
    assert {"trade", "quote", "book", "bar_1m"} <= set(printed["binance"]["channels"])
    assert printed["binance"]["absent"]["funding"] == "this is a spot market"
    assert printed["binance"]["testnet_rest_url"] == "https://testnet.binance.vision"
    assert (printed["sim"]["absent"], printed["sim"]["testnet_url"]) == ({}, "")
    assert printed["okx"]["url"].startswith("wss://ws.okx.com")


def test_it_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "foxtrot_workers.adapter.catalog"], capture_output=True, timeout=30, check=True
    )
    assert json.loads(done.stdout) == describe()
    assert done.stderr == b""
