"""The exchanges whose protocol a simulated market speaks. Pure."""

from __future__ import annotations

from foxtrot_workers.simulator.venues.binance.venue import BinanceVenue
from foxtrot_workers.simulator.venues.bybit.venue import BybitVenue
from foxtrot_workers.simulator.venues.coinbase.venue import CoinbaseVenue
from foxtrot_workers.simulator.venues.kraken.venue import KrakenVenue
from foxtrot_workers.simulator.venues.okx.venue import OkxVenue
from foxtrot_workers.simulator.venues.options import ExchangeName
from foxtrot_workers.simulator.venues.venue import Venue

__all__ = ["make_venue"]

_VENUES: dict[ExchangeName, type[Venue]] = {
    "binance": BinanceVenue,
    "binance_us": BinanceVenue,
    "okx": OkxVenue,
    "bybit": BybitVenue,
    "coinbase": CoinbaseVenue,
    "kraken": KrakenVenue,
}


def make_venue(name: ExchangeName) -> Venue:
    """Return the exchange `name`, for one server."""
    return _VENUES[name]()
