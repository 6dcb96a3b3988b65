"""Recorded frames, played by the simulated exchange."""
