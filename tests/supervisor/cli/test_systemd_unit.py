"""The text of the systemd unit: its directives, and time limits derived from the configuration."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_supervisor.cli.systemd_unit import (
    RUNTIME_DIRECTORY,
    STOP_MARGIN_S,
    UnitOptions,
    UnitRefused,
    render_unit,
    runtime_directory,
    stop_timeout_s,
)
from foxtrot_supervisor.config.schema import SupervisorConfig

PROGRAM = "/opt/foxtrot/bin/foxtrot-supervisor"
CONFIG = "/etc/foxtrot/foxtrot.toml"


def options(**more: Any) -> UnitOptions:
    return UnitOptions(**{"program": PROGRAM, "config_path": CONFIG, **more})


def unit(**more: Any) -> dict[str, list[str]]:
    """Every assignment, by ``[Section]Key``; values in order."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in render_unit(options(**more)).splitlines():
        if line.startswith("["):
            section = line
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(f"{section}{key}", []).append(value)
    return found


def service(**more: Any) -> dict[str, str]:
    """The single-valued keys of [Service]."""
    return {
        key.removeprefix("[Service]"): values[0]
        for key, values in unit(**more).items()
        if key.startswith("[Service]") and len(values) == 1
    }


def test_time_limits_and_notification_are_in_the_unit() -> None:
    text = service()
    assert text["ExecStart"] == f"{PROGRAM} start -c {CONFIG} --run-dir /run/foxtrot --log-format json"
    assert text["ExecReload"] == f"{PROGRAM} reload --run-dir /run/foxtrot"
    expected = {
        "Type": "notify",
        "NotifyAccess": "main",
        "KillMode": "mixed",
        "Restart": "on-failure",
        "RestartPreventExitStatus": "2 78",
        "RuntimeDirectory": "foxtrot",
        "RuntimeDirectoryMode": "0700",
        "Delegate": "yes",
        "TimeoutStartSec": "infinity",
        "WatchdogSec": "30",
        "OOMPolicy": "continue",
        "WorkingDirectory": "/etc/foxtrot",
        "UMask": "0077",
    }
    assert {key: text.get(key) for key in expected} == expected
    assert unit()["[Install]WantedBy"] == ["multi-user.target"]


def test_the_sandbox_opens_only_needed_paths() -> None:
    text = service()
    for key in (
        "NoNewPrivileges",
        "ProtectHome",
        "PrivateTmp",
        "PrivateDevices",
        "ProtectClock",
        "ProtectControlGroups",
        "ProtectHostname",
        "ProtectKernelLogs",
        "ProtectKernelModules",
        "ProtectKernelTunables",
        "RestrictNamespaces",
        "RestrictRealtime",
        "RestrictSUIDSGID",
        "LockPersonality",
        "MemoryDenyWriteExecute",
    ):
        assert text[key] == "yes", key
    assert text["ProtectSystem"] == "strict"
    assert text["CapabilityBoundingSet"] == text["AmbientCapabilities"] == ""
    assert text["RestrictAddressFamilies"].split() == ["AF_INET", "AF_INET6", "AF_UNIX"]
    assert unit()["[Service]SystemCallFilter"] == ["@system-service", "~@privileged"]


def test_user() -> None:
    assert service()["DynamicUser"] == "yes"
    assert "User" not in service()
    named = service(user="feeds")
    assert named["User"] == "feeds"
    assert "DynamicUser" not in named


@pytest.mark.parametrize("user", ["", "a b", "x\nExecStart=/bin/sh", "-x", "1a", "ä"])
def test_invalid_user_names_are_refused(user: str) -> None:
    with pytest.raises(UnitRefused, match="not the name of a user"):
        render_unit(options(user=user))


