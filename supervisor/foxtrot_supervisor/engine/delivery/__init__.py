"""Delivery of workers' events to handlers: each event once, in order, with every missing interval announced."""
