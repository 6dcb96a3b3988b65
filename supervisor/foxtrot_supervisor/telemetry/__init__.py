"""Measurements of processes, rings and latencies."""
