"""Gateways for vn.py and Foxtrot applications, and a MainEngine."""
