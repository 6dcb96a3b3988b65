"""The Redis Streams sink: needs redis, the extra ``redis``."""
