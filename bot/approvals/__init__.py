"""Requests: whatever needs a second person, the votes on it, and what comes of them."""
