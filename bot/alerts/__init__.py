"""Alerts: rules that people set, what touches them, and what is told then."""