@pytest.mark.parametrize(
    "config",
    [
        SupervisorConfig(),
        SupervisorConfig(shutdown_s=0.5, stop_kill_s=0.0),
        SupervisorConfig(shutdown_s=604_800.0, stop_kill_s=604_800.0),
        SupervisorConfig(shutdown_s=10.1, stop_kill_s=5.05),
    ],
)
def test_systemds_stop_timeout_is_longer_than_the_supervisors(config: SupervisorConfig) -> None:
    written = int(service(supervisor=config)["TimeoutStopSec"])
    assert written == stop_timeout_s(config)
    # the budget of the final stop, then the last wait after SIGKILL, then strays and the audit
    assert written >= config.shutdown_s + config.stop_kill_s + STOP_MARGIN_S


@pytest.mark.parametrize(
    ("run_dir", "directory"),
    [
        (None, RUNTIME_DIRECTORY),
        ("/run/foxtrot", "foxtrot"),
        ("/run/feeds/one", "feeds/one"),
        ("/run", RUNTIME_DIRECTORY),
        ("/run/user/1000/foxtrot", RUNTIME_DIRECTORY),
        ("/var/lib/x", RUNTIME_DIRECTORY),
    ],
)
def test_run_directory(run_dir: str | None, directory: str) -> None:
    config = SupervisorConfig(run_dir=run_dir)
    assert runtime_directory(config) == directory
    text = service(supervisor=config)
    assert text["RuntimeDirectory"] == directory
    assert f"--run-dir /run/{directory} " in text["ExecStart"]
    differs = run_dir is not None and run_dir != f"/run/{directory}"
    assert (f"run_dir = {run_dir}" in render_unit(options(supervisor=config))) is differs


def test_core_dumps_of_the_supervisor_follow_those_of_its_children() -> None:
    assert service()["LimitCORE"] == "0"
    assert "LimitCORE" not in service(supervisor=SupervisorConfig(core_dumps=True))


@pytest.mark.parametrize(
    "more",
    [
        {"program": "/home/me/.venv/bin/foxtrot-supervisor"},
        {"config_path": "/root/foxtrot.toml"},
        {"reads": ("/home/me/.pyenv/versions/3.11",)},
    ],
)
def test_home_is_readable_if_a_needed_path_is_in_it(more: dict[str, Any]) -> None:
    assert service(**more)["ProtectHome"] == "read-only"


def test_a_folder_with_a_similar_name_is_not_home() -> None:
    assert service(reads=("/homes/x",))["ProtectHome"] == "yes"


def test_needed_paths_of_the_temporary_folder_are_bound_into_the_private_one() -> None:
    text = unit(program="/tmp/venv/bin/x", config_path="/tmp/venv/bin/c.toml", reads=("/var/tmp/a 50%:", "/opt/x"))
    assert text["[Service]BindReadOnlyPaths"] == ["/tmp/venv/bin", '"/var/tmp/a 50%%:"']
    assert text["[Service]PrivateTmp"] == ["yes"]
    assert "[Service]BindReadOnlyPaths" not in unit()


def test_special_characters_in_paths_are_escaped_for_systemd() -> None:
    text = service(program='/opt/a b/100%/$x/"q"\\', config_path="/etc/f's/50%.toml")
    assert text["ExecStart"].startswith(
        '"/opt/a b/100%%/$$x/\\"q\\"\\\\" start -c "/etc/f\'s/50%%.toml" --run-dir /run/foxtrot '
    )
    assert text["WorkingDirectory"] == "/etc/f's"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"program": "bin/x"}, "not an absolute path"),
        ({"config_path": "x.toml"}, "not an absolute path"),
        ({"config_path": "/etc/x\n[Install]"}, "control character"),
        ({"program": "/opt/\x7f"}, "control character"),
    ],
)
def test_paths_with_control_characters_are_refused(more: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnitRefused, match=reason):
        render_unit(options(**more))


def test_every_line_of_the_log_is_complete() -> None:
    """A backslash at its end would join a line with the next one."""
    assert not [line for line in render_unit(options()).splitlines() if line.endswith("\\")]
