"""Handlers: one for each operation, for its JSON and its page alike."""
