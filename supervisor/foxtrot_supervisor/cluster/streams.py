"""The stream of events: created if it is missing, never changed."""

from __future__ import annotations

from typing import Any

from foxtrot_supervisor.cluster.names import EVENTS
from foxtrot_supervisor.cluster.nats_client import Client, api, errors
from foxtrot_supervisor.config.cluster import ClusterConfig

__all__ = ["DUPLICATE_WINDOW_S", "EVENT_SUBJECTS", "differences", "ensure_events"]

EVENT_SUBJECTS = "events.>"
"""Subjects of the stream."""

DUPLICATE_WINDOW_S = 120.0
"""Within it JetStream recognizes a parcel that is sent twice; an engine recognizes it in any case."""

_MIB = 1024 * 1024


def events_config(settings: ClusterConfig) -> api.StreamConfig:
    """Return the configuration of the stream of events."""
    return api.StreamConfig(
        name=EVENTS,
        subjects=[EVENT_SUBJECTS],
        retention=api.RetentionPolicy.LIMITS,
        storage=api.StorageType.MEMORY if settings.storage == "memory" else api.StorageType.FILE,
        num_replicas=settings.replicas,
        max_bytes=settings.events_max_mib * _MIB,
        max_age=settings.events_max_age_s,
        discard=api.DiscardPolicy.OLD,
        duplicate_window=min(DUPLICATE_WINDOW_S, settings.events_max_age_s),
    )


def differences(wanted: api.StreamConfig, found: api.StreamConfig) -> list[str]:
    """Return how an existing stream differs from the settings, one text for each."""
    keys = ("storage", "num_replicas", "max_bytes", "max_age")
    return [
        f"{key} is {_shown(getattr(found, key))}, not {_shown(getattr(wanted, key))}"
        for key in keys
        if getattr(found, key) != getattr(wanted, key)
    ]


async def ensure_events(client: Client, settings: ClusterConfig) -> tuple[api.StreamInfo, list[str]]:
    """Return the stream of events, created if it is missing, and how it differs from `settings`.

    Raises `nats.errors.Error`, and TimeoutError, if the servers refuse or do not answer.
    """
    js: Any = client.jetstream()
    wanted = events_config(settings)
    try:
        info = await js.stream_info(EVENTS)
    except errors.NotFoundError:
        info = await js.add_stream(wanted)
    return info, differences(wanted, info.config)


def _shown(value: Any) -> str:
    return str(getattr(value, "value", value))
