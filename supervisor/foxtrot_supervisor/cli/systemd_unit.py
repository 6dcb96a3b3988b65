"""The systemd unit as text: hardened, with time limits derived from the configuration. Pure.

The limits of a stop, from the inside out: the stop ladder of each child, the supervisor's deadline for the whole stop,
``TimeoutStopSec`` of systemd. systemd's limit must be the longest, since its SIGKILL skips the audit. systemd sets no
limit for the start: an exchange may be unreachable for hours, and a supervisor that cannot start exits (exit code 3).
"""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Iterator

from msgspec import Struct

from foxtrot_supervisor.config.schema import SupervisorConfig

__all__ = [
    "RUNTIME_DIRECTORY",
    "STOP_MARGIN_S",
    "WATCHDOG_S",
    "UnitOptions",
    "UnitRefused",
    "render_unit",
    "runtime_directory",
    "stop_timeout_s",
]

RUNTIME_DIRECTORY = "foxtrot"
"""Run directory below /run, where the configuration names none there."""

STOP_MARGIN_S = 30.0
"""Seconds from the supervisor's last deadline to systemd's: for strays, the audit and a busy machine."""

WATCHDOG_S = 30
"""Watchdog interval in seconds; the control loop reports three times within it and never blocks for a second."""

_HOMES = ("/home", "/root", "/run/user")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - names to look for, nothing is written there

_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


