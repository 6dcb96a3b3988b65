from __future__ import annotations

from importlib.util import find_spec

from foxtrot_protocol import endpoints
from foxtrot_supervisor.config.schema import EngineConfig
from foxtrot_supervisor.core.targets import Targets, engine_settings


def test_every_start_target_names_a_module_that_exists() -> None:
    targets = Targets()
    for name in targets.__struct_fields__:
        module, _, function = getattr(targets, name).partition(":")
        assert find_spec(module) is not None
        assert function in ("run", "open_sessions")


def test_the_engine_gets_every_setting_of_its_section() -> None:
    settings = engine_settings(EngineConfig(queue_limit=7, ticks="off"), "/run/x", "/handlers")
    assert (settings.queue_limit, settings.ticks, settings.import_path) == (7, "off", "/handlers")
    assert settings.data_endpoint == endpoints.data_endpoint("/run/x")
    over_ring = engine_settings(EngineConfig(transport="ring"), "/run/x", "/handlers")
    assert over_ring.data_endpoint == endpoints.data_endpoint("/run/x", "ring")
    # the address says the transport; preload decides how its process is created
    for name in {*EngineConfig.__struct_fields__} - {"preload", "transport"}:
        assert hasattr(settings, name)
