"""Each module has its test file at the same place, and each module that performs no I/O is listed as pure."""

from __future__ import annotations

import configparser
from pathlib import Path

from tests.support.sources import ROOT, imported_by, modules

WITHOUT_A_TEST_OF_ITS_OWN = {
    "foxtrot_workers.simulator.server.host": "a Protocol; mypy holds the server to it",
    "foxtrot_supervisor.engine.bus.dispatch_thread": "the thread of an EventEngine; test_event_engine runs it",
    "foxtrot_supervisor.engine.bus.event": "types only; test_event_engine uses each",
    "foxtrot_supervisor.engine.delivery.accounts": "test_receiver drives it through the receiver, with real rings",
    "foxtrot_supervisor.engine.delivery.apply": "test_receiver drives it through the receiver, with real rings",
    "foxtrot_supervisor.engine.delivery.rings": "test_receiver drives it through the receiver, with real rings",
    "foxtrot_supervisor.engine.replay.lanes": "test_run drives it, with recorded steps",
    "foxtrot_supervisor.engine.replay.player": "test_run drives it, with recorded steps",
    "foxtrot_supervisor.engine.replay.report": "types only; test_run and test_report_text use each",
    "foxtrot_supervisor.engine.replay.source": "test_run drives it on a real dispatch thread",
    "foxtrot_workers.adapter.access": "types only; test_access of the feed uses each",
    "foxtrot_workers.adapter.limits": "types and defaults; test_adapter and each exchange's tests use them",
    "foxtrot_workers.adapter.notices": "types only; test_connection_life reacts to each",
    "foxtrot_supervisor.sinks.spool_reader": "test_spool drives it, with real files",
    "foxtrot_supervisor.sinks.spool_writer": "test_spool drives it, with real files",
    "foxtrot_supervisor.config.section": "test_check drives it through whole configurations",
    "foxtrot_protocol.child": "declares a protocol class; has no code to run",
    "foxtrot_workers.feed.effects": "types only; test_connection_life expects each",
    "foxtrot_protocol.commands": "message types only; test_codec encodes and decodes each",
}

