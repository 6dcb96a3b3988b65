"""Replay of recorded frames through the parsers and books that workers use."""
