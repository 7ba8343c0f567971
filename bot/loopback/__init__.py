"""The plumbing of every simulator: one server, one control side, one kind of misfortune."""
