"""Fetches the exchange's instrument list for the supervisor, into a file."""

from __future__ import annotations

import asyncio
import os

import msgspec

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Done, FetchList
from foxtrot_protocol.instruments import Listing
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.feed.rate_limit import AddressLimit, RateLimitExhausted
from foxtrot_workers.listing.pages import fetch_list

__all__ = ["LIST_WAIT_S_MAX", "ListFetch"]

LIST_WAIT_S_MAX = 30.0
"""Longest wait in seconds of one request for its rate limit: a list can wait for the next refresh."""


class ListFetch:
    """One list at a time.

    Args:
        context: its link to the supervisor.
        adapter: reads the list.
        limit: of REST requests.
        rest_url: base of the REST paths.
        ca_file: certificate authority to trust in place of the system's.
        proxy: None: no proxy.
    """

    def __init__(
        self,
        context: ChildContext,
        adapter: Adapter,
        limit: AddressLimit,
        *,
        rest_url: str,
        ca_file: str | None,
        proxy: str | None,
    ) -> None:
        self._context = context
        self._adapter = adapter
        self._limit = limit
        self._rest_url = rest_url
        self._ca_file = ca_file
        self._proxy = proxy
        self._task: asyncio.Task[None] | None = None

    def start(self, command: FetchList) -> None:
        """Fetch a list; the supervisor gets `Done`."""
        if self._task is not None and not self._task.done():
            self._reply(command, "a list is being fetched")
            return
        self._task = asyncio.create_task(self._fetch(command), name="list")

    async def close(self) -> None:
        """Give up what is being fetched."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _fetch(self, command: FetchList) -> None:
        weight = self._adapter.limits.instruments_weight
        try:
            listing = await fetch_list(
                self._adapter, self._rest_url, self._ca_file, self._proxy, lambda: self._limit.acquire(weight)
            )
            if not listing.error:
                _write(listing, command.path)
            self._reply(command, listing.error)
        except (RateLimitExhausted, OSError) as failure:
            self._reply(command, str(failure))

    def _reply(self, command: FetchList, error: str) -> None:
        spec = self._context.spec
        self._context.send(Done(spec.name, spec.incarnation, command.request_id, error))


def _write(listing: Listing, path: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(listing))
