"""Who did what, in a chain nobody can edit unseen."""
