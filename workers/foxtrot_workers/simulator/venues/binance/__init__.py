"""Binance spot, as the simulated exchange speaks it."""
