"""Gemini: today's market streams, and the archived feeds v1 and v2 in recordings."""
