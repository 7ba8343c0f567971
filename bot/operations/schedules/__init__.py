"""What is told by the clock: which slots there are, and that each runs once."""
