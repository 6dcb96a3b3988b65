"""Ticks and bars, folded from other events."""
