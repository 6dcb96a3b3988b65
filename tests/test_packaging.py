"""All modules are installed, with type markers; under scripts/test from the built wheel."""

from __future__ import annotations

import configparser
import importlib
import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from foxtrot_protocol import compiled
from tests.support.sources import PACKAGES, ROOT, imported_by, modules, source_files

WHEEL = os.environ.get("FOXTROT_TEST_WHEEL") == "1"
IMPORT_NAMES = {"pyzmq": "zmq"}
"""Names under which requirements are imported, where they differ."""

only_wheel = pytest.mark.skipif(not WHEEL, reason="scripts/test runs this against the built wheel")


def test_every_package_is_listed_in_setup_cfg() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    on_disk = {name for name, path in modules().items() if path.name == "__init__.py"}
    assert set(config["options"]["packages"].split()) == on_disk


def test_every_package_has_a_type_marker() -> None:
    assert [name for name, folder in PACKAGES.items() if not (folder / name / "py.typed").exists()] == []


def test_the_list_of_lower_bounds_is_current() -> None:
    """The tox environment `lowest` installs what setup.cfg declares."""
    script = ROOT / "scripts" / "lowest.py"
    printed = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True).stdout
    assert (ROOT / ".ci" / "lowest.txt").read_text() == printed, "scripts/lowest.py > .ci/lowest.txt"


def test_what_a_feature_needs_is_installed_for_its_tests() -> None:
    """CI installs the extra `test`: a test whose library is in another extra only would be skipped there."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = {
        name: {line for line in text.split("\n") if line} for name, text in config["options.extras_require"].items()
    }
    others = {
        "lint",  # scripts/check installs it
        "vnpy",  # tox -e vnpy: half a gigabyte
        "peers",  # compared with by hand
    }
    features = {name: needed for name, needed in extras.items() if name not in {"test", *others}}
    assert {name: needed - extras["test"] for name, needed in features.items() if not needed <= extras["test"]} == {}


def test_the_requirements_are_what_the_packages_import() -> None:
    """What only tests and scripts need is in the extra `test`; what an extra provides is imported in one place."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    required = {re.split("[><=;]", line)[0] for line in config["options"]["install_requires"].split("\n") if line}
    imported = {module.split(".")[0] for path in source_files() for module in imported_by(path)}
    third_party = imported - set(sys.stdlib_module_names) - set(PACKAGES)
    elsewhere = {
        "aiohttp",  # the extra web
        "pyarrow",  # the extra record
        "nats",  # the extra nats
        "prometheus_client",  # the extra metrics
        "pytest",  # the suites of checks for adapters and sinks, imported by tests only
        "psycopg",  # the extra postgresql
        "redis",  # the extra redis
        "nkeys",  # the extras nats and cluster
        "textual",  # the extra top
        "python_socks",  # a requirement of picows, whose proxy errors it raises
        "vnpy",  # an extra
    }
    assert {IMPORT_NAMES.get(name, name) for name in required} == third_party - elsewhere


@only_wheel
def test_the_wheel_holds_every_module_and_the_type_markers() -> None:
    # search site-packages only: the source folder may contain metadata of another version
    (wheel,) = importlib.metadata.distributions(name="foxtrot-supervisor", path=[sysconfig.get_path("purelib")])
    installed = {str(path) for path in wheel.files or ()}
    wanted = {
        str(path.relative_to(folder))
        for folder in PACKAGES.values()
        for path in source_files()
        if path.is_relative_to(folder)
    }
    wanted |= {f"{name}/py.typed" for name in PACKAGES}
    assert wanted - installed == set()
    code = {path for path in installed if path.endswith(".py")}
    assert code - wanted == set(), "the wheel holds modules that are not in the sources"


@only_wheel
@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_imports_come_from_the_wheel(name: str) -> None:
    place = Path(importlib.import_module(name).__file__ or "").resolve()
    assert place.is_relative_to(Path(sysconfig.get_path("purelib")).resolve())


def test_every_entry_point_can_be_loaded() -> None:
    points = [
        point
        for group in ("console_scripts", "foxtrot.exchanges")
        for point in importlib.metadata.entry_points(group=group)
        if point.dist is not None and point.dist.name == "foxtrot-supervisor"
    ]
    assert len(points) >= 5
    for point in points:
        assert callable(point.load())


def _pyx_modules() -> set[str]:
    return {
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for folder in PACKAGES.values()
        for path in folder.rglob("*.pyx")
    }


def test_every_compiled_module_is_known() -> None:
    assert set(compiled.MODULES) == _pyx_modules()


@pytest.mark.skipif(os.environ.get("FOXTROT_FORM") != "compiled", reason="the compiled form is not demanded")
@pytest.mark.parametrize("name", compiled.MODULES)
def test_every_compiled_module_can_be_loaded(name: str) -> None:
    assert compiled.load(name) is not None


@pytest.mark.parametrize("changed", [{"CC": "false"}, {"FOXTROT_FORM": "pure"}])
def test_without_a_compiler_or_on_demand_the_build_is_pure(tmp_path: Path, changed: dict[str, str]) -> None:
    pytest.importorskip("Cython")
    pytest.importorskip("setuptools")
    command = [
        sys.executable,
        "setup.py",
        "-q",
        "build_ext",
        f"--build-lib={tmp_path}",
        f"--build-temp={tmp_path}/temp",
    ]
    environment = {**os.environ, "FOXTROT_FORM": "", **changed}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*.so")) == []
