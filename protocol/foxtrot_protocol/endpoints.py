"""Addresses and socket settings of the processes of a run. Pure: opens nothing.

The settings were measured to lose nothing together with a ring (docs/architecture.md).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = [
    "CONTROL_HWM",
    "CONTROL_QUEUE_BYTES_MAX",
    "CONTROL_RECONNECT_MS",
    "DATA_HANDSHAKE_MS",
    "DATA_RECONNECT_MAX_MS",
    "DATA_RECONNECT_MS",
    "DATA_SEND_BYTES_MAX",
    "DATA_SEND_HWM",
    "DOORBELL_BYTES_MAX",
    "IPC_PATH_BYTES_MAX",
    "ZAP_DOMAIN",
    "Transport",
    "child_control_endpoint",
    "data_endpoint",
    "doorbell_path",
    "ipc_path",
    "lock_path",
    "nursery_path",
    "operator_path",
    "parse_left_name",
    "sink_directory",
    "tap_path",
]

IPC_PATH_BYTES_MAX = 107
"""A unix socket path holds at most this many bytes (sun_path less its NUL)."""

DATA_SEND_HWM = 512
"""Batches that may wait in a worker's socket; what it refuses beyond that is read from the ring."""

DATA_SEND_BYTES_MAX = 4 * 1024 * 1024
"""Bytes of batches that may wait in a worker's socket."""

DATA_RECONNECT_MS = 50
"""First delay before a worker's socket connects again; doubled up to `DATA_RECONNECT_MAX_MS`."""

DATA_RECONNECT_MAX_MS = 1000
"""Longest delay before a worker's socket connects again."""

DATA_HANDSHAKE_MS = 1000
"""Time limit of a ZeroMQ handshake."""

CONTROL_HWM = 1000
"""Control messages queued for one peer."""

CONTROL_QUEUE_BYTES_MAX = 8 * 1024 * 1024
"""Bytes of control messages that wait in a child for the supervisor."""

CONTROL_RECONNECT_MS = 100
"""Delay before a child connects to the control plane again."""

ZAP_DOMAIN = b"foxtrot"
"""Set on every socket of libzmq that binds: without a domain libzmq accepts unauthenticated ZMTP 1.0 frames."""


DOORBELL_BYTES_MAX = 256
"""Longest datagram that a worker sends to the engine's doorbell: the name of its ring's file."""

Transport: TypeAlias = Literal["zeromq", "ring"]
"""How the engine learns of a committed batch: it comes over ZeroMQ as well, or its worker rings the doorbell."""

_DOORBELL = "doorbell://"


def _ipc(path: str) -> str:
    if len(path.encode()) > IPC_PATH_BYTES_MAX:
        raise ValueError(f"socket path has more than {IPC_PATH_BYTES_MAX} bytes, shorten run_dir: {path}")
    return f"ipc://{path}"


def data_endpoint(run_dir: str, transport: Transport = "zeromq") -> str:
    """Return the endpoint at which the engine learns of batches; raises ValueError if `run_dir` is too long.

    ``ipc://…`` is a PULL socket, ``doorbell://…`` a unix datagram socket.
    """
    if transport == "ring":
        return _DOORBELL + ipc_path(_ipc(f"{run_dir}/doorbell.sock"))
    return _ipc(f"{run_dir}/data.ipc")


def doorbell_path(endpoint: str) -> str | None:
    """Return the datagram socket of a data endpoint; None if batches come over ZeroMQ."""
    return endpoint.removeprefix(_DOORBELL) if endpoint.startswith(_DOORBELL) else None


def child_control_endpoint(run_dir: str) -> str:
    """Return the endpoint of the control plane, the supervisor's ROUTER socket."""
    return _ipc(f"{run_dir}/control.ipc")


def ipc_path(endpoint: str) -> str:
    """Return the file of an ``ipc://`` endpoint."""
    return endpoint.removeprefix("ipc://")


def operator_path(run_dir: str) -> str:
    """Return the unix socket of the operators' interface."""
    return ipc_path(_ipc(f"{run_dir}/operator.sock"))


def tap_path(run_dir: str) -> str:
    """Return the unix socket at which the engine streams live events."""
    return ipc_path(_ipc(f"{run_dir}/events.sock"))


def nursery_path(run_dir: str, name: str = "nursery") -> str:
    """Return the unix socket between the supervisor and the template process `name`."""
    return ipc_path(_ipc(f"{run_dir}/{name}.sock"))


def sink_directory(run_dir: str, sink: str) -> str:
    """Return the directory in which workers link their rings for a sink."""
    return f"{run_dir}/sinks/{sink}"


def left_name(number: int, run_id: str) -> str:
    """Return the directory, in a sink's, of rings that a killed run has left; `number` counts such runs."""
    return f"left-{number:06d}-{run_id}"


def parse_left_name(name: str) -> tuple[int, str] | None:
    """Return number and run of such a directory by its name; None for any other name."""
    kind, _, rest = name.partition("-")
    number, _, run_id = rest.partition("-")
    return (int(number), run_id) if kind == "left" and len(number) == 6 and number.isdecimal() and run_id else None


def lock_path(run_dir: str) -> str:
    """Return the lock file: a supervisor holds a flock on it while it runs."""
    return f"{run_dir}/lock"
