"""Hyperliquid: perpetuals, builders' perpetuals, spot."""
