"""The rooms, joined."""

from bot.wiring.opening import DATABASE, House, holding, house, mark_clean_stop, provider_settings, read_policy

__all__ = ["DATABASE", "House", "holding", "house", "mark_clean_stop", "provider_settings", "read_policy"]
