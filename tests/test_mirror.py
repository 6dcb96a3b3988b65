"""The tests mirror the sources, and every module is either pure or a shell: nothing falls between."""

from __future__ import annotations

import configparser

from tests.support.sources import ROOT, modules

WITHOUT_A_TEST_OF_ITS_OWN = {
    "foxtrot_protocol.child": "declares what a child may ask for; nothing in it runs",
    "foxtrot_protocol.commands": "message types only; test_codec encodes and decodes each",
    "foxtrot_supervisor.effects": "input and effect types only; test_core uses each",
    "foxtrot_supervisor.settings": "types and defaults; test_config reads each key",
}

TESTED_WITH_OTHERS = {
    # shells of real processes and sockets are tested where those are, together with what they talk to
    "foxtrot_supervisor.nursery_link": "integration/test_nursery.py",
    "foxtrot_supervisor.process": "integration/test_process.py",
    "foxtrot_supervisor.runner": "integration/test_supervision.py",
    "foxtrot_supervisor.stack_dumps": "integration/test_stack_dumps.py",
    "foxtrot_supervisor.operator_requests": "integration/test_supervision.py",
    "foxtrot_workers.boot": "integration/test_child_boot.py",
    "foxtrot_workers.child_main": "integration/test_child_boot.py",
    "foxtrot_workers.command_link": "integration/test_child_boot.py",
    "foxtrot_workers.client_picows": "integration/test_clients.py",
    "foxtrot_workers.client_websockets": "integration/test_clients.py",
    "foxtrot_workers.event_sender": "integration/test_feed_worker.py",
    "foxtrot_workers.feed_worker": "integration/test_feed_worker.py",
    "foxtrot_workers.nursery": "integration/test_nursery.py",
}


def _contract(name: str, key: str) -> set[str]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return set(config[f"importlinter:contract:{name}"][key].split())


def test_every_module_has_its_test() -> None:
    expected = {
        name: ROOT / "tests" / TESTED_WITH_OTHERS[name]
        if name in TESTED_WITH_OTHERS
        else ROOT
        / "tests"
        / name.split(".")[0].removeprefix("foxtrot_")
        / "/".join(name.split(".")[1:-1])
        / f"test_{name.split('.')[-1]}.py"
        for name, path in modules().items()
        if path.name != "__init__.py" and name not in WITHOUT_A_TEST_OF_ITS_OWN
    }
    missing = {name: str(path.relative_to(ROOT)) for name, path in expected.items() if not path.exists()}
    assert missing == {}


def test_the_exceptions_are_still_there_and_still_without() -> None:
    assert set(WITHOUT_A_TEST_OF_ITS_OWN) | set(TESTED_WITH_OTHERS) <= set(modules())


def test_every_test_folder_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_every_module_is_pure_or_a_shell() -> None:
    pure = _contract("pure", "source_modules")
    shells = {name for name in _contract("pure", "forbidden_modules") if name.startswith("foxtrot_")}
    assert pure & shells == set()

    def listed(name: str) -> bool:
        # a package stands for all that is in it
        return any(name == entry or name.startswith(entry + ".") for entry in pure | shells)

    undecided = [name for name, path in modules().items() if path.name != "__init__.py" and not listed(name)]
    assert undecided == [], "name each in setup.cfg, as pure or as a shell"
