"""Recorded frames through the parsers and books that workers use."""
