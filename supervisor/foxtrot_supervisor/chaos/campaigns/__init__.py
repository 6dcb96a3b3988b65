"""Chaos campaigns: the fault matrix, kills, and faults of delivery."""
