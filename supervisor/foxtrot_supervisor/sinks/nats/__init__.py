"""The NATS JetStream sink: needs nats-py, the extra ``nats``."""
