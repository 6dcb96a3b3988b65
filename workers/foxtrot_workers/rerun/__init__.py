"""Recorded sessions, run through the pipelines of workers into the batches that an engine merges."""
