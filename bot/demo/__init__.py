"""The play: simulators, people and a page around the real bot."""
