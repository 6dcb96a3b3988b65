"""Binance spot, Binance US and the simulated exchange."""
