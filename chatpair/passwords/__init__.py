"""Who has a name of their own, and the proof of it."""
