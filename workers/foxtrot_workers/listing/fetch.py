"""Fetches an exchange's instrument list over REST: ``python -m foxtrot_workers.listing.fetch EXCHANGE``.

Prints one JSON object, a `Listing`. A process that needs the list runs this program and so never imports exchange code.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from typing import Final, NoReturn

import msgspec
from msgspec import Struct

from foxtrot_protocol.crash_report import cause_of
from foxtrot_protocol.instruments import Instrument
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.catalog import UnknownExchange, adapter_class
from foxtrot_workers.http.client import HttpClient, HttpFailed

__all__ = ["ANSWER_BYTES_MAX", "PAGES_MAX", "REQUEST_S", "Listing", "fetch_list", "main"]

REQUEST_S: Final = 20.0
"""Limit in seconds for one request."""

ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
"""Largest answer; the largest list known has about 20 MB."""

PAGES_MAX: Final = 100
"""Largest number of answers that one list may have."""

_SAMPLE_BYTES: Final = 200


class Listing(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The instruments of an exchange, or why there are none."""

    instruments: list[Instrument] = []
    error: str = ""


async def fetch_list(adapter: Adapter, rest_url: str, ca_file: str | None, proxy: str | None) -> Listing:
    """Fetch all pages of the list of `adapter`'s exchange; never raises for what the network or the exchange does.

    Args:
        adapter: names the paths and reads the answers.
        rest_url: base of the REST paths.
        ca_file: certificate authority to trust in place of the system's.
        proxy: ``http://`` or ``https://`` address; None: no proxy.
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


def main(arguments: list[str]) -> Listing:
    """Return the list that `arguments` ask for; raises SystemExit for wrong ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("exchange")
    parser.add_argument("--rest-url", help="base of the REST paths in place of the exchange's own")
    parser.add_argument("--ca-file")
    parser.add_argument("--proxy")
    options = parser.parse_args(arguments)
    try:
        adapter = adapter_class(options.exchange)()
    except (UnknownExchange, ImportError) as error:
        return Listing(error=str(error))
    rest_url = options.rest_url or adapter.rest_url
    return asyncio.run(fetch_list(adapter, rest_url, options.ca_file, options.proxy))


def _run_as_program() -> NoReturn:
    """Print the list and exit; whatever an adapter prints goes to stderr."""
    output = os.dup(1)
    os.dup2(2, 1)
    try:
        listing = main(sys.argv[1:])
    except Exception as error:  # code of a third party's adapter
        listing = Listing(error=cause_of(error))
    with os.fdopen(output, "wb") as stdout:
        stdout.write(msgspec.json.encode(listing) + b"\n")
    os._exit(0)


if __name__ == "__main__":
    _run_as_program()
