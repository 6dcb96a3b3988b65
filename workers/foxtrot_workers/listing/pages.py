"""All pages of an exchange's instrument list, over REST."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from foxtrot_protocol.instruments import Instrument, Listing
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.http.client import HttpClient, HttpFailed

__all__ = ["ANSWER_BYTES_MAX", "PAGES_MAX", "REQUEST_S", "fetch_list"]

REQUEST_S: Final = 20.0
"""Limit in seconds for one request."""

ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
"""Largest answer; the largest list known has about 20 MB."""

PAGES_MAX: Final = 100
"""Largest number of answers that one list may have."""

_SAMPLE_BYTES: Final = 200


async def fetch_list(
    adapter: Adapter,
    rest_url: str,
    ca_file: str | None,
    proxy: str | None,
    acquire: Callable[[], Awaitable[None]] | None = None,
) -> Listing:
    """Fetch all pages of the list of `adapter`'s exchange; never raises for what the network or the exchange does.

    Args:
        adapter: names the paths and reads the answers.
        rest_url: base of the REST paths.
        ca_file: certificate authority to trust in place of the system's.
        proxy: ``http://`` or ``https://`` address; None: no proxy.
        acquire: returns when the next request may be sent; None: at once.
    """
    paths = adapter.list_paths()
    if not paths:
        return Listing(error=f"{adapter.name} offers no list of instruments")
    found: dict[str, Instrument] = {}
    try:
        client = HttpClient(rest_url, ca_file, proxy)
    except ValueError as error:
        return Listing(error=str(error))
    try:
        pages = 0
        while paths:
            path = paths.pop(0)
            pages += 1
            if pages > PAGES_MAX:
                return Listing(error=f"the list has more than {PAGES_MAX} pages")
            if acquire is not None:
                await acquire()
            response = await client.get(path, REQUEST_S, ANSWER_BYTES_MAX)
            if response.status != 200:
                sample = response.body[:_SAMPLE_BYTES].decode(errors="replace")
                return Listing(error=f"{rest_url}{path}: HTTP {response.status}: {sample}")
            try:
                found.update((each.symbol, each) for each in adapter.listed(response.body))
                following = adapter.next_list_path(path, response.body)
            except (msgspec.MsgspecError, ValueError, LookupError, RecursionError) as error:
                return Listing(error=f"{rest_url}{path}: the answer cannot be read: {error}")
            if following is not None:
                paths.insert(0, following)
    except HttpFailed as failure:
        return Listing(error=f"{rest_url}: {failure}")
    finally:
        client.close()
    return Listing(instruments=sorted(found.values(), key=lambda each: each.symbol))
