"""Replay of recorded connections into the handlers of an EventEngine, by recorded time."""
