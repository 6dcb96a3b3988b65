"""The systemd unit, as text: hardened, with time limits that follow from the configuration. Pure.

Which limits lie where, from the inside out: each child's stop ladder, our own deadline for the whole stop, systemd's
``TimeoutStopSec`` beyond it. systemd must never be the first to lose patience, since its SIGKILL skips the audit.
The start has no limit of systemd's: an exchange may be away for hours, and what cannot start ends by itself (exit
code 3).
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
"""Below /run, where the configuration names no directory there."""

STOP_MARGIN_S = 30.0
"""From our own last deadline to systemd's: strays, audit, and a machine that is busy."""

WATCHDOG_S = 30
"""The control loop tells three times within it that it turns; it never blocks for as much as a second."""

_HOMES = ("/home", "/root", "/run/user")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - names to look for, nothing is written there

_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


class UnitRefused(Exception):
    """No unit can be written for this; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnitOptions(Struct, frozen=True, kw_only=True):
    """What the unit is for. Paths are absolute."""

    program: str
    """``foxtrot-supervisor`` itself."""
    config_path: str
    supervisor: SupervisorConfig = SupervisorConfig()
    """What the file says; the unit's time limits follow from it."""
    user: str | None = None
    """None: a user that systemd makes for as long as it runs."""
    reads: tuple[str, ...] = ()
    """Further places that the service must be able to read, such as the Python that it runs on."""


def stop_timeout_s(config: SupervisorConfig) -> int:
    """Seconds that systemd has to allow for a stop; more than we ourselves allow."""
    return math.ceil(config.shutdown_s + config.stop_kill_s + STOP_MARGIN_S)


def runtime_directory(config: SupervisorConfig) -> str:
    """The run directory, relative to /run: the configured one, if it is there, else `RUNTIME_DIRECTORY`."""
    configured = config.run_dir or ""
    below = configured.removeprefix("/run/")
    return below if below != configured and not _within(configured, _HOMES) else RUNTIME_DIRECTORY


def render_unit(options: UnitOptions) -> str:
    """The text of the unit; raises `UnitRefused` for paths or a user that no unit can hold."""
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
    yield "# that changes. Changes of your own: systemctl edit."
    if configured is not None and configured != f"/run/{runtime_directory(options.supervisor)}":
        yield f"# The configuration says run_dir = {configured}; systemd can only make one below /run."
    yield "[Unit]"
    yield "Description=foxtrot-supervisor, market data feeds under supervision"
    yield "Wants=network-online.target"
    yield "After=network-online.target"
    yield "# Too many failed starts in a row: left to people."
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
    yield "# A secret is a file that only systemd and the service can read, never a value here or in the configuration:"
    yield "#LoadCredential=exchange-key:/etc/foxtrot/exchange-key"
    yield ""
    yield "# An exchange may be away for hours before the first READY; what cannot start ends by itself."
    yield "TimeoutStartSec=infinity"
    yield f"# Beyond shutdown_s ({config.shutdown_s:g}) and stop_kill_s ({config.stop_kill_s:g}): we are patient first."
    yield f"TimeoutStopSec={stop_timeout_s(config)}"
    yield f"WatchdogSec={WATCHDOG_S}"
    yield "# SIGTERM to the supervisor alone, which stops the rest in order; SIGKILL in the end to whatever is left."
    yield "KillMode=mixed"
    yield "Restart=on-failure"
    yield "RestartSec=5"
    yield "# Neither wrong usage (2) nor a wrong configuration (78) is mended by starting again."
    yield "RestartPreventExitStatus=2 78"
    yield "# The kernel's OOM killer may take a worker: it is replaced, the others stream on."
    yield "OOMPolicy=continue"
    yield "Delegate=yes"
    if not config.core_dumps:
        yield "LimitCORE=0"
    yield ""
    yield from _sandbox(options)


def _identity(user: str | None) -> Iterator[str]:
    if user is None:
        yield "# A user of its own, made at the start and gone at the end; it must be able to read the configuration."
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
            yield "# the temporary folder is the service's own, but for:"
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
    yield "# Handlers that make machine code as they run (numba, PyTorch) need: MemoryDenyWriteExecute=no"
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
    """Percent signs begin specifiers in every value."""
    return text.replace("%", "%%")


def _argument(path: str) -> str:
    """A word of a command line: there also variables are expanded."""
    return _word(path.replace("$", "$$"))


def _word(text: str) -> str:
    """One of several words in a value."""
    text = _specifiers(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"' if set(text) & set(" '\";:") else text
