"""Fetches an exchange's instrument list over REST: ``python -m foxtrot_workers.listing.fetch EXCHANGE``.

Prints one JSON object, an `instruments.Listing`. A process that needs the list runs this program and so never imports
exchange code.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from typing import NoReturn

import msgspec

from foxtrot_protocol.crash_report import cause_of
from foxtrot_protocol.instruments import Listing
from foxtrot_workers.adapter.catalog import UnknownExchange, adapter_class
from foxtrot_workers.listing.pages import fetch_list

__all__ = ["main"]


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
