"""Benchmarks of the whole chain on this machine."""