class UnitRefused(Exception):
    """The unit cannot be written; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnitOptions(Struct, frozen=True, kw_only=True):
    """Contents of the unit. Paths are absolute."""

    program: str
    """``foxtrot-supervisor`` itself."""
    config_path: str
    supervisor: SupervisorConfig = SupervisorConfig()
    """The configured values, from which the time limits of the unit are derived."""
    user: str | None = None
    """None: a dynamic user of systemd."""
    reads: tuple[str, ...] = ()
    """Further paths that the service must be able to read, such as that of its Python."""


def stop_timeout_s(config: SupervisorConfig) -> int:
    """Return the seconds that systemd must allow for a stop: more than the supervisor allows."""
    return math.ceil(config.shutdown_s + config.stop_kill_s + STOP_MARGIN_S)


def runtime_directory(config: SupervisorConfig) -> str:
    """Return the run directory relative to /run: the configured one if it is there, else `RUNTIME_DIRECTORY`."""
    configured = config.run_dir or ""
    below = configured.removeprefix("/run/")
    return below if below != configured and not _within(configured, _HOMES) else RUNTIME_DIRECTORY


def render_unit(options: UnitOptions) -> str:
    """Return the text of the unit; raises `UnitRefused` for paths or a user that cannot be in a unit."""
    for path in _read_by(options):
        if not posixpath.isabs(path):
            raise UnitRefused(f"{path!r} is not an absolute path")
        if any(character < " " or character == "\x7f" for character in path):
            raise UnitRefused(f"{path!r} holds a control character")
    if options.user is not None and not _USER.fullmatch(options.user):
        raise UnitRefused(f"{options.user!r} is not the name of a user")
    return "\n".join([*_about(options), "", *_service(options), "", *_install()]) + "\n"


def _about(options: UnitOptions) -> Iterator[str]:
    configured = options.supervisor.run_dir
    yield "# Written by `foxtrot-supervisor unit`; its time limits follow from the configuration: write it again when"
    yield "# the configuration changes. Your own changes: systemctl edit."
    if configured is not None and configured != f"/run/{runtime_directory(options.supervisor)}":
        yield f"# The configuration says run_dir = {configured}; systemd can only make one below /run."
    yield "[Unit]"
    yield "Description=foxtrot-supervisor, market data feeds under supervision"
    yield "Wants=network-online.target"
    yield "After=network-online.target"
    yield "# After too many failed starts in a row systemd stops trying."
    yield "StartLimitIntervalSec=300"
    yield "StartLimitBurst=10"


def _service(options: UnitOptions) -> Iterator[str]:
    config = options.supervisor
    directory = runtime_directory(config)
    place = f"/run/{directory}"
    program, config_path = _argument(options.program), _argument(options.config_path)
    yield "[Service]"
    yield "Type=notify"
    yield "NotifyAccess=main"
    yield f"ExecStart={program} start -c {config_path} --run-dir {_argument(place)} --log-format json"
    yield f"ExecReload={program} reload --run-dir {_argument(place)}"
    yield "# Handlers are looked for beside the configuration."
    yield f"WorkingDirectory={_specifiers(posixpath.dirname(options.config_path))}"
    yield f"RuntimeDirectory={_specifiers(directory)}"
    yield "RuntimeDirectoryMode=0700"
    yield "# The only place where handlers may write: $STATE_DIRECTORY, which is /var/lib/foxtrot."
    yield "StateDirectory=foxtrot"
    yield "StateDirectoryMode=0700"
    yield from _identity(options.user)
    yield "# Pass a secret as a file that only systemd and the service can read, never as a value here:"
    yield "#LoadCredential=exchange-key:/etc/foxtrot/exchange-key"
    yield ""
    yield "# An exchange may be unreachable for hours before the first READY; a supervisor that cannot start exits."
    yield "TimeoutStartSec=infinity"
    yield f"# Longer than shutdown_s ({config.shutdown_s:g}) and stop_kill_s ({config.stop_kill_s:g}) together."
    yield f"TimeoutStopSec={stop_timeout_s(config)}"
    yield f"WatchdogSec={WATCHDOG_S}"
    yield "# SIGTERM to the supervisor only, which stops the others in order; finally SIGKILL to all that is left."
    yield "KillMode=mixed"
    yield "Restart=on-failure"
    yield "RestartSec=5"
    yield "# Starting again does not help against wrong usage (2) or a wrong configuration (78)."
    yield "RestartPreventExitStatus=2 78"
    yield "# A worker that the OOM killer ends is replaced; the others go on."
    yield "OOMPolicy=continue"
    yield "Delegate=yes"
    if not config.core_dumps:
        yield "LimitCORE=0"
    yield ""
    yield from _sandbox(options)


def _identity(user: str | None) -> Iterator[str]:
    if user is None:
        yield "# A dynamic user; it must be able to read the configuration."
        yield "DynamicUser=yes"
    else:
        yield f"User={user}"
    yield "UMask=0077"


def _sandbox(options: UnitOptions) -> Iterator[str]:
    yield "NoNewPrivileges=yes"
    yield "CapabilityBoundingSet="
    yield "AmbientCapabilities="
    yield "ProtectSystem=strict"
    if any(_within(path, _HOMES) for path in _read_by(options)):
        yield "# read-only, not hidden: the program, its Python or the configuration lie there"
        yield "ProtectHome=read-only"
    else:
        yield "ProtectHome=yes"
    yield "PrivateTmp=yes"
    for folder in dict.fromkeys(_folders(options)):
        if _within(folder, _TEMPORARY):
            yield "# the temporary folder is private to the service, except for:"
            yield f"BindReadOnlyPaths={_word(folder)}"
    yield "PrivateDevices=yes"
    yield "PrivateMounts=yes"
    yield "ProtectClock=yes"
    yield "ProtectControlGroups=yes"
    yield "ProtectHostname=yes"
    yield "ProtectKernelLogs=yes"
    yield "ProtectKernelModules=yes"
    yield "ProtectKernelTunables=yes"
    yield "ProtectProc=invisible"
    yield "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX"
    yield "RestrictNamespaces=yes"
    yield "RestrictRealtime=yes"
    yield "RestrictSUIDSGID=yes"
    yield "RemoveIPC=yes"
    yield "LockPersonality=yes"
    yield "# Handlers that generate machine code (numba, PyTorch) need: MemoryDenyWriteExecute=no"
    yield "MemoryDenyWriteExecute=yes"
    yield "SystemCallArchitectures=native"
    yield "SystemCallFilter=@system-service"
    yield "SystemCallFilter=~@privileged"
    yield "SystemCallErrorNumber=EPERM"


def _install() -> Iterator[str]:
    yield "[Install]"
    yield "WantedBy=multi-user.target"


def _read_by(options: UnitOptions) -> tuple[str, ...]:
    return (options.program, options.config_path, *options.reads)


def _folders(options: UnitOptions) -> tuple[str, ...]:
    return (posixpath.dirname(options.program), posixpath.dirname(options.config_path), *options.reads)


def _within(path: str, folders: tuple[str, ...]) -> bool:
    path = posixpath.normpath(path)
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _specifiers(text: str) -> str:
    """Escape percent signs, which begin specifiers in every value."""
    return text.replace("%", "%%")


def _argument(path: str) -> str:
    """Quote a word of a command line, where variables are expanded as well."""
    return _word(path.replace("$", "$$"))


def _word(text: str) -> str:
    """Quote one of several words in a value."""
    text = _specifiers(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"' if set(text) & set(" '\";:") else text
