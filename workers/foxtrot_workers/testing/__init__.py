"""The conformance suite for exchange adapters."""
