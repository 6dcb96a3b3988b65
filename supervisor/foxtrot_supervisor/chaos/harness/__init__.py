"""Supervised runs that chaos campaigns observe and break."""
