"""Shards of connections over several machines, placed by NATS JetStream: needs nats-py, the extra ``cluster``."""
