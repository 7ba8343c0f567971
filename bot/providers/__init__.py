"""The providers: one folder each, strangers to one another."""
