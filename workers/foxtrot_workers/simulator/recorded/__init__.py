"""Recordings that the simulated exchange serves."""