TESTED_BY_REAL_PROCESSES = {
    "foxtrot_supervisor.chaos.harness.cluster_ground": "test_cluster_transport.py",
    "foxtrot_supervisor.chaos.harness.engine_pair": "test_chaos_cluster.py",
    "foxtrot_supervisor.chaos.harness.holder_log": "test_chaos_cluster.py",
    "foxtrot_supervisor.chaos.campaigns.cluster_run": "test_chaos_cluster.py",
    "foxtrot_supervisor.chaos.campaigns.node_cuts": "test_chaos_cluster.py",
    "foxtrot_supervisor.chaos.campaigns.node_kills": "test_chaos_cluster.py",
    "foxtrot_supervisor.cli.engine": "test_cluster_transport.py",
    "foxtrot_supervisor.cluster.bell": "test_cluster_transport.py",
    "foxtrot_supervisor.cluster.engine_hold": "test_engine_handover.py",
    "foxtrot_supervisor.cluster.forwarder": "test_cluster_transport.py",
    "foxtrot_supervisor.cluster.joining": "test_cluster_transport.py",
    "foxtrot_supervisor.cluster.landing": "test_cluster_transport.py",
    "foxtrot_supervisor.cluster.holder_watch": "test_cluster.py",
    "foxtrot_supervisor.cluster.nats_client": "test_cluster_transport.py",
    "foxtrot_supervisor.cluster.publisher": "test_cluster_transport.py",
    "foxtrot_supervisor.cluster.pull": "test_cluster_transport.py",
    "foxtrot_supervisor.cluster.state_store": "test_engine_handover.py",
    "foxtrot_supervisor.cluster.streams": "test_cluster_transport.py",
    "foxtrot_supervisor.cluster.agent": "test_cluster.py",
    "foxtrot_supervisor.cluster.apply": "test_cluster.py",
    "foxtrot_supervisor.cluster.connection": "test_cluster.py",
    "foxtrot_supervisor.cluster.deliveries": "test_cluster.py",
    "foxtrot_supervisor.cluster.drain": "test_cluster.py",
    "foxtrot_supervisor.cluster.membership": "test_cluster.py",
    "foxtrot_supervisor.cluster.own_supervisor": "test_cluster.py",
    "foxtrot_supervisor.cluster.shards": "test_cluster.py",
    "foxtrot_supervisor.cluster.store": "test_cluster.py",
    "foxtrot_supervisor.cli.cluster": "test_cluster.py",
    "foxtrot_supervisor.cli.cluster_options": "test_cluster.py",
    "foxtrot_supervisor.cli.node": "test_cluster.py",
    "foxtrot_supervisor.bench.bench": "test_bench.py",
    "foxtrot_supervisor.bench.chain": "test_bench.py",
    "foxtrot_supervisor.bench.recording": "test_bench.py",
    "foxtrot_supervisor.bench.ringless_engine": "test_bench.py",
    "foxtrot_supervisor.bundles.evidence": "test_bundles.py",
    "foxtrot_supervisor.bundles.living": "test_bundles.py",
    "foxtrot_supervisor.bundles.service": "test_bundles.py",
    "foxtrot_supervisor.chaos.campaigns.markets": "test_chaos_delivery.py",
    "foxtrot_supervisor.chaos.campaigns.matrix": "test_chaos.py",
    "foxtrot_supervisor.chaos.campaigns.delivery": "test_chaos_delivery.py",
    "foxtrot_supervisor.chaos.campaigns.delivery_steps": "test_chaos_delivery.py",
    "foxtrot_supervisor.chaos.campaigns.delivery_run": "test_chaos_delivery.py",
    "foxtrot_supervisor.chaos.campaigns.kills": "test_chaos.py",
    "foxtrot_supervisor.chaos.campaigns.mishaps.bounds": "test_mishaps.py",
    "foxtrot_supervisor.chaos.campaigns.mishaps.crashes": "test_mishaps.py",
    "foxtrot_supervisor.chaos.campaigns.mishaps.intruders": "test_mishaps.py",
    "foxtrot_supervisor.chaos.campaigns.mishaps.loss": "test_mishaps.py",
    "foxtrot_supervisor.chaos.campaigns.mishaps.output": "test_mishaps.py",
    "foxtrot_supervisor.chaos.campaigns.mishaps.silence": "test_mishaps.py",
    "foxtrot_supervisor.chaos.campaigns.mishaps.small_things": "test_mishaps.py",
    "foxtrot_supervisor.chaos.campaigns.mishaps.suite": "test_mishaps.py",
    "foxtrot_supervisor.chaos.campaigns.mishaps.surroundings": "test_mishaps.py",
    "foxtrot_supervisor.chaos.campaigns.mishaps.topics": "test_mishaps.py",
    "foxtrot_supervisor.chaos.campaigns.recordings": "test_chaos_recordings.py",
    "foxtrot_supervisor.chaos.campaigns.scene": "test_chaos.py",
    "foxtrot_supervisor.chaos.campaigns.splits": "test_chaos_delivery.py",
    "foxtrot_supervisor.chaos.harness.exchange": "test_chaos.py",
    "foxtrot_supervisor.chaos.harness.early_interrupt": "test_inherited.py",
    "foxtrot_supervisor.chaos.harness.faulty_exchanges": "test_crashes.py",
    "foxtrot_supervisor.chaos.harness.frame_server": "test_feed_worker.py",
    "foxtrot_supervisor.chaos.harness.ground": "test_chaos.py",
    "foxtrot_supervisor.chaos.harness.impostor": "test_foreign_runs.py",
    "foxtrot_supervisor.chaos.harness.orphans": "test_chaos.py",
    "foxtrot_supervisor.chaos.harness.place": "test_mishaps.py",
    "foxtrot_supervisor.chaos.harness.supervised_run": "test_chaos.py",
    "foxtrot_supervisor.cli.bench": "test_bench.py",
    "foxtrot_supervisor.cli.common": "test_commands.py",
    "foxtrot_supervisor.cli.doctor": "test_doctor.py",
    "foxtrot_supervisor.cli.saving": "test_saving.py",
    "foxtrot_supervisor.cli.top": "test_top.py",
    "foxtrot_supervisor.cli.attached_view": "test_full_screen.py",
    "foxtrot_supervisor.cli.terminal_keeper": "test_full_screen.py",
    "foxtrot_supervisor.client.attached": "test_async_users.py",
    "foxtrot_supervisor.embedding.engine_streams": "test_async_users.py",
    "foxtrot_supervisor.embedding.child": "test_embedding.py",
    "foxtrot_supervisor.embedding.child_main": "test_embedding.py",
    "foxtrot_supervisor.embedding.embedding": "test_embedding.py",
    "foxtrot_supervisor.embedding.engine_part": "test_embedding.py",
    "foxtrot_supervisor.embedding.lifetime": "test_embedding.py",
    "foxtrot_supervisor.gateways.foxtrot_adapter": "test_foxtrot_adapter.py",
    "foxtrot_supervisor.gateways.feed": "test_vnpy_gateway.py",
    "foxtrot_supervisor.runtime.processes.nursery_link": "test_nursery.py",
    "foxtrot_supervisor.runtime.processes.processes": "test_process.py",
    "foxtrot_supervisor.runtime.processes.spawn": "test_process.py",
    "foxtrot_supervisor.runtime.recovery": "test_supervision.py",
    "foxtrot_supervisor.runtime.child_messages": "test_supervision.py",
    "foxtrot_supervisor.runtime.final_audit": "test_supervision.py",
    "foxtrot_supervisor.runtime.main": "test_supervision.py",
    "foxtrot_supervisor.runtime.nursery": "test_nursery.py",
    "foxtrot_supervisor.runtime.performer": "test_supervision.py",
    "foxtrot_supervisor.runtime.reloading": "test_reload.py",
    "foxtrot_supervisor.runtime.run_dir_watch": "test_run_dir_removed.py",
    "foxtrot_supervisor.runtime.run_control": "test_runner.py",
    "foxtrot_supervisor.runtime.run_status": "test_runner.py",
    "foxtrot_supervisor.runtime.runner": "test_runner.py",
    "foxtrot_supervisor.runtime.processes.stack_dumps": "test_stack_dumps.py",
    "foxtrot_supervisor.embedding.supervisor": "test_embedding.py",
    "foxtrot_supervisor.gateways.vnpy_gateway": "test_vnpy_gateway.py",
    "foxtrot_supervisor.sinks.nats.guarded_client": "test_nats_sink.py",
    "foxtrot_supervisor.sinks.nats.publisher": "test_nats_sink.py",
    "foxtrot_supervisor.sinks.nats.read_back": "test_nats_sink.py",
    "foxtrot_supervisor.sinks.nats.sink": "test_nats_sink.py",
    "foxtrot_supervisor.sinks.postgresql.sink": "test_postgresql_sink.py",
    "foxtrot_supervisor.sinks.redis.sink": "test_redis_sink.py",
    "foxtrot_supervisor.web.run": "test_web_view.py",
    "foxtrot_supervisor.sinks.sink_process": "test_sinks.py",
    "foxtrot_supervisor.__main__": "test_inherited.py",
    "foxtrot_workers.child.boot": "test_child_boot.py",
    "foxtrot_workers.chaos.boot": "test_chaos_boot.py",
    "foxtrot_workers.child.main": "test_child_boot.py",
    "foxtrot_workers.websocket.picows_client": "test_clients.py",
    "foxtrot_workers.websocket.websockets_client": "test_clients.py",
    "foxtrot_workers.feed.event_sender": "test_feed_worker.py",
    "foxtrot_workers.feed.subscribe_commands": "test_feed_worker.py",
    "foxtrot_workers.feed.worker": "test_feed_worker.py",
    "foxtrot_workers.chaos.kill_points": "test_kill_points.py",
    "foxtrot_workers.child.limits": "test_limits.py",
    "foxtrot_workers.child.nursery": "test_nursery.py",
}
"""Shells that need a process or a socket, and the file in tests/integration that tests them."""


