"""Countersign: an operations assistant for trading and treasury desks."""

from importlib.metadata import version

__version__ = version("countersign")
