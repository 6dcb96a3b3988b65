"""Addresses and transport settings: named values with units; opens nothing.

The settings are those that were measured to lose nothing together with a ring (docs/architecture.md);
each was measured alone.
"""

from __future__ import annotations

__all__ = [
    "CONTROL_HWM",
    "DATA_HANDSHAKE_MS",
    "DATA_RECEIVE_HWM",
    "DATA_RECONNECT_MAX_MS",
    "DATA_RECONNECT_MS",
    "DATA_SEND_HWM",
    "IPC_PATH_BYTES_MAX",
    "ZAP_DOMAIN",
    "child_control_endpoint",
    "data_endpoint",
    "ipc_path",
    "lock_path",
    "nursery_path",
    "operator_path",
    "tap_path",
]

IPC_PATH_BYTES_MAX = 107
"""A unix socket path holds at most this many bytes (sun_path less its NUL)."""

DATA_SEND_HWM = 64
"""Batches that ZeroMQ may queue in the worker; beyond it the worker itself holds them."""

DATA_RECEIVE_HWM = 256
"""Batches that ZeroMQ may queue in the engine for each worker."""

DATA_RECONNECT_MS = 50
DATA_RECONNECT_MAX_MS = 1000
DATA_HANDSHAKE_MS = 1000
CONTROL_HWM = 1000
"""Control messages queued for one peer."""

ZAP_DOMAIN = b"foxtrot"
"""Set on every socket that binds: without a domain libzmq takes unauthenticated ZMTP 1.0 frames."""


def _ipc(path: str) -> str:
    if len(path.encode()) > IPC_PATH_BYTES_MAX:
        raise ValueError(f"socket path has more than {IPC_PATH_BYTES_MAX} bytes, shorten run_dir: {path}")
    return f"ipc://{path}"


def data_endpoint(run_dir: str) -> str:
    """Where the engine pulls batches."""
    return _ipc(f"{run_dir}/data.ipc")


def child_control_endpoint(run_dir: str) -> str:
    """Where the supervisor's ROUTER listens to its children."""
    return _ipc(f"{run_dir}/control.ipc")


def ipc_path(endpoint: str) -> str:
    """The file behind an ``ipc://`` endpoint."""
    return endpoint.removeprefix("ipc://")


def operator_path(run_dir: str) -> str:
    """Unix socket of the operator's control interface."""
    return ipc_path(_ipc(f"{run_dir}/operator.sock"))


def tap_path(run_dir: str) -> str:
    """Unix socket where the engine streams live events to operators."""
    return ipc_path(_ipc(f"{run_dir}/events.sock"))


def nursery_path(run_dir: str, name: str = "nursery") -> str:
    """Unix socket between the supervisor and the template process `name`."""
    return ipc_path(_ipc(f"{run_dir}/{name}.sock"))


def lock_path(run_dir: str) -> str:
    """File whose flock says that a supervisor is alive here."""
    return f"{run_dir}/lock"