ACTING_BY_OTHER_MEANS = {
    "foxtrot_supervisor.sinks.nats.guarded_client": "a client of a server, by nats-py",
    "foxtrot_supervisor.chaos.harness.faulty_exchanges": "writes files, by pathlib",
    "foxtrot_supervisor.cli.live": "draws on the terminal, by rich",
    "foxtrot_supervisor.cli.screen.details": "draws on the terminal, by textual",
    "foxtrot_supervisor.cli.screen.dialogs": "draws on the terminal, by textual",
    "foxtrot_supervisor.cli.screen.process_list": "draws on the terminal, by textual",
    "foxtrot_supervisor.engine.bus.owner": "keeps the current owner in a context variable",
    "foxtrot_supervisor.sinks.catalog": "imports third parties' modules, by importlib",
    "foxtrot_supervisor.runtime.processes.launch": "resets signals and runs the start target of a spawned process",
    "foxtrot_supervisor.system.signal_state": "sets the signal dispositions and mask of its process",
    "foxtrot_workers.child.limits": "sets the limits of its process",
    "foxtrot_workers.replay.recording": "reads files, by pathlib",
}
"""Modules that are not pure although they import none of the forbidden modules, and why not."""


def _contract(name: str, key: str) -> set[str]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return set(config[f"importlinter:contract:{name}"][key].split())


def _test_of(name: str) -> Path:
    if name in TESTED_BY_REAL_PROCESSES:
        return ROOT / "tests" / "integration" / TESTED_BY_REAL_PROCESSES[name]
    package, *folders, module = name.split(".")
    return ROOT.joinpath("tests", package.removeprefix("foxtrot_"), *folders, f"test_{module}.py")


def test_every_module_has_its_test() -> None:
    missing = {
        name: str(_test_of(name).relative_to(ROOT))
        for name, path in modules().items()
        if path.name != "__init__.py" and name not in WITHOUT_A_TEST_OF_ITS_OWN and not _test_of(name).exists()
    }
    assert missing == {}


def test_the_listed_exceptions_exist() -> None:
    assert set(WITHOUT_A_TEST_OF_ITS_OWN) | set(TESTED_BY_REAL_PROCESSES) <= set(modules())


def test_every_test_folder_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_every_module_without_io_is_listed_as_pure() -> None:
    pure = _contract("pure", "source_modules")
    forbidden = _contract("pure", "forbidden_modules")
    imports = {name: imported_by(path) for name, path in modules().items()}
    acting = {name for name, imported in imports.items() if {module.split(".")[0] for module in imported} & forbidden}
    # a module that imports a shell is a shell as well: repeat until no further one is found
    while more := {name for name, imported in imports.items() if name not in acting and imported & acting}:
        acting |= more

    def listed(name: str) -> bool:
        # a package stands for all its modules
        return any(name == entry or name.startswith(entry + ".") for entry in pure)

    unlisted = [
        name
        for name, path in modules().items()
        if path.name != "__init__.py" and name not in acting and name not in ACTING_BY_OTHER_MEANS and not listed(name)
    ]
    assert unlisted == [], "list each in the contract `pure` of setup.cfg"
