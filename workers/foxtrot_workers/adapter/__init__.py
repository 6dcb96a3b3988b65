"""The seam between exchanges and workers: everything that an adapter needs is imported from here."""

from foxtrot_workers.adapter.access import AccessRequest
from foxtrot_workers.adapter.adapter import Adapter, BackfillOrder
from foxtrot_workers.adapter.limits import Budget, Limits, Topic
from foxtrot_workers.adapter.notices import (
    Acknowledged,
    BookLost,
    CloseAnnounced,
    Greeted,
    Notice,
    Pong,
    Refused,
    RestRequest,
    Resubscribe,
    Retry,
    SendText,
    SnapshotRejected,
    SubscriptionsListed,
    UnrecognizedFrame,
)
from foxtrot_workers.adapter.system import SystemStatus, SystemTime
from foxtrot_workers.adapter.venue import BookFacts, VenueFacts

__all__ = [
    "AccessRequest",
    "Acknowledged",
    "Adapter",
    "BackfillOrder",
    "BookFacts",
    "BookLost",
    "Budget",
    "CloseAnnounced",
    "Greeted",
    "Limits",
    "Notice",
    "Pong",
    "Refused",
    "RestRequest",
    "Resubscribe",
    "Retry",
    "SendText",
    "SnapshotRejected",
    "SubscriptionsListed",
    "SystemStatus",
    "SystemTime",
    "Topic",
    "UnrecognizedFrame",
    "VenueFacts",
]
