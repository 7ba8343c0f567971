"""The durable queues to and from Telegram, and the cards whose buttons outlive a restart."""
